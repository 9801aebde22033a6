/* The value under the pointer: its place in the image and what the file holds there. */

/** @import { ViewerElements } from "./elements.js" */
/** @import { Samples } from "./samples.js" */
/** @import { Stage } from "./stage.js" */

export class Probe {
  listeners = new AbortController();
  /** @type {[number, number] | null} */
  point = null;

  /**
   * @param {ViewerElements} ref
   * @param {Stage} stage
   */
  constructor(ref, stage) {
    this.ref = ref;
    this.stage = stage;
    const { signal } = this.listeners;
    ref.stage.addEventListener("pointermove", (event) => this.moved(event), { signal });
    ref.stage.addEventListener("pointerleave", () => this.left(), { signal });
  }

  remove() {
    this.listeners.abort();
    this.ref.probe.hidden = true;
  }

  /** @param {PointerEvent} event */
  moved(event) {
    if (event.pointerType === "touch") return; // a finger covers what it points at
    this.point = [event.clientX, event.clientY];
    this.stage.useValues("pointer", true);
    this.show();
  }

  left() {
    this.point = null;
    this.stage.useValues("pointer", false);
    this.show();
  }

  show() {
    const { probe } = this.ref;
    const text = this.point ? this.text(this.point) : "";
    probe.hidden = text === "";
    probe.textContent = text;
  }

  /** @param {[number, number]} point */
  text(point) {
    const { stage } = this;
    const { samples } = stage.values;
    const [x, y] = stage.viewport.imagePoint(...stage.gestures.fromCentre(...point)).map(Math.floor);
    const values = samples?.at(x, y);
    return samples && values ? `x ${x}, y ${y}: ${this.name(values, samples)}` : "";
  }

  /**
   * @param {number[]} values
   * @param {Samples} samples
   */
  name(values, { colours, hasAlpha, isFloat, unit }) {
    const colour = values.slice(0, colours).map((value) => (isFloat ? Number(value.toPrecision(7)) : value));
    const alpha = hasAlpha ? ` (alpha ${values[colours]})` : "";
    return colours === 1 ? `${colour[0]}${unit && ` ${unit}`}${alpha}` : `RGB ${colour.join(" ")}${alpha}`;
  }
}
