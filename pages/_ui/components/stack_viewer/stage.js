/*
 * The stage: the canvas that shows the store's current image, the view on it, and the images fetched ahead of
 * the reader. What is on the canvas can be read from its `data-index` and `data-painted`.
 */
import { Fetching } from "./fetching.js";
import { Gestures } from "./gestures.js";
import { Painter } from "./painter.js";
import { Viewport } from "./viewport.js";
import { Windowing } from "./windowing.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { ViewerElements } from "./elements.js" */
/** @import { Layer } from "./map_layer.js" */
/** @typedef {"none" | "sharp" | "thumbnail" | "loading" | "error"} Painting */
/**
 * An image that stays beside the current one, to be compared with: as it was, with its window and its map. The current
 * one may be the same, in another window.
 *
 * @typedef {{ index: number, windowing: Windowing, layer: Layer | null }} Beside
 */
/** @typedef {Partial<Viewport["state"]> & { window?: unknown, beside?: { index: number, window: unknown } | null }} StageState */

const STALE_MS = 100; // how long the image before may stand while nothing of the new one has arrived

export class Stage {
  windowing = new Windowing();
  viewport = new Viewport();
  /** @type {{ index: number, kind: Painting }} */
  painted = { index: -1, kind: "none" };
  /** @type {StageState | null} the view to take up once there is an image */
  wanted = null;
  /** @type {(Layer | null)[]} what lies over the image: it is shown once for each, side by side */
  layers = [null];
  /** @type {Beside | null} */
  beside = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  staleTimer;
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
    this.painter = new Painter(ref.canvas, this.viewport);
    this.fetching = new Fetching(store, (index) => {
      if (index === store.current || index === this.beside?.index) this.paint();
    });
    this.gestures = new Gestures(ref.stage, this.viewport, this);
    this.resizeObserver = new ResizeObserver(() => this.measure());
    this.resizeObserver.observe(ref.stage);
  }

  remove() {
    this.resizeObserver.disconnect();
    clearTimeout(this.staleTimer);
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.fetching.clear();
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
   * @param {Beside | null} beside
   */
  keepBeside(beside) {
    const { stage } = this.ref;
    this.beside = beside;
    this.viewport.setStage(stage.clientWidth / this.panes, stage.clientHeight);
    this.show();
    this.repaint();
  }

  /** The current image as it is now, for {@link keepBeside}. */
  get asShown() {
    return { index: this.store.current, windowing: this.windowing.copy(), layer: this.layers[0] };
  }

  /**
   * What is found again after a reload.
   *
   * @returns {StageState}
   */
  get state() {
    const { beside } = this;
    const kept = beside && { index: beside.index, window: beside.windowing.state };
    return { ...this.viewport.state, window: this.windowing.state, beside: kept };
  }

  /** @param {StageState | null} state of {@link state}; anything that makes no sense is left as it is */
  restore(state) {
    this.wanted = state;
    this.windowing.restore(state?.window);
    const index = state?.beside?.index;
    if (!Number.isInteger(index) || index === undefined || index < 0 || index >= this.store.count) return;
    const windowing = new Windowing();
    windowing.restore(state?.beside?.window);
    this.keepBeside({ index, windowing, layer: null });
  }

  /** The current image is another one, or its facts have arrived: paint it and fetch what comes next. */
  show() {
    this.paint();
    this.fetching.follow(this.beside ? [this.beside.index] : []);
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

  /** The current image's samples, or the error why there are none, or neither while they are on their way. */
  get values() {
    return this.fetching.values(this.store.current);
  }

  /**
   * `user` wants to read values, or no longer does.
   *
   * @param {string} user
   * @param {boolean} on
   */
  useValues(user, on) {
    const { readers } = this.fetching;
    if (on === readers.has(user)) return;
    if (on) readers.add(user);
    else readers.delete(user);
    this.fetchValues();
  }

  fetchValues() {
    const { beside, store } = this;
    const besideIsWindowed = beside?.windowing.isActive(store.maxValue(beside.index));
    this.fetching.followValues(this.isWindowed, beside && besideIsWindowed ? [beside.index] : []);
  }

  /**
   * The best there is of an image, with a window applied where there is one.
   *
   * @param {number} index
   * @param {Windowing} windowing
   */
  picture(index, windowing) {
    const sharp = this.fetching.sharp.get(index);
    const windowed = windowing.isActive(this.store.maxValue(index)) && !sharp?.error;
    const samples = windowed ? this.fetching.values(index).samples : undefined;
    const bitmap = samples ? windowing.render(samples) : (sharp ?? this.fetching.small.get(index))?.bitmap;
    return { bitmap, isSharp: Boolean(samples || sharp), error: sharp?.error };
  }

  /** Paint the best there is of the current image: itself, its thumbnail, or the reason there is none. */
  paint() {
    const { store, viewport, beside } = this;
    const index = store.current;
    const { bitmap, isSharp, error } = this.picture(index, this.windowing);
    clearTimeout(this.staleTimer);
    if (bitmap) {
      const { width, height } = store.image(index) ?? bitmap;
      viewport.setImage(width, height);
      if (this.wanted) {
        viewport.restore(this.wanted);
        this.wanted = null;
      }
      const layers = beside ? this.layers.slice(0, 1) : this.layers;
      layers.forEach((layer, pane) => this.painter.paint(bitmap, layer, pane, viewport.image));
      if (beside) this.paintBeside(beside);
      this.setPainted(index, isSharp ? "sharp" : "thumbnail");
    } else if (store.error ?? error) {
      this.ref.reason.textContent = store.error ?? error ?? "";
      this.clear(index, "error");
    } else if (this.painted.index !== index) {
      this.staleTimer = setTimeout(() => this.clear(index, "loading"), STALE_MS);
    }
    this.onView();
  }

  /** @param {Beside} beside */
  paintBeside({ index, windowing, layer }) {
    const { bitmap } = this.picture(index, windowing);
    if (bitmap) this.painter.paint(bitmap, layer, 1, this.store.image(index) ?? bitmap);
  }

  /**
   * @param {number} index
   * @param {Painting} kind
   */
  clear(index, kind) {
    this.painter.clear();
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
