/*
 * Window and level: which values are shown from black to white. Kept for each type of values apart, since a
 * number means something else in each. Without a window an image is shown as the browser decodes it.
 */

/** @import { Samples } from "./samples.js" */

export class Windowing {
  /** @type {Map<number, [number, number]>} highest value of the images -> [low, high] */
  windows = new Map();
  inverted = false;
  /** @type {HTMLCanvasElement | undefined} */
  canvas;
  /** @type {Samples | undefined} what is on the canvas, and how */
  samples;
  rendered = "";

  reset() {
    this.windows.clear();
    this.inverted = false;
  }

  /** A window of its own that begins as this one is. */
  copy() {
    const copy = new Windowing();
    copy.restore(this.state);
    return copy;
  }

  /** What {@link restore} takes. */
  get state() {
    return { windows: [...this.windows], inverted: this.inverted };
  }

  /**
   * The windows as they were; anything that makes no sense is left out.
   *
   * @param {unknown} state
   */
  restore(state) {
    const { windows = [], inverted = false } = /** @type {Partial<Windowing["state"]>} */ (state ?? {});
    this.inverted = inverted === true;
    this.windows = new Map();
    for (const pair of Array.isArray(windows) ? windows : []) {
      const [max, range] = Array.isArray(pair) ? pair : [];
      const [low, high] = Array.isArray(range) ? range : [NaN, NaN];
      if ([max, low, high].every(Number.isFinite) && low < high) this.windows.set(Number(max), [low, high]);
    }
  }

  /**
   * Whether images of this highest value are shown otherwise than as they are.
   *
   * @param {number} max
   */
  isActive(max) {
    return this.inverted || this.windows.has(max);
  }

  /**
   * The values shown black and white.
   *
   * @param {Samples} samples
   */
  range(samples) {
    return this.windows.get(samples.max) ?? samples.windows[0] ?? samples.stackRange ?? samples.range;
  }

  /**
   * @param {Samples} samples
   * @param {number} low
   * @param {number} high
   */
  setRange(samples, low, high) {
    this.windows.set(samples.max, [low, high]);
  }

  /**
   * Images like this one are shown as they are again, each in its own window.
   *
   * @param {Samples} samples
   */
  resetRange(samples) {
    this.windows.delete(samples.max);
  }

  /**
   * The image with its window applied, as something to draw; kept until the image or the window is another.
   *
   * @param {Samples} samples
   */
  render(samples) {
    const [low, high] = this.range(samples);
    const inverted = this.inverted !== samples.inverted;
    const wanted = [low, high, inverted].join();
    this.canvas ??= document.createElement("canvas");
    if (this.samples !== samples || this.rendered !== wanted) {
      samples.render(this.canvas, this.levels(samples.lastStep, samples.stepOf(low), samples.stepOf(high), inverted));
      this.samples = samples;
      this.rendered = wanted;
    }
    return this.canvas;
  }

  /**
   * The brightness of each step from 0 to `max`.
   *
   * @param {number} max
   * @param {number} low
   * @param {number} high
   * @param {boolean} [inverted]
   */
  levels(max, low, high, inverted = this.inverted) {
    const levels = new Uint8ClampedArray(max + 1);
    for (let value = 0; value <= max; value += 1) levels[value] = ((value - low) * 255) / (high - low);
    return inverted ? levels.map((level) => 255 - level) : levels;
  }
}
