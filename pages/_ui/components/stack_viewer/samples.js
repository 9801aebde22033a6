/*
 * The values of an image as they are in its file, 8 or 16 bits each, for exact numbers and for windowing. They
 * come from the API's `values` route, whose headers tell their shape and type.
 */
const AUTO_CLIPPED = 0.005; // of the values, cut off at either end by an automatic window

/** @typedef {Uint8Array | Uint16Array} SampleArray */

export class Samples {
  /** @type {Uint32Array | undefined} */
  counts;
  /** @type {[number, number] | undefined} */
  ownRange;

  /**
   * @param {SampleArray} data rows of pixels, their channels together
   * @param {number[]} shape height, width, channels
   */
  constructor(data, [height, width, channels]) {
    this.data = data;
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.max = data instanceof Uint16Array ? 65535 : 255;
    this.hasAlpha = channels === 2 || channels === 4;
    this.colours = this.hasAlpha ? channels - 1 : channels;
  }

  /** @param {Response} response */
  static async from(response) {
    const shape = String(response.headers.get("X-Image-Shape")).split(",").map(Number);
    const deep = response.headers.get("X-Image-Dtype") === "uint16";
    const buffer = await response.arrayBuffer();
    return new Samples(deep ? new Uint16Array(buffer) : new Uint8Array(buffer), shape);
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

  /** How often each value occurs in the colour channels; what is fully transparent is not seen and not counted. */
  get histogram() {
    if (this.counts) return this.counts;
    const { data, channels, colours, hasAlpha } = this;
    this.counts = new Uint32Array(this.max + 1);
    for (let start = 0; start < data.length; start += channels) {
      if (hasAlpha && data[start + colours] === 0) continue;
      for (let channel = 0; channel < colours; channel += 1) this.counts[data[start + channel]] += 1;
    }
    return this.counts;
  }

  /**
   * The values from black to white without a window: all of 8 bits, or what a 16-bit image itself goes through.
   *
   * @returns {[number, number]}
   */
  get range() {
    if (this.max === 255) return [0, 255];
    if (!this.ownRange) {
      const low = this.histogram.findIndex(Boolean);
      const high = this.histogram.findLastIndex(Boolean);
      this.ownRange = low < high ? [low, high] : [0, this.max];
    }
    return this.ownRange;
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
    while (low < this.max && below <= clipped) below += histogram[(low += 1)];
    let [high, above] = [this.max, histogram[this.max]];
    while (high > 0 && above <= clipped) above += histogram[(high -= 1)];
    return low < high ? [low, high] : this.range;
  }

  /**
   * Paint the image into `canvas`, `levels` giving the brightness of each value.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {Uint8ClampedArray} levels
   */
  render(canvas, levels) {
    const { data, width, height, channels, colours, hasAlpha } = this;
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
