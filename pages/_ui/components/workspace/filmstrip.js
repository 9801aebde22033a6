/*
 * The filmstrip: one row of thumbnails of the images that the gallery shows, in its order; only those in view are in the page.
 */
import { resolveUrl } from "../shared/addresses.js";
import { caption, showBand } from "../shared/answers.js";
import { textElement } from "../shared/format.js";
import { onLongPress } from "../shared/long_press.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { WorkspaceElements } from "./elements.js" */

const OVERSCAN = 4; // frames beyond either edge

export class Filmstrip {
  /** @type {Map<number, HTMLElement>} the frames in the page, by the position of their image */
  frames = new Map();
  listeners = new AbortController();
  /** @type {number | undefined} */
  frame;

  /**
   * @param {WorkspaceElements} ref
   * @param {StackStore} store
   * @param {() => number[]} shown positions of the images in the gallery, in order
   */
  constructor(ref, store, shown) {
    this.ref = ref;
    this.store = store;
    this.shown = shown;
    ref.reel.replaceChildren();
    const { signal } = this.listeners;
    for (const type of ["selection", "results", "index", "teaching"]) {
      store.addEventListener(type, () => this.refresh(), { signal });
    }
    store.addEventListener("current", () => this.follow(), { signal });
    store.addEventListener("arranged", () => this.show(), { signal });
    ref.film.addEventListener("scroll", () => this.soon(), { signal });
    this.resizeObserver = new ResizeObserver(() => this.follow());
    this.resizeObserver.observe(ref.film);
  }

  remove() {
    this.listeners.abort();
    this.resizeObserver.disconnect();
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.render();
    });
  }

  /** Width of a frame and the gap after it, in CSS pixels: frames are square, as high as the strip. */
  get pitch() {
    return this.ref.reel.clientHeight;
  }

  /** The gallery shows others, or in another order. */
  show() {
    for (const frame of this.frames.values()) frame.remove();
    this.frames.clear();
    this.follow();
  }

  /** The current image is another one: bring it to the middle. */
  follow() {
    const { film, reel } = this.ref;
    if (!film.clientWidth) return; // hidden: measured once it is shown
    const { pitch } = this;
    reel.style.width = `${this.shown().length * pitch}px`;
    const place = this.shown().indexOf(this.store.current);
    if (place >= 0) film.scrollLeft = (place + 0.5) * pitch - film.clientWidth / 2;
    this.render();
    this.refresh();
  }

  render() {
    const { film, reel } = this.ref;
    const { pitch } = this;
    if (!film.clientWidth || !pitch) return;
    const first = Math.max(0, Math.floor(film.scrollLeft / pitch) - OVERSCAN);
    const last = Math.ceil((film.scrollLeft + film.clientWidth) / pitch) + OVERSCAN;
    const visible = this.shown().slice(first, last);
    const wanted = new Set(visible);
    for (const [index, frame] of [...this.frames]) {
      if (wanted.has(index)) continue;
      frame.remove();
      this.frames.delete(index);
    }
    visible.forEach((index, offset) => {
      let frame = this.frames.get(index);
      if (!frame) {
        frame = this.make(index);
        this.frames.set(index, frame);
        reel.append(frame);
        this.refreshFrame(index, frame);
      }
      frame.style.transform = `translateX(${(first + offset) * pitch}px)`;
    });
  }

  /** @param {number} index */
  make(index) {
    const { store } = this;
    const item = textElement("div", "frame", "");
    item.setAttribute("role", "listitem");
    const button = document.createElement("button");
    button.tabIndex = -1; // the keys of the viewer move through the stack
    button.onclick = () => store.setCurrent(index);
    onLongPress(button, () => store.toggle(index));
    const image = document.createElement("img");
    image.alt = "";
    image.draggable = false;
    image.decoding = "async";
    image.onerror = () => item.classList.add("lacking");
    image.src = resolveUrl(store.thumbnailUrl, { index });
    button.append(image);
    item.append(button);
    return item;
  }

  refresh() {
    for (const [index, frame] of this.frames) this.refreshFrame(index, frame);
  }

  /**
   * @param {number} index
   * @param {HTMLElement} frame
   */
  refreshFrame(index, frame) {
    const { store } = this;
    const [leading] = store.answers.get(index) ?? [];
    const button = /** @type {HTMLElement} */ (frame.firstElementChild);
    const selected = store.selected.has(index);
    const said = leading ? `, ${caption(leading)}` : "";
    frame.classList.toggle("selected", selected);
    showBand(frame, leading);
    if (index === store.current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.title = store.name(index);
    button.setAttribute("aria-label", `Show image ${index + 1}${said}${selected ? ", selected" : ""}`);
  }
}
