/*
 * The gallery: a grid of thumbnails, with what filters, sorts and selects them. The cell of the store's current image
 * holds the keyboard focus and follows the viewer.
 */
import { elementsOf, focusedIn } from "../shared/elements.js";
import { showFill } from "../shared/format.js";
import { linkedArrangement } from "../shared/link.js";
import { mount } from "../shared/mount.js";
import { clamp } from "../shared/numbers.js";
import { keepPreference, readPreference } from "../shared/preferences.js";
import { arrange } from "./arrangement.js";
import { ArrangementControls } from "./arrangement_controls.js";
import { GAP, GridLayout } from "./grid_layout.js";
import { LabelBar } from "./label_bar.js";
import { Marquee } from "./marquee.js";
import { VisibleCells } from "./visible_cells.js";

/** @import { Press } from "../shared/keys.js" */
/** @import { ViewData } from "../shared/contract.js" */
/** @import { Component, Mounting } from "../shared/mount.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { GalleryElements } from "./elements.js" */

const NARROW_PX = 520; // up to which the controls that filter and sort unfold

/** @implements {Component} */
export class Gallery {
  isViewer = false;
  /** @type {Component["report"]} */
  report = null;
  grid = new GridLayout();
  /** @type {number[]} the images on show, in order */
  shown = [];
  filtered = false;
  remembers = false; // whether what it filters and sorts by is found again
  reserved = false; // whether captions have room for answers before there are any
  /** @type {Map<number, number>} image -> its place among those on show */
  placeOf = new Map();
  count = 0;
  settled = false;
  listeners = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {StackStore} store
   * @param {HTMLElement} [frame] where its elements are
   */
  constructor(root, store, frame = root) {
    this.root = root;
    this.store = store;
    this.ref = /** @type {GalleryElements} */ (elementsOf(frame));
    this.cells = new VisibleCells(this.ref, store, this.grid, this);
    this.ref.size.value = readPreference("thumbnail-size", this.ref.size.value);
    this.controls = new ArrangementControls(this.ref, store, () => {
      this.arrange();
      if (this.remembers) store.keepArrangement(this.controls.arrangement);
    });
    this.labelBar = new LabelBar(root, this.ref, store);
    store.teaching.shown = () => this.shown;
    this.marquee = new Marquee(this.ref, store, (...box) => this.grid.touched(this.shown, ...box));
    this.arrange();
    this.bindControls();
    const { signal } = this.listeners;
    store.addEventListener("current", () => this.follow(), { signal });
    store.addEventListener("selection", () => this.refresh(), { signal });
    for (const type of ["current", "selection", "teaching"]) {
      store.addEventListener(type, () => this.labelBar.show(), { signal });
    }
    store.addEventListener("results", () => this.answered(), { signal });
    const indexed = () => {
      this.arrange();
      this.reveal();
    };
    store.addEventListener("index", indexed, { signal });
    this.resizeObserver = new ResizeObserver(() => {
      this.layout();
      this.settle();
    });
    this.resizeObserver.observe(this.ref.scroller);
  }

  /** Filter and sort as the page's address says, else as before; and keep both in step from now on. */
  remember() {
    const { store, controls } = this;
    this.remembers = true;
    const follow = () => {
      const wanted = linkedArrangement(store.tag);
      if (wanted) store.arrangement = wanted;
      controls.restore(store.arrangement ?? {});
      this.arrange();
    };
    window.addEventListener("popstate", follow, { signal: this.listeners.signal });
    follow();
  }

  /** @param {ViewData} data */
  configure({ height }) {
    this.ref.scroller.style.setProperty("--scroller-height", `${height}px`);
    if (this.count !== this.store.count) this.arrange();
    this.labelBar.show();
    this.layout();
    this.settle();
  }

  /** Show the current image once there is room; later only when it changes: people scroll where they like. */
  settle() {
    if (this.settled || this.ref.scroller.clientHeight < this.grid.rowHeight) return;
    this.reveal();
    this.settled = true;
  }

  remove() {
    this.listeners.abort();
    this.resizeObserver.disconnect();
    this.cells.remove();
  }

  bindControls() {
    const { ref, store } = this;
    ref.all.onclick = () => store.setSelected([...(this.filtered ? store.selected : []), ...this.shown]);
    ref.none.onclick = () => store.setSelected([]);
    ref.invert.onclick = () => store.invert(this.shown);
    ref.fold.onclick = () => {
      const unfolded = this.root.classList.toggle("unfolded");
      ref.fold.setAttribute("aria-expanded", String(unfolded));
    };
    ref.size.oninput = () => {
      keepPreference("thumbnail-size", ref.size.value);
      this.layout();
    };
  }

  /** Results have come or gone: captions and classes are others, and where answers filter or sort, so is the order. */
  answered() {
    this.controls.showClasses();
    const { shown, filtered } = arrange(this.store, this.controls.wish);
    if (filtered !== this.filtered || shown.join() !== this.shown.join()) {
      this.arrange();
      if (this.store.teaching.on) this.reveal();
    }
    this.layout();
    this.refresh();
  }

  /** Work out which images are shown, and in which order. */
  arrange() {
    const { ref, store } = this;
    this.count = store.count;
    const { shown, filtered } = arrange(store, this.controls.wish);
    this.shown = shown;
    this.filtered = filtered;
    ref.clear.hidden = !filtered;
    this.placeOf = new Map(this.shown.map((index, place) => [index, place]));
    ref.all.textContent = filtered ? "All matching" : "All";
    ref.empty.hidden = this.shown.length > 0;
    ref.empty.textContent = filtered ? "No image matches the filters." : "There are no images.";
    this.cells.keepOnly((index) => this.placeOf.has(index));
    store.emit("arranged");
    this.layout();
    ref.scroller.scrollTop = 0; // whoever sorts or filters wants to see what comes first
    this.cells.render();
    this.refresh();
  }

  /** Work out columns and rows; what stands at the top stays there. */
  layout() {
    const { grid, scroller, size } = this.ref;
    if (!this.root.clientWidth) return; // hidden: measured once it is shown
    this.root.classList.toggle("narrow", this.root.clientWidth <= NARROW_PX);
    const width = grid.clientWidth;
    const topPlace = Math.round(scroller.scrollTop / this.grid.rowHeight) * this.grid.columns;
    const answered = this.store.answers.size > 0;
    this.root.classList.toggle("answered", answered);
    showFill(size);
    this.grid.labelled = this.store.teaching.on;
    const moved = this.grid.fit(width, Number(size.value), answered || this.reserved);
    grid.style.height = `${this.grid.height(this.shown.length)}px`;
    grid.style.setProperty("--cell-width", `${this.grid.cellWidth}px`);
    grid.style.setProperty("--cell-height", `${this.grid.cellHeight}px`);
    if (moved) [, scroller.scrollTop] = this.grid.position(topPlace);
    this.cells.render();
  }

  refresh() {
    this.cells.refresh();
    const { selected, count } = this.store;
    const shown = this.filtered ? `, ${this.shown.length.toLocaleString()} shown` : "";
    this.ref.count.textContent = `${selected.size.toLocaleString()} of ${count.toLocaleString()} selected${shown}`;
    this.ref.none.disabled = selected.size === 0;
  }

  /** The current image is another one: bring its cell into view, and the focus with it if it was in the grid. */
  follow() {
    const focused = this.ref.grid.contains(focusedIn(this.root));
    this.reveal();
    this.cells.refreshCurrent();
    if (focused) this.cells.focus(this.store.current);
  }

  reveal() {
    const place = this.placeOf.get(this.store.current);
    const { scroller } = this.ref;
    if (place === undefined || !this.grid.columns || !scroller.clientHeight) return;
    const [, top] = this.grid.position(place);
    const bottom = top + this.grid.rowHeight + GAP; // with the padding above and below the grid, which is as wide as a gap
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
    this.cells.render();
  }

  /**
   * A click on an image: plain opens it, shift selects up to it, ctrl or cmd selects it as well.
   *
   * @param {number} index
   * @param {MouseEvent} event
   */
  clicked(index, { shiftKey, ctrlKey, metaKey }) {
    if (shiftKey) this.selectTo(index);
    else if (ctrlKey || metaKey) this.store.toggle(index);
    else this.store.anchor = index;
    this.store.setCurrent(index);
  }

  /**
   * @param {number} index
   * @param {boolean} on
   * @param {boolean} shiftKey
   */
  picked(index, on, shiftKey) {
    if (shiftKey) this.selectTo(index);
    else this.store.toggle(index, on);
    this.refresh();
  }

  /** @param {number} index */
  selectTo(index) {
    const from = this.placeOf.get(this.store.anchor) ?? this.placeOf.get(this.store.current) ?? 0;
    const to = this.placeOf.get(index) ?? from;
    this.store.extend(this.shown.slice(Math.min(from, to), Math.max(from, to) + 1));
  }

  /**
   * True when the key was used here. Arrows move through the images on show, not through the whole stack.
   *
   * @param {Press} event
   * @param {HTMLElement} target
   */
  onKey(event, target) {
    const { store, ref } = this;
    const { columns, rowHeight } = this.grid;
    if (store.teaching.onKey(event, target)) return true;
    const inGrid = ref.grid.contains(target);
    const rows = Math.max(1, Math.floor(ref.scroller.clientHeight / rowHeight));
    /** @type {Record<string, number>} */
    const moves = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
      PageUp: -rows * columns, PageDown: rows * columns, Home: -Infinity, End: Infinity,
    };
    if (event.key in moves) {
      if (inGrid) this.move(moves[event.key], event.shiftKey);
      return inGrid;
    }
    /** @type {Record<string, () => void>} */
    const actions = { a: () => ref.all.click(), i: () => ref.invert.click(), x: () => store.toggle(store.current) };
    if (inGrid) actions[" "] = actions.x;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action && !event.repeat) action();
    return Boolean(action);
  }

  /**
   * @param {number} by
   * @param {boolean} extend
   */
  move(by, extend) {
    if (!this.shown.length) return;
    const place = this.placeOf.get(this.store.current);
    const last = this.shown.length - 1;
    let target = place === undefined ? 0 : place + by;
    if (Math.abs(by) === this.grid.columns && (target < 0 || target > last)) return; // no row there
    target = clamp(target, 0, last);
    if (extend) this.selectTo(this.shown[target]);
    else this.store.anchor = this.shown[target];
    this.store.setCurrent(this.shown[target]);
    this.cells.focus(this.shown[target]);
  }
}

export default (/** @type {Mounting<ViewData>} */ mounting) => mount(Gallery, mounting);
