/*
 * Decoded images, fetched ahead of the reader. What is kept is bounded in number and in bytes; the least recently
 * used goes first.
 */
const BYTES_PER_PIXEL = 4;

/** ImageBitmaps are decoded off the main thread and stay decoded, so that showing one is a single draw. */
async function decodeBitmap(response) {
  const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" }); // as the model sees it
  return { bitmap, bytes: bitmap.width * bitmap.height * BYTES_PER_PIXEL };
}

async function decodeSamples(response) {
  const samples = await Samples.from(response);
  return { samples, bytes: samples.data.byteLength };
}

class ImageCache {
  /**
   * urlOf(index) gives the address, bytesOf(index) the expected decoded size (0 when unknown), decode(response)
   * what is kept ({bitmap or samples, bytes}), and onSettled(index) is called when an image is here or has failed.
   */
  constructor({ urlOf, bytesOf, decode, onSettled, budgetBytes, most, concurrency }) {
    Object.assign(this, { urlOf, bytesOf, decode, onSettled, budgetBytes, most, concurrency });
    this.entries = new Map(); // index -> {bitmap or samples or error, bytes}; Map order is order of use
    this.pending = new Map(); // index -> AbortController
    this.wanted = [];
  }

  /** {bitmap}, {samples} or {error}, or undefined while it is not here. */
  get(index) {
    const entry = this.entries.get(index);
    if (entry) {
      this.entries.delete(index);
      this.entries.set(index, entry);
    }
    return entry;
  }

  /** Fetch `indices`, most urgent first; whatever else is under way is given up. */
  want(indices) {
    let bytes = 0;
    this.wanted = indices.filter((index, order) => {
      bytes += this.bytesOf(index);
      return order === 0 || bytes <= this.budgetBytes / 2;
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
      if (this.pending.size >= this.concurrency) return;
      if (!this.entries.has(index) && !this.pending.has(index)) this.load(index);
    }
  }

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
      if (bytes <= this.budgetBytes && this.entries.size <= this.most) return;
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
