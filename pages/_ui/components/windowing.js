/*
 * Window and level: which values are shown from black to white. Kept for 8-bit and 16-bit images apart, since a
 * number means something else in each. Without a window an image is shown as the browser decodes it.
 */
class Windowing {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.reset();
  }

  reset() {
    this.windows = new Map(); // highest value of the images -> [low, high]
    this.inverted = false;
  }

  /** Whether images of this highest value are shown otherwise than as they are. */
  isActive(max) {
    return this.inverted || this.windows.has(max);
  }

  /** The values shown black and white. */
  range(samples) {
    return this.windows.get(samples.max) ?? samples.range;
  }

  setRange(samples, low, high) {
    this.windows.set(samples.max, [low, high]);
  }

  /** The image with its window applied, as something to draw; kept until the image or the window is another. */
  render(samples) {
    const [low, high] = this.range(samples);
    const wanted = [low, high, this.inverted].join();
    if (this.samples !== samples || this.rendered !== wanted) {
      samples.render(this.canvas, this.levels(samples.max, low, high));
      this.samples = samples;
      this.rendered = wanted;
    }
    return this.canvas;
  }

  levels(max, low, high) {
    const levels = new Uint8ClampedArray(max + 1);
    for (let value = 0; value <= max; value += 1) levels[value] = ((value - low) * 255) / (high - low);
    return this.inverted ? levels.map((level) => 255 - level) : levels;
  }
}
