/*
 * Decoded images, fetched ahead of the reader. What is kept is bounded in number and in bytes; the least recently
 * used goes first.
 */
import { failureMessage } from "../shared/addresses.js";
import { Samples } from "./samples.js";

/**
 * An image that has come or failed; `retry` where it is worth asking again.
 *
 * @typedef {{ bitmap?: ImageBitmap, samples?: Samples, error?: string, retry?: boolean, bytes: number }} Entry
 */

export const BYTES_PER_PIXEL = 4;

/**
 * ImageBitmaps are decoded off the main thread and stay decoded, so that showing one is a single draw.
 *
 * @param {Response} response
 * @returns {Promise<Entry>}
 */
export async function decodeBitmap(response) {
  const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" }); // as the model sees it
  return { bitmap, bytes: bitmap.width * bitmap.height * BYTES_PER_PIXEL };
}

/**
 * @param {Response} response
 * @returns {Promise<Entry>}
 */
export async function decodeSamples(response) {
  const samples = await Samples.from(response);
  return { samples, bytes: samples.data.byteLength };
}

/** @typedef {{ budgetBytes: number, most: number, concurrency: number }} Limits */

export class ImageCache {
  /** @type {Map<number, Entry>} in the order of use */
  entries = new Map();
  /** @type {Map<number, AbortController>} */
  pending = new Map();
  /** @type {number[]} */
  wanted = [];

  /**
   * @param {object} options
   * @param {Limits} options.limits
   * @param {(index: number) => string} options.urlOf
   * @param {(index: number) => number} options.bytesOf the expected decoded size, 0 when unknown
   * @param {(response: Response) => Promise<Entry>} options.decode
   * @param {(index: number) => void} options.onSettled called when an image is here or has failed
   */
  constructor({ limits, urlOf, bytesOf, decode, onSettled }) {
    this.limits = limits;
    this.urlOf = urlOf;
    this.bytesOf = bytesOf;
    this.decode = decode;
    this.onSettled = onSettled;
  }

  /**
   * Undefined while it is not here.
   *
   * @param {number} index
   */
  get(index) {
    const entry = this.entries.get(index);
    if (entry) {
      this.entries.delete(index);
      this.entries.set(index, entry);
    }
    return entry;
  }

  /**
   * Fetch `indices`, most urgent first; whatever else is under way is given up.
   *
   * @param {number[]} indices
   */
  want(indices) {
    let bytes = 0;
    this.wanted = indices.filter((index, order) => {
      bytes += this.bytesOf(index);
      return order === 0 || bytes <= this.limits.budgetBytes / 2;
    });
    for (const [index, controller] of this.pending) {
      if (!this.wanted.includes(index)) {
        controller.abort();
        this.pending.delete(index);
      }
    }
    if (this.entries.get(indices[0])?.retry) this.entries.delete(indices[0]);
    this.pump();
  }

  pump() {
    for (const index of this.wanted) {
      if (this.pending.size >= this.limits.concurrency) return;
      if (!this.entries.has(index) && !this.pending.has(index)) this.load(index);
    }
  }

  /** @param {number} index */
  async load(index) {
    const controller = new AbortController();
    this.pending.set(index, controller);
    const entry = await this.fetch(index, controller.signal);
    if (controller.signal.aborted) {
      entry.bitmap?.close();
      return;
    }
    this.pending.delete(index);
    this.entries.set(index, entry);
    this.evict();
    this.onSettled(index);
    this.pump();
  }

  /**
   * @param {number} index
   * @param {AbortSignal} signal
   * @returns {Promise<Entry>}
   */
  async fetch(index, signal) {
    try {
      const priority = index === this.wanted[0] ? "high" : "low";
      const response = await fetch(this.urlOf(index), { signal, priority });
      if (!response.ok) return { error: await failureMessage(response), bytes: 0, retry: response.status >= 500 };
      return await this.decode(response);
    } catch (error) {
      const undecodable = error instanceof DOMException && error.name === "InvalidStateError";
      return undecodable
        ? { error: "The browser cannot decode this image.", bytes: 0 }
        : { error: "The image could not be fetched. Check the connection, then come back to it.", bytes: 0, retry: true };
    }
  }

  evict() {
    let bytes = 0;
    for (const entry of this.entries.values()) bytes += entry.bytes;
    for (const [index, entry] of this.entries) {
      if (bytes <= this.limits.budgetBytes && this.entries.size <= this.limits.most) return;
      if (this.wanted.includes(index)) continue;
      entry.bitmap?.close();
      this.entries.delete(index);
      bytes -= entry.bytes;
    }
  }

  clear() {
    for (const controller of this.pending.values()) controller.abort();
    for (const entry of this.entries.values()) entry.bitmap?.close();
    this.pending.clear();
    this.entries.clear();
    this.wanted = [];
  }
}
