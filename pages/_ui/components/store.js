/*
 * What the viewer and the gallery of a page share, in the browser.
 *
 * Each component is its own ES module, so the shared state hangs on `window`: one StackStore for each
 * stack id. The store owns the current image and the selection; components change it through its methods
 * and draw when its events fire ("current", "selection", "index", "results"). Python hears of a change
 * once things have been quiet for REPORT_DELAY_MS, through the one mounted component that reports, and
 * overrules the browser only by sending a new `version`.
 */
const REPORT_DELAY_MS = 250;
const KEPT_STORES = 4; // Coming back to a page finds its stack as it was left; older stacks are forgotten.

/** Indices as ascending ranges: {0, 1, 2, 7} is "0-2,7". Ten thousand selected images are a few bytes. */
function encodeRanges(indices) {
  const sorted = Uint32Array.from(indices).sort();
  const parts = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (sorted[end + 1] === sorted[end] + 1) end += 1;
    parts.push(start === end ? `${sorted[start]}` : `${sorted[start]}-${sorted[end]}`);
    start = end + 1;
  }
  return parts.join(",");
}

function decodeRanges(text) {
  const indices = new Set();
  for (const part of text ? text.split(",") : []) {
    const [first, last = first] = part.split("-").map(Number);
    for (let index = first; index <= last; index += 1) indices.add(index);
  }
  return indices;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

class StackStore extends EventTarget {
  constructor(id) {
    super();
    this.id = id;
    this.count = 0;
    this.images = null; // [name, width, height, description, bytes] of each image, once fetched
    this.answers = new Map(); // index -> [[label, confidence, engine, model], ...], the first one leads
    this.answerLines = 0; // most answers an image has: room kept for them, so that nothing jumps
    this.error = null; // why the index could not be fetched
    this.current = 0;
    this.selected = new Set();
    this.anchor = 0; // where a shift-click range starts
    this.components = new Set();
  }

  /** Take what Python sent; cheap when nothing changed. */
  update(data) {
    this.count = data.count;
    this.imageUrl = data.image_url;
    this.valuesUrl = data.values_url;
    this.tag = data.tag;
    this.thumbnailUrl = data.thumbnail_url;
    if (data.version !== this.version) {
      const overruled = this.version !== undefined; // at first the address may hold a link that is to be followed
      this.version = data.version;
      this.current = clamp(data.current, 0, Math.max(0, this.count - 1));
      this.anchor = this.current;
      this.selected = decodeRanges(data.selected);
      this.reported = JSON.stringify(this.state());
      if (overruled) showLink(this.tag, this.current);
      this.emit("current");
      this.emit("selection");
    }
    if (data.index_url !== this.indexUrl) {
      this.indexUrl = data.index_url;
      this.fetchIndex();
    }
    if (data.results_url !== this.resultsUrl) {
      this.resultsUrl = data.results_url;
      this.fetchResults();
    }
  }

  async fetchIndex() {
    try {
      const response = await fetch(resolveUrl(this.indexUrl));
      if (!response.ok) throw new Error(await failureMessage(response));
      this.images = (await response.json()).images;
      this.error = null;
    } catch (error) {
      const unreachable = error instanceof TypeError;
      this.error = unreachable ? NO_ANSWER : error.message;
      this.indexUrl = null; // asked for again at the next update
    }
    this.emit("index");
  }

  async fetchResults() {
    const url = this.resultsUrl;
    let results = {};
    try {
      if (url) results = (await (await fetch(resolveUrl(url))).json()).results;
    } catch {
      results = undefined;
    }
    if (!results || url !== this.resultsUrl) return; // failed, or overtaken by newer ones: those on show stay
    const answers = new Map(Object.entries(results).map(([index, found]) => [Number(index), found]));
    this.answers = answers;
    this.answerLines = Math.max(0, ...Array.from(answers.values(), (found) => found.length));
    this.emit("results");
  }

  /** The highest value a sample of this image can have. */
  maxValue(index) {
    return this.images?.[index]?.[3].startsWith("16-bit") ? 65535 : 255;
  }

  name(index) {
    return this.images?.[index]?.[0] ?? `Image ${index + 1}`;
  }

  setCurrent(index) {
    const target = clamp(index, 0, Math.max(0, this.count - 1));
    if (target === this.current) return;
    this.current = target;
    this.changed("current");
  }

  setSelected(indices) {
    this.selected = new Set(indices);
    this.changed("selection");
  }

  toggle(index, on = !this.selected.has(index)) {
    if (on) this.selected.add(index);
    else this.selected.delete(index);
    this.anchor = index;
    this.changed("selection");
  }

  /** Add `indices`, the images from the anchor to a shift-click. */
  extend(indices) {
    for (const index of indices) this.selected.add(index);
    this.changed("selection");
  }

  /** Select exactly those of `among` that are not selected now. */
  invert(among) {
    this.setSelected(among.filter((index) => !this.selected.has(index)));
  }

  allIndices() {
    return Array.from({ length: this.count }, (_, index) => index);
  }

  emit(type) {
    this.dispatchEvent(new Event(type));
  }

  changed(type) {
    this.emit(type);
    this.scheduleReport();
  }

  state() {
    return { stack: this.id, version: this.version, current: this.current, selected: encodeRanges(this.selected) };
  }

  /** Python is told nothing while a film plays, and everything after it. */
  hold(on) {
    this.held = on;
    this.scheduleReport();
  }

  scheduleReport() {
    clearTimeout(this.reportTimer);
    if (this.held) return;
    this.reportTimer = setTimeout(() => this.report(), REPORT_DELAY_MS);
  }

  report() {
    const reporter = [...this.components].find((component) => component.report);
    if (!reporter) return; // said as soon as one is mounted again
    const state = this.state();
    const text = JSON.stringify(state);
    if (text === this.reported) return;
    this.reported = text;
    showLink(this.tag, this.current);
    reporter.report(state);
  }
}

/** The page's registry of stores and mounted components; the first component to load makes it. */
function sharedRegistry() {
  const key = Symbol.for("image-stack-stores");
  window[key] ??= { stores: new Map(), components: new Set(), route: null };
  return window[key];
}

function storeOf(stackId) {
  const { stores } = sharedRegistry();
  let store = stores.get(stackId);
  if (!store) {
    store = new StackStore(stackId);
    stores.set(stackId, store);
    for (const [id, other] of stores) {
      if (stores.size > KEPT_STORES && other !== store && other.components.size === 0) stores.delete(id);
    }
  }
  return store;
}
