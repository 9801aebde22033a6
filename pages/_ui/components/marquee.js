/*
 * Selecting with a drawn rectangle: a drag with the mouse or a pen selects what the rectangle touches, with ctrl,
 * cmd or shift in addition to what is selected. Fingers scroll instead.
 */
const MARQUEE_START_PX = 6; // less is a click
const EDGE_PX = 28; // this close to the upper or lower edge the gallery scrolls along
const EDGE_STEP_PX = 14; // each frame

class Marquee {
  /** `cellsIn(left, top, right, bottom)` gives the images a rectangle touches, in pixels of the grid. */
  constructor({ scroller, grid, marquee }, store, cellsIn) {
    Object.assign(this, { scroller, grid, element: marquee, store, cellsIn });
    scroller.onpointerdown = (event) => this.down(event);
    scroller.onpointermove = (event) => this.move(event);
    scroller.onpointerup = () => this.end();
    scroller.onpointercancel = () => this.end();
  }

  down(event) {
    const { scroller } = this;
    const onScrollbar = event.clientX > scroller.getBoundingClientRect().left + scroller.clientWidth;
    if (event.pointerType === "touch" || event.button !== 0 || onScrollbar || event.target.closest(".pick")) return;
    this.pointer = [event.clientX, event.clientY];
    this.start = this.inGrid();
    this.added = event.ctrlKey || event.metaKey || event.shiftKey;
  }

  move(event) {
    if (!this.start) return;
    this.pointer = [event.clientX, event.clientY];
    if (!this.before) {
      const [x, y] = this.inGrid();
      if (Math.hypot(x - this.start[0], y - this.start[1]) < MARQUEE_START_PX) return;
      this.before = this.added ? new Set(this.store.selected) : new Set();
      this.scroller.setPointerCapture(event.pointerId); // and no click comes of it
    }
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  end() {
    cancelAnimationFrame(this.frame);
    if (this.before) this.select();
    this.element.hidden = true;
    this.start = this.before = this.frame = undefined;
  }

  /** The pointer in pixels of the grid, which scrolls. */
  inGrid() {
    const box = this.grid.getBoundingClientRect();
    return [this.pointer[0] - box.left, this.pointer[1] - box.top];
  }

  draw() {
    this.frame = undefined;
    const scrolling = this.scrollAlong();
    this.select();
    if (scrolling) this.frame = requestAnimationFrame(() => this.draw());
  }

  select() {
    const [x, y] = this.inGrid();
    const [left, right] = [Math.min(x, this.start[0]), Math.max(x, this.start[0])];
    const [top, bottom] = [Math.max(0, Math.min(y, this.start[1])), Math.min(Math.max(y, this.start[1]), this.grid.clientHeight)];
    this.element.hidden = false;
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    this.store.setSelected([...this.before, ...this.cellsIn(left, top, right, bottom)]);
  }

  scrollAlong() {
    const { scroller } = this;
    const box = scroller.getBoundingClientRect();
    const before = scroller.scrollTop;
    if (this.pointer[1] < box.top + EDGE_PX) scroller.scrollTop -= EDGE_STEP_PX;
    else if (this.pointer[1] > box.bottom - EDGE_PX) scroller.scrollTop += EDGE_STEP_PX;
    return scroller.scrollTop !== before;
  }
}
