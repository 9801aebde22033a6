import type { GalleryElements } from "../gallery/elements.js";
import type { ViewerElements } from "../stack_viewer/elements.js";

/** The elements of workspace.html, by the names in their `data-ref`, with those of viewer and gallery in it. */
export interface WorkspaceElements extends ViewerElements, GalleryElements {
  gallerySide: HTMLElement;
  closeGallery: HTMLButtonElement;
  galleryToggle: HTMLButtonElement;
  splitter: HTMLElement;

  centre: HTMLElement;
  film: HTMLElement;
  reel: HTMLElement;

  answerSide: HTMLElement;
  closeAnswer: HTMLButtonElement;
  answerToggle: HTMLButtonElement;
  back: HTMLButtonElement;
  forth: HTMLButtonElement;
  verdict: HTMLElement;
  best: HTMLElement;
  looked: HTMLElement;
  summary: HTMLButtonElement;
  said: HTMLElement;
  what: HTMLElement;

  hints: HTMLElement;
  closeHints: HTMLButtonElement;

  toolsSide: HTMLElement;
  closeTools: HTMLButtonElement;
  toolsToggle: HTMLButtonElement;
  filmTools: HTMLElement;
}
