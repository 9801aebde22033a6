/* What the stage fetches, ahead of the reader: images, thumbnails that stand in for them, and their values. */
import { resolveUrl } from "../shared/addresses.js";
import { BYTES_PER_PIXEL, ImageCache, decodeBitmap, decodeSamples } from "./bitmaps.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { Entry, Limits } from "./bitmaps.js" */
/** @import { Samples } from "./samples.js" */

const MIB = 1024 * 1024;
// Bytes bound large images, the number small ones, of which nobody goes back through hundreds.
const SHARP = { budgetBytes: 192 * MIB, most: 40, concurrency: 4, ahead: 8, behind: 3 };
const SMALL = { budgetBytes: 24 * MIB, most: 80, concurrency: 2, ahead: 16, behind: 4 };
const VALUES = { budgetBytes: 192 * MIB, most: 12, concurrency: 2, ahead: 4, behind: 1 };
const MOST_VALUES = 32e6; // pixels up to which a browser handles an image's values with ease
const VALUES_QUIET_MS = 150; // how long an image stands before its values are fetched only to be looked at

export class Fetching {
  /** @type {Set<string>} who wants to read the current image's values */
  readers = new Set();
  direction = 1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * @param {StackStore} store
   * @param {(index: number) => void} onSettled called when something of an image is here, or has failed
   */
  constructor(store, onSettled) {
    this.store = store;
    this.onSettled = onSettled;
    this.last = store.current;
    this.sharp = this.cache(SHARP, () => store.imageUrl, decodeBitmap, (index) => this.decodedBytes(index));
    this.small = this.cache(SMALL, () => store.thumbnailUrl, decodeBitmap, () => 0);
    this.exact = this.cache(VALUES, () => store.valuesUrl, decodeSamples, (index) => this.decodedBytes(index));
  }

  /**
   * @param {Limits} limits
   * @param {() => string} template
   * @param {(response: Response) => Promise<Entry>} decode
   * @param {(index: number) => number} bytesOf
   */
  cache(limits, template, decode, bytesOf) {
    const urlOf = (/** @type {number} */ index) => resolveUrl(template(), { index });
    return new ImageCache({ limits, bytesOf, decode, urlOf, onSettled: this.onSettled });
  }

  /** @param {number} index */
  decodedBytes(index) {
    const { width, height } = this.store.image(index) ?? { width: 0, height: 0 };
    return width * height * BYTES_PER_PIXEL;
  }

  clear() {
    clearTimeout(this.timer);
    for (const cache of [this.sharp, this.small, this.exact]) cache.clear();
  }

  /**
   * Fetch the current image and those that come next.
   *
   * @param {number[]} also further images on show
   */
  follow(also) {
    const { current } = this.store;
    if (current !== this.last) this.direction = current > this.last ? 1 : -1;
    this.last = current;
    this.sharp.want([...this.around(SHARP), ...also]);
    this.small.want(this.around(SMALL).filter((index) => !this.sharp.entries.has(index)));
  }

  /**
   * Fetch values at once where they are what is painted; where they are only read, once the image stands still.
   *
   * @param {boolean} painted whether they are what is painted of the current image
   * @param {number[]} also further images of which they are
   */
  followValues(painted, also) {
    clearTimeout(this.timer);
    const want = (/** @type {number[]} */ indices) => this.exact.want(indices.filter((index) => !this.tooLarge(index)));
    if (painted) want([...this.around(VALUES), ...also]);
    else if (also.length > 0) want([...(this.readers.size > 0 ? [this.store.current] : []), ...also]);
    else if (this.readers.size > 0) this.timer = setTimeout(() => want([this.store.current]), VALUES_QUIET_MS);
  }

  /**
   * An image's samples, or the error why there are none, or neither while they are on their way.
   *
   * @param {number} index
   * @returns {{ samples?: Samples, error?: string }}
   */
  values(index) {
    if (this.tooLarge(index)) return { error: "This image is too large for window and level." };
    return this.exact.get(index) ?? {};
  }

  /** @param {number} index */
  tooLarge(index) {
    return this.decodedBytes(index) > MOST_VALUES * BYTES_PER_PIXEL;
  }

  /**
   * The current position and those around it, most urgent first: further ahead than behind.
   *
   * @param {{ ahead: number, behind: number }} reach
   */
  around({ ahead, behind }) {
    const { current, count } = this.store;
    const offsets = [0];
    for (let distance = 1; distance <= ahead; distance += 1) {
      offsets.push(distance * this.direction);
      if (distance <= behind) offsets.push(-distance * this.direction);
    }
    return offsets.map((offset) => current + offset).filter((index) => index >= 0 && index < count);
  }
}
