/*
 * Pointer, touch and wheel on the stage: wheel zooms at the pointer, a drag pans, two fingers pinch, a swipe
 * across a fitted image moves through the stack, a double click changes between fit and 1:1.
 */
const SWIPE_PX = 40;
const WHEEL_RATE = 0.0015; // natural logarithm of the zoom for each pixel of wheel travel

class Gestures {
  /** `host` has zoomAt(scale, x, y), panBy(dx, dy), step(by), toggleFit(x, y); x, y from the stage's centre. */
  constructor(stage, viewport, host) {
    Object.assign(this, { stage, viewport, host });
    this.pointers = new Map();
    stage.onwheel = (event) => this.wheel(event);
    stage.onpointerdown = (event) => this.down(event);
    stage.onpointermove = (event) => this.move(event);
    stage.onpointerup = (event) => this.up(event);
    stage.onpointercancel = (event) => this.cancel(event);
    stage.ondblclick = (event) => {
      if (!event.target.closest("button")) host.toggleFit(...this.fromCentre(event.clientX, event.clientY));
    };
  }

  fromCentre(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    return [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
  }

  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1);
    const rate = event.ctrlKey ? WHEEL_RATE * 6 : WHEEL_RATE; // a trackpad pinch arrives as small ctrl-wheel steps
    const factor = Math.exp(-clamp(pixels, -300, 300) * rate);
    this.host.zoomAt(this.viewport.scale * factor, ...this.fromCentre(event.clientX, event.clientY));
  }

  down(event) {
    if (event.target.closest("button") || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 1) this.start = { x: event.clientX, y: event.clientY, single: true };
    else this.start.single = false;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) this.pinch(before, now, other);
    else if (this.viewport.pannable) {
      this.stage.dataset.dragging = "";
      this.host.panBy(now.x - before.x, now.y - before.y);
    }
  }

  pinch(before, now, other) {
    const spread = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    const centre = this.fromCentre((now.x + other.x) / 2, (now.y + other.y) / 2);
    this.host.zoomAt((this.viewport.scale * spread(now)) / spread(before), ...centre);
    this.host.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  up(event) {
    const touched = this.pointers.has(event.pointerId);
    this.cancel(event);
    if (!touched || this.pointers.size > 0 || event.pointerType === "mouse" || !this.start.single) return;
    const dx = event.clientX - this.start.x;
    const dy = event.clientY - this.start.y;
    const swiped = Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 1.5 * Math.abs(dy);
    if (swiped && !this.viewport.pannable) this.host.step(dx < 0 ? 1 : -1);
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) delete this.stage.dataset.dragging;
  }
}
