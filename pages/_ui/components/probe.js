/* The value under the pointer: its place in the image and what the file holds there. */
class Probe {
  constructor(ref, stage) {
    Object.assign(this, { ref, stage });
    this.listeners = new AbortController();
    const on = (type, handler) => ref.stage.addEventListener(type, handler, { signal: this.listeners.signal });
    on("pointermove", (event) => this.moved(event));
    on("pointerleave", () => this.left());
  }

  remove() {
    this.listeners.abort();
    this.ref.probe.hidden = true;
  }

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
    const text = this.point ? this.text() : "";
    probe.hidden = text === "";
    probe.textContent = text;
  }

  text() {
    const { stage } = this;
    const { samples } = stage.values;
    const [x, y] = stage.viewport.imagePoint(...stage.gestures.fromCentre(...this.point)).map(Math.floor);
    const values = samples?.at(x, y);
    return values ? `x ${x}, y ${y}: ${this.name(values, samples)}` : "";
  }

  name(values, { colours, hasAlpha }) {
    const colour = values.slice(0, colours);
    const alpha = hasAlpha ? ` (alpha ${values[colours]})` : "";
    return colours === 1 ? `${colour[0]}${alpha}` : `RGB ${colour.join(" ")}${alpha}`;
  }
}
