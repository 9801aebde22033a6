/** The elements of gallery.html, by the names in their `data-ref`. */
export interface GalleryElements {
  all: HTMLButtonElement;
  none: HTMLButtonElement;
  invert: HTMLButtonElement;
  count: HTMLOutputElement;
  clear: HTMLButtonElement;
  filter: HTMLInputElement;
  fold: HTMLButtonElement;
  sort: HTMLSelectElement;
  direction: HTMLButtonElement;
  size: HTMLInputElement;

  className: HTMLSelectElement;
  least: HTMLInputElement;
  most: HTMLInputElement;
  disagreement: HTMLElement;
  differing: HTMLInputElement;
  known: HTMLSelectElement;
  kind: HTMLSelectElement;
  between: HTMLElement;

  labelling: HTMLElement;
  chips: HTMLElement;
  noClasses: HTMLElement;
  given: HTMLElement;
  target: HTMLElement;
  give: HTMLSelectElement;
  accept: HTMLButtonElement;
  undo: HTMLButtonElement;
  redo: HTMLButtonElement;
  review: HTMLButtonElement;
  alike: HTMLButtonElement;
  after: HTMLSelectElement;
  note: HTMLElement;
  legend: HTMLElement;

  scroller: HTMLElement;
  marquee: HTMLElement;
  grid: HTMLElement;
  empty: HTMLElement;
  cell: HTMLTemplateElement;
}
