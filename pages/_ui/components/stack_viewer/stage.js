/*
 * The stage: the canvas that shows the store's current image, the view on it, and the images fetched ahead of
 * the reader. What is on the canvas can be read from its `data-index` and `data-painted`.
 */
import { resolveUrl } from "../shared/addresses.js";
import { BYTES_PER_PIXEL, ImageCache, decodeBitmap, decodeSamples } from "./bitmaps.js";
import { Gestures } from "./gestures.js";
import { paintLayer } from "./map_layer.js";
import { Viewport } from "./viewport.js";
import { Windowing } from "./windowing.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { Entry, Limits } from "./bitmaps.js" */
/** @import { ViewerElements } from "./elements.js" */
/** @import { Layer } from "./map_layer.js" */
/** @import { Samples } from "./samples.js" */
/** @typedef {"none" | "sharp" | "thumbnail" | "loading" | "error"} Painting */

const MIB = 1024 * 1024;
// Bytes bound large images, the number small ones, of which nobody goes back through hundreds.
const SHARP = { budgetBytes: 192 * MIB, most: 40, concurrency: 4, ahead: 8, behind: 3 };
const SMALL = { budgetBytes: 24 * MIB, most: 80, concurrency: 2, ahead: 16, behind: 4 };
const VALUES = { budgetBytes: 192 * MIB, most: 12, concurrency: 2, ahead: 4, behind: 1 };
const MOST_VALUES = 32e6; // pixels up to which a browser handles an image's values with ease
const VALUES_QUIET_MS = 150; // how long an image stands before its values are fetched only to be looked at
const STALE_MS = 100; // how long the image before may stand while nothing of the new one has arrived

export class Stage {
  windowing = new Windowing();
  viewport = new Viewport();
  /** @type {Set<string>} who wants to read the current image's values */
  valueUsers = new Set();
  /** @type {{ index: number, kind: Painting }} */
  painted = { index: -1, kind: "none" };
  /** @type {Partial<Viewport["state"]> | null} the view to take up once there is an image */
  wanted = null;
  direction = 1;
  /** @type {(Layer | null)[]} what lies over the image: it is shown once for each, side by side */
  layers = [null];
  /** @type {number | null} the image that stays beside the current one, to be compared with */
  beside = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  staleTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  valuesTimer;
  /** @type {number | undefined} */
  frame;

  /**
   * @param {ViewerElements} ref
   * @param {StackStore} store
   * @param {() => void} onView called when zoom, pan, orientation or the known values changed
   */
  constructor(ref, store, onView) {
    this.ref = ref;
    this.store = store;
    this.onView = onView;
    this.context = /** @type {CanvasRenderingContext2D} */ (ref.canvas.getContext("2d"));
    this.shown = store.current;
    this.sharp = this.cache(SHARP, () => store.imageUrl, decodeBitmap, (index) => this.decodedBytes(index));
    this.small = this.cache(SMALL, () => store.thumbnailUrl, decodeBitmap, () => 0);
    this.exact = this.cache(VALUES, () => store.valuesUrl, decodeSamples, (index) => this.decodedBytes(index));
    this.gestures = new Gestures(ref.stage, this.viewport, this);
    this.resizeObserver = new ResizeObserver(() => this.measure());
    this.resizeObserver.observe(ref.stage);
  }

  /**
   * @param {Limits} limits
   * @param {() => string} template
   * @param {(response: Response) => Promise<Entry>} decode
   * @param {(index: number) => number} bytesOf
   */
  cache(limits, template, decode, bytesOf) {
    return new ImageCache({
      limits,
      bytesOf,
      decode,
      urlOf: (index) => resolveUrl(template(), { index }),
      onSettled: (index) => {
        if (index === this.store.current || index === this.beside) this.paint();
      },
    });
  }

  /** @param {number} index */
  decodedBytes(index) {
    const { width, height } = this.store.image(index) ?? { width: 0, height: 0 };
    return width * height * BYTES_PER_PIXEL;
  }

  remove() {
    this.resizeObserver.disconnect();
    clearTimeout(this.staleTimer);
    clearTimeout(this.valuesTimer);
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    for (const cache of [this.sharp, this.small, this.exact]) cache.clear();
  }

  /** @param {number} by */
  step(by) {
    this.store.setCurrent(this.store.current + by);
  }

  /**
   * Change the view on the image; drawn once a frame, however fast the changes come.
   *
   * @param {(viewport: Viewport) => void} action
   */
  change(action) {
    action(this.viewport);
    this.onView();
    this.repaint();
  }

  reset() {
    this.windowing.reset();
    this.viewport.reset();
  }

  repaint() {
    this.fetchValues();
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.paint();
    });
  }

  /** @param {number} scale */
  zoomAt(scale, x = 0, y = 0) {
    this.change((viewport) => viewport.zoomTo(scale, x, y));
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  panBy(dx, dy) {
    this.change((viewport) => viewport.panBy(dx, dy));
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  toggleFit(x, y) {
    if (this.viewport.fitted) this.zoomAt(this.viewport.scale < 1 ? 1 : this.viewport.scale * 2, x, y);
    else this.change((viewport) => viewport.fit());
  }

  measure() {
    const { stage, canvas } = this.ref;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    const fits = canvas.width === Math.round(width * density) && canvas.height === Math.round(height * density);
    // A canvas that has its size may be another stack's, left by the stage before this one.
    if (fits && this.viewport.stage.width === width && this.viewport.stage.height === height) return;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    this.viewport.setStage(width / this.panes, height);
    this.paint(); // at once, since resizing a canvas clears it
  }

  /** @param {(Layer | null)[]} layers at least one */
  setLayers(layers) {
    const { stage } = this.ref;
    if (layers.every((layer, pane) => layer === this.layers[pane]) && layers.length === this.layers.length) return;
    const before = this.panes;
    this.layers = layers;
    if (this.panes !== before) this.viewport.setStage(stage.clientWidth / this.panes, stage.clientHeight);
    this.repaint();
  }

  /** How many parts it has side by side. */
  get panes() {
    return this.beside === null ? this.layers.length : 2;
  }

  /**
   * Keep an image beside the one on show, in the same view; null ends that.
   *
   * @param {number | null} index
   */
  keepBeside(index) {
    const { stage } = this.ref;
    this.beside = index;
    this.viewport.setStage(stage.clientWidth / this.panes, stage.clientHeight);
    this.show();
    this.repaint();
  }

  /** The current image is another one, or its facts have arrived: paint it and fetch what comes next. */
  show() {
    const { current } = this.store;
    if (current !== this.shown) this.direction = current > this.shown ? 1 : -1;
    this.shown = current;
    this.paint();
    this.sharp.want([...this.around(SHARP), ...(this.beside === null ? [] : [this.beside])]);
    this.small.want(this.around(SMALL).filter((index) => !this.sharp.entries.has(index)));
    this.fetchValues();
  }

  /** Whether the current image is painted as well as it will be. */
  get isSettled() {
    const { index, kind } = this.painted;
    return index === this.store.current && (kind === "sharp" || kind === "error");
  }

  get isWindowed() {
    return this.windowing.isActive(this.store.maxValue(this.store.current));
  }

  /**
   * The current image's samples, or the error why there are none, or neither while they are on their way.
   *
   * @returns {{ samples?: Samples, error?: string }}
   */
  get values() {
    const index = this.store.current;
    if (this.tooLarge(index)) return { error: "This image is too large for window and level." };
    const found = this.exact.get(index);
    const kind = this.store.image(index)?.kind;
    if (kind) found?.samples?.describe(kind);
    return found ?? {};
  }

  /** @param {number} index */
  tooLarge(index) {
    return this.decodedBytes(index) > MOST_VALUES * BYTES_PER_PIXEL;
  }

  /**
   * `user` wants to read values, or no longer does.
   *
   * @param {string} user
   * @param {boolean} on
   */
  useValues(user, on) {
    if (on === this.valueUsers.has(user)) return;
    if (on) this.valueUsers.add(user);
    else this.valueUsers.delete(user);
    this.fetchValues();
  }

  /** Fetch values at once where they are what is painted; where they are only read, once the image stands still. */
  fetchValues() {
    clearTimeout(this.valuesTimer);
    const want = (/** @type {number[]} */ indices) => this.exact.want(indices.filter((index) => !this.tooLarge(index)));
    if (this.isWindowed) want(this.around(VALUES));
    else if (this.valueUsers.size > 0) this.valuesTimer = setTimeout(() => want([this.store.current]), VALUES_QUIET_MS);
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

  /** Paint the best there is of the current image: itself, its thumbnail, or the reason there is none. */
  paint() {
    const index = this.store.current;
    const sharp = this.sharp.get(index);
    const samples = this.isWindowed && !sharp?.error ? this.values.samples : undefined;
    const bitmap = samples ? this.windowing.render(samples) : (sharp ?? this.small.get(index))?.bitmap;
    const error = this.store.error ?? sharp?.error;
    clearTimeout(this.staleTimer);
    if (bitmap) {
      const { width, height } = this.store.image(index) ?? bitmap;
      this.viewport.setImage(width, height);
      if (this.wanted) {
        this.viewport.restore(this.wanted);
        this.wanted = null;
      }
      if (this.beside === null) this.layers.forEach((layer, pane) => this.paintPane(bitmap, layer, pane));
      else {
        this.paintPane(bitmap, this.layers[0], 0);
        this.paintBeside(this.beside);
      }
      this.setPainted(index, samples || sharp ? "sharp" : "thumbnail");
    } else if (error) {
      this.ref.reason.textContent = error;
      this.clear(index, "error");
    } else if (this.painted.index !== index) {
      this.staleTimer = setTimeout(() => this.clear(index, "loading"), STALE_MS);
    }
    this.onView();
  }

  /** @param {number} index */
  paintBeside(index) {
    const bitmap = (this.sharp.get(index) ?? this.small.get(index))?.bitmap;
    if (bitmap) this.paintPane(bitmap, null, 1, this.store.image(index) ?? bitmap);
  }

  /**
   * The image, and what lies over it.
   *
   * @param {ImageBitmap | HTMLCanvasElement} bitmap
   * @param {Layer | null} layer
   * @param {number} pane
   * @param {{ width: number, height: number }} [image] its size, where it is not the current one
   */
  paintPane(bitmap, layer, pane, image) {
    const { context, viewport } = this;
    const density = window.devicePixelRatio || 1;
    const left = pane * viewport.stage.width;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(left * density, 0, viewport.stage.width * density, context.canvas.height);
    context.clip();
    viewport.paint(context, bitmap, density, left, image);
    if (layer) paintLayer(context, viewport.image, layer);
    context.restore();
  }

  /**
   * @param {number} index
   * @param {Painting} kind
   */
  clear(index, kind) {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.ref.canvas.width, this.ref.canvas.height);
    this.setPainted(index, kind);
  }

  /**
   * @param {number} index
   * @param {Painting} kind
   */
  setPainted(index, kind) {
    const { canvas, message, loading } = this.ref;
    if (this.painted.index === index && this.painted.kind === kind) return;
    this.painted = { index, kind };
    canvas.dataset.index = String(index);
    canvas.dataset.painted = kind;
    message.hidden = kind !== "error";
    loading.hidden = kind !== "loading";
  }
}
