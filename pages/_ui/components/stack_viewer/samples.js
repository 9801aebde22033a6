/*
 * The values of an image as they are in its file, for exact numbers and for windowing. They come from the API's `values`
 * route, whose headers tell their shape and type. Brightness is looked up by steps: of 8 and unsigned 16 bits each value
 * is one; of all other types there are 65,536 of them from the lowest value to the highest.
 */

/** @import { PixelKind } from "../shared/contract.js" */

const AUTO_CLIPPED = 0.005; // of the values, cut off at either end by an automatic window
const STEPS = 65536;

/** @typedef {Uint8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array} SampleArray */

/**
 * What the API calls each type, and the highest value it can have, by which images of one kind share a window.
 *
 * @type {Record<string, [new (buffer: ArrayBuffer) => SampleArray, number]>}
 */
const TYPES = {
  uint8: [Uint8Array, 255],
  uint16: [Uint16Array, 65535],
  int16: [Int16Array, 32767],
  uint32: [Uint32Array, 4294967295],
  int32: [Int32Array, 2147483647],
  float32: [Float32Array, 3.4028234663852886e38],
  float64: [Float64Array, Number.MAX_VALUE],
};

export class Samples {
  /** @type {Uint32Array | undefined} */
  counts;
  /** @type {[number, number] | undefined} */
  ownRange;
  /** @type {Uint8Array | Uint16Array | undefined} */
  ownSteps;
  /** @type {[number, number][]} the windows that the file offers; it is shown in the first */
  windows = [];
  /** @type {[number, number] | undefined} that of the whole stack, where images are scaled by it */
  stackRange;
  inverted = false;
  unit = "";

  /**
   * @param {SampleArray} data rows of pixels, their channels together
   * @param {number[]} shape height, width, channels
   */
  constructor(data, [height, width, channels]) {
    this.data = data;
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.max = Object.values(TYPES).find(([type]) => data instanceof type)?.[1] ?? 255;
    this.isFloat = data instanceof Float32Array || data instanceof Float64Array;
    this.lastStep = this.max === 255 ? 255 : STEPS - 1;
    this.hasAlpha = channels === 2 || channels === 4;
    this.colours = this.hasAlpha ? channels - 1 : channels;
  }

  /** @param {Response} response */
  static async from(response) {
    const shape = String(response.headers.get("X-Image-Shape")).split(",").map(Number);
    const [type] = TYPES[String(response.headers.get("X-Image-Dtype"))] ?? TYPES.uint8;
    return new Samples(new type(await response.arrayBuffer()), shape);
  }

  /**
   * Take what the file itself says of how its values are shown.
   *
   * @param {PixelKind} kind
   */
  describe({ windows, inverted, unit, range }) {
    this.stackRange = range ? [range.low, range.high] : undefined;
    this.windows = (windows ?? []).map(({ low, high }) => [low, high]);
    this.inverted = Boolean(inverted);
    this.unit = unit ?? "";
  }

  /** The step of each value. */
  get steps() {
    if (this.data instanceof Uint8Array || this.data instanceof Uint16Array) return this.data;
    if (this.ownSteps) return this.ownSteps;
    const { data } = this;
    const [low, high] = this.range;
    const perValue = (STEPS - 1) / (high - low);
    this.ownSteps = new Uint16Array(data.length);
    for (let place = 0; place < data.length; place += 1) {
      const step = (data[place] - low) * perValue; // of infinity, and of what is no number, too
      this.ownSteps[place] = step > 0 ? Math.min(step + 0.5, STEPS - 1) : 0;
    }
    return this.ownSteps;
  }

  /**
   * Where a value is among the steps; not only at whole ones, and beyond them too.
   *
   * @param {number} value
   */
  stepOf(value) {
    if (this.steps === this.data) return value;
    const [low, high] = this.range;
    return ((value - low) * (STEPS - 1)) / (high - low);
  }

  /** @param {number} step */
  valueOf(step) {
    if (this.steps === this.data) return step;
    const [low, high] = this.range;
    return low + (step * (high - low)) / (STEPS - 1);
  }

  /** The smallest difference that a person can ask for: a half between whole numbers. */
  get finest() {
    return this.isFloat ? (this.range[1] - this.range[0]) / 1000 : 0.5;
  }

  /**
   * The values of one pixel, or undefined outside the image.
   *
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return undefined;
    const start = (y * this.width + x) * this.channels;
    return Array.from(this.data.subarray(start, start + this.channels));
  }

  /** How often each step occurs in the colour channels; what is fully transparent is not seen and not counted. */
  get histogram() {
    if (this.counts) return this.counts;
    const { steps, channels, colours, hasAlpha } = this;
    this.counts = new Uint32Array(this.lastStep + 1);
    for (let start = 0; start < steps.length; start += channels) {
      if (hasAlpha && steps[start + colours] === 0) continue;
      for (let channel = 0; channel < colours; channel += 1) this.counts[steps[start + channel]] += 1;
    }
    return this.counts;
  }

  /**
   * The values from black to white without a window: all of 8 bits, or what an image of another type itself goes through.
   *
   * @returns {[number, number]}
   */
  get range() {
    if (this.max === 255) return [0, 255];
    this.ownRange ??= this.max === 65535 ? this.rangeOfSteps() : this.rangeOfValues();
    return this.ownRange;
  }

  /** @returns {[number, number]} */
  rangeOfSteps() {
    const low = this.histogram.findIndex(Boolean);
    const high = this.histogram.findLastIndex(Boolean);
    return low < high ? [low, high] : [0, this.max];
  }

  /**
   * Without infinity, and without what is no number.
   *
   * @returns {[number, number]}
   */
  rangeOfValues() {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.data) {
      if (value < low && value !== -Infinity) low = value;
      if (value > high && value !== Infinity) high = value;
    }
    if (low < high) return [low, high];
    return low === high ? [low, low + Math.max(1, Math.abs(low))] : [0, 65535];
  }

  /**
   * A window that leaves out the few darkest and brightest values.
   *
   * @returns {[number, number]}
   */
  get autoRange() {
    const { histogram } = this;
    const clipped = histogram.reduce((sum, count) => sum + count, 0) * AUTO_CLIPPED;
    let [low, below] = [0, histogram[0]];
    while (low < this.lastStep && below <= clipped) below += histogram[(low += 1)];
    let [high, above] = [this.lastStep, histogram[this.lastStep]];
    while (high > 0 && above <= clipped) above += histogram[(high -= 1)];
    return low < high ? [this.valueOf(low), this.valueOf(high)] : this.range;
  }

  /**
   * Paint the image into `canvas`, `levels` giving the brightness of each step.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {Uint8ClampedArray} levels
   */
  render(canvas, levels) {
    const { steps: data, width, height, channels, colours, hasAlpha } = this;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer); // little-endian: alpha, blue, green, red from the top
    const second = colours === 3 ? 1 : 0;
    const third = colours === 3 ? 2 : 0;
    const alphaShift = this.max === 255 ? 0 : 8;
    for (let pixel = 0, start = 0; pixel < pixels.length; pixel += 1, start += channels) {
      const alpha = hasAlpha ? data[start + colours] >> alphaShift : 255;
      pixels[pixel] =
        levels[data[start]] | (levels[data[start + second]] << 8) | (levels[data[start + third]] << 16) | (alpha << 24);
    }
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }
}
