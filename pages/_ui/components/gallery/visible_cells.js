/* The cells of the gallery that are in the page: those in view, used again for others when they scroll out of it. */
import { focusedIn } from "../shared/elements.js";
import { Cell } from "./cell.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { CellHost } from "./cell.js" */
/** @import { GalleryElements } from "./elements.js" */
/** @import { GridLayout } from "./grid_layout.js" */

const OVERSCAN_ROWS = 1;
const FAST_ROWS = 4; // rows passed in one frame from which thumbnails wait until the scrolling settles
const SETTLE_MS = 90;

export class VisibleCells {
  /** @type {Map<number, Cell>} those on show, by the position of their image */
  cells = new Map();
  /** @type {Cell[]} */
  spare = [];
  /** @type {number | undefined} */
  firstRow;
  /** @type {number | undefined} */
  frame;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settleTimer;

  /**
   * @param {GalleryElements} ref
   * @param {StackStore} store
   * @param {GridLayout} grid
   * @param {CellHost & { shown: number[], placeOf: Map<number, number> }} gallery
   */
  constructor(ref, store, grid, gallery) {
    this.ref = ref;
    this.store = store;
    this.grid = grid;
    this.gallery = gallery;
    ref.grid.replaceChildren();
    ref.scroller.onscroll = () => {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = undefined;
        this.render();
      });
    };
  }

  remove() {
    clearTimeout(this.settleTimer);
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
  }

  /** Put the cells in view in the page and take the others out. */
  render() {
    const { shown, placeOf } = this.gallery;
    const { columns, rowHeight } = this.grid;
    if (!columns) return;
    const { scrollTop, clientHeight } = this.ref.scroller;
    const firstRow = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN_ROWS);
    const lastRow = Math.floor((scrollTop + clientHeight) / rowHeight) + OVERSCAN_ROWS;
    const fast = Math.abs(firstRow - (this.firstRow ?? firstRow)) > FAST_ROWS;
    this.firstRow = firstRow;
    const visible = new Set(shown.slice(firstRow * columns, (lastRow + 1) * columns));
    if (placeOf.has(this.store.current) && this.hasFocus(this.store.current)) visible.add(this.store.current);
    this.keepOnly((index) => visible.has(index));
    for (const index of visible) {
      const cell = this.cells.get(index) ?? this.take(index);
      const place = placeOf.get(index) ?? 0;
      cell.place(place, shown.length, ...this.grid.position(place));
      if (!fast) cell.load();
    }
    this.updateTabStop();
    clearTimeout(this.settleTimer);
    if (fast) this.settleTimer = setTimeout(() => this.render(), SETTLE_MS);
  }

  /** @param {number} index */
  take(index) {
    const cell = this.spare.pop() ?? new Cell(this.newElement(), this.gallery);
    this.cells.set(index, cell);
    cell.show(index);
    this.ref.grid.append(cell.element);
    return cell;
  }

  newElement() {
    return /** @type {HTMLElement} */ (this.ref.cell.content.firstElementChild?.cloneNode(true));
  }

  /** @param {(index: number) => boolean} wanted */
  keepOnly(wanted) {
    for (const [index, cell] of [...this.cells]) {
      if (wanted(index)) continue;
      this.cells.delete(index);
      cell.element.remove();
      this.spare.push(cell);
    }
  }

  refresh() {
    for (const cell of this.cells.values()) cell.refresh();
  }

  refreshCurrent() {
    for (const cell of this.cells.values()) cell.refreshCurrent();
    this.updateTabStop();
  }

  /** @param {number} index */
  focus(index) {
    this.cells.get(index)?.open.focus({ preventScroll: true });
  }

  /** @param {number} index */
  hasFocus(index) {
    return Boolean(this.cells.get(index)?.element.contains(focusedIn(this.ref.grid)));
  }

  /** One cell takes the Tab key: the current image, or the first on show. */
  updateTabStop() {
    const stop = this.cells.has(this.store.current) ? this.store.current : Math.min(...this.cells.keys());
    for (const [index, cell] of this.cells) cell.open.tabIndex = index === stop ? 0 : -1;
  }
}
