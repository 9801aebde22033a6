/*
 * Selecting with a drawn rectangle: a drag with the mouse or a pen selects what the rectangle touches, with ctrl,
 * cmd or shift in addition to what is selected. Fingers scroll instead.
 */
/** @import { StackStore } from "../shared/store.js" */
/** @import { GalleryElements } from "./elements.js" */

const MARQUEE_START_PX = 6; // less is a click
const EDGE_PX = 28; // this close to the upper or lower edge the gallery scrolls along
const EDGE_STEP_PX = 14; // each frame

/**
 * A drag under way.
 *
 * @typedef {object} Drag
 * @property {[number, number]} pointer in pixels of the window
 * @property {[number, number]} start in pixels of the grid
 * @property {boolean} added whether what is selected stays so
 * @property {Set<number> | null} before what was selected; null while it may still be a click
 */

export class Marquee {
  /** @type {Drag | null} */
  drag = null;
  /** @type {number | undefined} */
  frame;

  /**
   * @param {GalleryElements} ref
   * @param {StackStore} store
   * @param {(left: number, top: number, right: number, bottom: number) => number[]} cellsIn the images a rectangle
   *   touches, in pixels of the grid
   */
  constructor({ scroller, grid, marquee }, store, cellsIn) {
    this.scroller = scroller;
    this.grid = grid;
    this.element = marquee;
    this.store = store;
    this.cellsIn = cellsIn;
    scroller.onpointerdown = (event) => this.down(event);
    scroller.onpointermove = (event) => this.move(event);
    scroller.onpointerup = () => this.end();
    scroller.onpointercancel = () => this.end();
  }

  /** @param {PointerEvent} event */
  down(event) {
    const { scroller } = this;
    const onScrollbar = event.clientX > scroller.getBoundingClientRect().left + scroller.clientWidth;
    const onPick = /** @type {Element} */ (event.target).closest(".pick");
    if (event.pointerType === "touch" || event.button !== 0 || onScrollbar || onPick) return;
    const added = event.ctrlKey || event.metaKey || event.shiftKey;
    this.drag = { pointer: [event.clientX, event.clientY], start: this.inGrid(event.clientX, event.clientY), added, before: null };
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { drag } = this;
    if (!drag) return;
    drag.pointer = [event.clientX, event.clientY];
    if (!drag.before) {
      const [x, y] = this.inGrid(...drag.pointer);
      if (Math.hypot(x - drag.start[0], y - drag.start[1]) < MARQUEE_START_PX) return;
      drag.before = drag.added ? new Set(this.store.selected) : new Set();
      this.scroller.setPointerCapture(event.pointerId); // and no click comes of it
    }
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  end() {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.select();
    this.element.hidden = true;
    this.drag = null;
    this.frame = undefined;
  }

  /**
   * A point of the window in pixels of the grid, which scrolls.
   *
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  inGrid(x, y) {
    const box = this.grid.getBoundingClientRect();
    return [x - box.left, y - box.top];
  }

  draw() {
    this.frame = undefined;
    const scrolling = this.scrollAlong();
    this.select();
    if (scrolling) this.frame = requestAnimationFrame(() => this.draw());
  }

  select() {
    if (!this.drag?.before) return;
    const { before, pointer, start } = this.drag;
    const [x, y] = this.inGrid(...pointer);
    const [left, right] = [Math.min(x, start[0]), Math.max(x, start[0])];
    const [top, bottom] = [Math.max(0, Math.min(y, start[1])), Math.min(Math.max(y, start[1]), this.grid.clientHeight)];
    this.element.hidden = false;
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    this.store.setSelected([...before, ...this.cellsIn(left, top, right, bottom)]);
  }

  scrollAlong() {
    const { scroller, drag } = this;
    if (!drag) return false;
    const box = scroller.getBoundingClientRect();
    const before = scroller.scrollTop;
    if (drag.pointer[1] < box.top + EDGE_PX) scroller.scrollTop -= EDGE_STEP_PX;
    else if (drag.pointer[1] > box.bottom - EDGE_PX) scroller.scrollTop += EDGE_STEP_PX;
    return scroller.scrollTop !== before;
  }
}
