/** The elements of stack_viewer.html, by the names in their `data-ref`. */
export interface ViewerElements {
  name: HTMLElement;
  facts: HTMLElement;
  answers: HTMLElement;

  stage: HTMLElement;
  canvas: HTMLCanvasElement;
  message: HTMLElement;
  reason: HTMLElement;
  loading: HTMLElement;
  probe: HTMLElement;
  chosen: HTMLElement;

  previous: HTMLButtonElement;
  play: HTMLButtonElement;
  next: HTMLButtonElement;
  speed: HTMLSelectElement;
  slider: HTMLInputElement;
  position: HTMLOutputElement;

  zoomOut: HTMLButtonElement;
  zoomSlider: HTMLInputElement;
  zoomIn: HTMLButtonElement;
  percent: HTMLInputElement;
  fit: HTMLButtonElement;
  actual: HTMLButtonElement;
  turnLeft: HTMLButtonElement;
  turnRight: HTMLButtonElement;
  flipHorizontal: HTMLButtonElement;
  flipVertical: HTMLButtonElement;
  reset: HTMLButtonElement;
  select: HTMLButtonElement;
  map: HTMLButtonElement;
  beside: HTMLButtonElement;
  besideName: HTMLElement;
  patient: HTMLButtonElement;
  patientFacts: HTMLElement;
  windowing: HTMLButtonElement;
  fullScreen: HTMLButtonElement;
  help: HTMLButtonElement;

  windowPanel: HTMLElement;
  level: HTMLInputElement;
  levelValue: HTMLOutputElement;
  width: HTMLInputElement;
  widthValue: HTMLOutputElement;
  windowAuto: HTMLButtonElement;
  windowInvert: HTMLButtonElement;
  windowReset: HTMLButtonElement;
  windowPresets: HTMLElement;
  windowNote: HTMLElement;

  mapFirst: HTMLElement;
  mapSecond: HTMLElement;
  mapPanel: HTMLElement;
  mapClass: HTMLSelectElement;
  mapEngines: HTMLElement;
  mapEngine: HTMLSelectElement;
  mapOpacity: HTMLInputElement;
  mapLow: HTMLElement;
  mapScale: HTMLElement;
  mapHigh: HTMLElement;
  mapNote: HTMLElement;

  keep: HTMLInputElement;
  status: HTMLElement;
  dialog: HTMLDialogElement;
  zoomKeys: HTMLElement;
  labelKeys: HTMLElement;
  alikeKeys: HTMLElement;
  galleryKeys: HTMLElement;
  undoKeys: HTMLElement;
  visitKeys: HTMLElement;
  keyNote: HTMLElement;
  usualKeys: HTMLButtonElement;
}
