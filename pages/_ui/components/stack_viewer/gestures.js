/*
 * Pointer, touch and wheel on the stage: wheel zooms at the pointer, a drag pans, two fingers pinch, a swipe
 * across a fitted image moves through the stack, a double click changes between fit and 1:1.
 */
import { clamp } from "../shared/numbers.js";

/** @import { Viewport } from "./viewport.js" */
/** @typedef {{ x: number, y: number }} Point */

/**
 * What gestures act on; x, y are measured from the stage's centre.
 *
 * @typedef {object} GestureHost
 * @property {(scale: number, x: number, y: number) => void} zoomAt
 * @property {(dx: number, dy: number) => void} panBy
 * @property {(by: number) => void} step
 * @property {(x: number, y: number) => void} toggleFit
 */

const SWIPE_PX = 40;
const DRAG_PX = 8; // less may still be a tap
const WHEEL_RATE = 0.0015; // natural logarithm of the zoom for each pixel of wheel travel

/** @param {Event} event */
const onButton = (event) => /** @type {Element} */ (event.target).closest("button") !== null;

export class Gestures {
  /** @type {Map<number, Point>} */
  pointers = new Map();
  start = { x: 0, y: 0, single: true };

  /**
   * @param {HTMLElement} stage
   * @param {Viewport} viewport
   * @param {GestureHost} host
   */
  constructor(stage, viewport, host) {
    this.stage = stage;
    this.viewport = viewport;
    this.host = host;
    stage.onwheel = (event) => this.wheel(event);
    stage.onpointerdown = (event) => this.down(event);
    stage.onpointermove = (event) => this.move(event);
    stage.onpointerup = (event) => this.up(event);
    stage.onpointercancel = (event) => this.cancel(event);
    // Not left to touch-action alone: Chromium would let what it must not scroll fling on, and the next tap only stops that.
    stage.addEventListener("touchmove", (event) => this.isOurs() && event.cancelable && event.preventDefault(), { passive: false });
    stage.ondblclick = (event) => {
      if (!onButton(event)) host.toggleFit(...this.fromCentre(event.clientX, event.clientY));
    };
  }

  /**
   * @param {number} clientX
   * @param {number} clientY
   * @returns {[number, number]}
   */
  fromCentre(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    // The image may be there more than once, side by side: the centre of the one under the pointer counts.
    const panes = Math.max(1, Math.round(box.width / this.viewport.stage.width));
    const width = box.width / panes;
    const pane = clamp(Math.floor((clientX - box.left) / width), 0, panes - 1);
    return [clientX - box.left - (pane + 0.5) * width, clientY - box.top - box.height / 2];
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1);
    const rate = event.ctrlKey ? WHEEL_RATE * 6 : WHEEL_RATE; // a trackpad pinch arrives as small ctrl-wheel steps
    const factor = Math.exp(-clamp(pixels, -300, 300) * rate);
    this.host.zoomAt(this.viewport.scale * factor, ...this.fromCentre(event.clientX, event.clientY));
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (onButton(event) || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 1) this.start = { x: event.clientX, y: event.clientY, single: true };
    else this.start.single = false;
  }

  /** @param {PointerEvent} event */
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

  /** Whether the fingers do what the stage answers, and not the page, which scrolls where a finger moves up or down. */
  isOurs() {
    if (this.pointers.size !== 1) return this.pointers.size > 1;
    const [{ x, y }] = this.pointers.values();
    const [dx, dy] = [Math.abs(x - this.start.x), Math.abs(y - this.start.y)];
    return Math.max(dx, dy) > DRAG_PX && (this.viewport.pannable || dx > dy);
  }

  /**
   * @param {Point} before
   * @param {Point} now
   * @param {Point} other
   */
  pinch(before, now, other) {
    const spread = (/** @type {Point} */ point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    const centre = this.fromCentre((now.x + other.x) / 2, (now.y + other.y) / 2);
    this.host.zoomAt((this.viewport.scale * spread(now)) / spread(before), ...centre);
    this.host.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  /** @param {PointerEvent} event */
  up(event) {
    const touched = this.pointers.has(event.pointerId);
    this.cancel(event);
    if (!touched || this.pointers.size > 0 || event.pointerType === "mouse" || !this.start.single) return;
    const dx = event.clientX - this.start.x;
    const dy = event.clientY - this.start.y;
    const swiped = Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 1.5 * Math.abs(dy);
    if (swiped && !this.viewport.pannable) this.host.step(dx < 0 ? 1 : -1);
  }

  /** @param {PointerEvent} event */
  cancel(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) delete this.stage.dataset.dragging;
  }
}
