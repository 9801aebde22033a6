/*
 * What the viewer and the gallery of a page share: one StackStore for each stack id.
 *
 * The store owns the current image and the selection; components change it through its methods and draw when its
 * events fire ("current", "selection", "index", "results", "teaching", and "arranged" when the gallery shows others).
 * Python hears of it through `reporter`, and overrules the browser only by sending a new `version`.
 */
import { NO_ANSWER, failureMessage, resolveUrl } from "./addresses.js";
import { answersByImage } from "./answers.js";
import { History } from "./history.js";
import { showLink } from "./link.js";
import { clamp } from "./numbers.js";
import { decodeRanges, encodeRanges } from "./ranges.js";
import { Reporter } from "./reporter.js";
import { Teaching } from "./teaching.js";
import { Visits } from "./visits.js";

/** @import { Answer } from "./answers.js" */
/** @import { ImageColumns, ViewData, ViewReport } from "./contract.js" */
/** @import { Arrangement } from "./link.js" */
/** @import { Component } from "./mount.js" */

const EIGHT_BIT_MAX = 255;

export class StackStore extends EventTarget {
  count = 0;
  current = 0;
  /** @type {Set<number>} */
  selected = new Set();
  selections = new History(); // as ranges
  anchor = 0; // where a shift-click range starts
  /** @type {ImageColumns | null} what is known of the images, once fetched */
  images = null;
  /** @type {Map<number, Answer[]>} */
  answers = new Map();
  answerLines = 0; // most answers an image has: room kept for them, so that nothing jumps
  /** @type {string | null} why the index could not be fetched */
  error = null;
  /** @type {Set<Component>} */
  components = new Set();
  tag = "";
  imageUrl = "";
  thumbnailUrl = "";
  valuesUrl = "";
  explanationUrl = "";
  patientUrl = "";
  answerUrl = "";
  /** @type {string | null} */
  indexUrl = null;
  /** @type {string | undefined} */
  resultsUrl;
  /** @type {number | undefined} */
  version;
  /** @type {Arrangement | undefined} what the gallery filters and sorts by, where it is to be found again */
  arrangement;
  visits = new Visits();

  /** @param {string} id */
  constructor(id) {
    super();
    this.id = id;
    this.teaching = new Teaching(this);
    this.reporter = new Reporter(this);
  }

  /**
   * Take what Python sent; cheap when nothing changed.
   *
   * @param {ViewData} data
   */
  update(data) {
    this.count = data.count;
    this.imageUrl = data.image_url;
    this.valuesUrl = data.values_url;
    this.explanationUrl = data.explanation_url;
    this.patientUrl = data.patient_url;
    this.answerUrl = data.answer_url;
    this.tag = data.tag;
    this.thumbnailUrl = data.thumbnail_url;
    if (data.version !== this.version) {
      const overruled = this.version !== undefined; // at first the address may hold a link that is to be followed
      this.version = data.version;
      if (overruled) this.visits.leave(this.current);
      this.current = clamp(data.current, 0, Math.max(0, this.count - 1));
      this.anchor = this.current;
      this.selected = decodeRanges(data.selected);
      this.selections.forget();
      this.reporter.isKnown();
      if (overruled) showLink(this.tag, this.current);
      this.emit("current");
      this.emit("selection");
    }
    if (data.index_url !== this.indexUrl) {
      this.indexUrl = data.index_url;
      this.fetchIndex(data.index_url);
    }
    this.teaching.update(data);
    if (this.teaching.on) {
      this.resultsUrl = undefined; // fetched when Label mode ends
    } else if (data.results_url !== this.resultsUrl) {
      this.resultsUrl = data.results_url;
      this.fetchResults(data.results_url);
    }
  }

  /** @param {string} url */
  async fetchIndex(url) {
    try {
      const response = await fetch(resolveUrl(url));
      if (!response.ok) throw new Error(await failureMessage(response));
      this.images = await response.json();
      this.error = null;
    } catch (error) {
      const unreachable = error instanceof TypeError;
      this.error = unreachable ? NO_ANSWER : /** @type {Error} */ (error).message;
      this.indexUrl = null; // asked for again at the next update
    }
    this.emit("index");
  }

  /** @param {string} url */
  async fetchResults(url) {
    let answers = new Map();
    try {
      if (url) answers = answersByImage(await (await fetch(resolveUrl(url))).json());
    } catch {
      return; // those on show stay
    }
    if (url !== this.resultsUrl) return; // overtaken by newer ones
    this.setAnswers(answers);
  }

  /** @param {Map<number, Answer[]>} answers */
  setAnswers(answers) {
    this.answers = answers;
    this.answerLines = 0;
    for (const found of answers.values()) this.answerLines = Math.max(this.answerLines, found.length);
    this.emit("results");
  }

  /**
   * What is known of an image; undefined until the index is here.
   *
   * @param {number} index
   */
  image(index) {
    const { images } = this;
    if (!images || !(index in images.names)) return undefined;
    const kind = images.kinds[images.kind[index]];
    return { width: images.widths[index], height: images.heights[index], bytes: images.file_sizes[index], kind };
  }

  /**
   * The highest value a sample of this image can have.
   *
   * @param {number} index
   */
  maxValue(index) {
    return this.image(index)?.kind.highest ?? EIGHT_BIT_MAX;
  }

  /** @param {number} index */
  name(index) {
    return this.images?.names[index] ?? `Image ${index + 1}`;
  }

  /**
   * The place of an image where they are sorted by name.
   *
   * @param {number} index
   */
  nameRank(index) {
    return this.images?.name_ranks?.[index] ?? index;
  }

  /** @param {number} index */
  setCurrent(index) {
    const target = clamp(index, 0, Math.max(0, this.count - 1));
    if (target === this.current) return;
    if (!this.reporter.held) this.visits.leave(this.current); // a film passes images, nobody looks at them
    this.current = target;
    this.changed("current");
  }

  /** Go back to the image looked at before this one; whether there is one. */
  goBack() {
    return this.revisit(this.visits.back(this.current));
  }

  /** Go to the image that `goBack` came from; whether there is one. */
  goForth() {
    return this.revisit(this.visits.forth(this.current));
  }

  /** @param {number | undefined} index */
  revisit(index) {
    if (index === undefined) return false;
    this.current = clamp(index, 0, Math.max(0, this.count - 1));
    this.changed("current");
    return true;
  }

  /** @param {Arrangement} arrangement */
  keepArrangement(arrangement) {
    this.arrangement = arrangement;
    showLink(this.tag, this.current, arrangement);
  }

  /** @param {Iterable<number>} indices */
  setSelected(indices) {
    this.selections.remember(encodeRanges(this.selected));
    this.selected = new Set(indices);
    this.changed("selection");
  }

  /**
   * @param {number} index
   * @param {boolean} [on]
   */
  toggle(index, on = !this.selected.has(index)) {
    this.selections.remember(encodeRanges(this.selected));
    if (on) this.selected.add(index);
    else this.selected.delete(index);
    this.anchor = index;
    this.changed("selection");
  }

  /**
   * Add `indices`, the images from the anchor to a shift-click.
   *
   * @param {Iterable<number>} indices
   */
  extend(indices) {
    this.selections.remember(encodeRanges(this.selected));
    for (const index of indices) this.selected.add(index);
    this.changed("selection");
  }

  /**
   * Select exactly those of `among` that are not selected now.
   *
   * @param {number[]} among
   */
  invert(among) {
    this.setSelected(among.filter((index) => !this.selected.has(index)));
  }

  /** @param {string | undefined} ranges undefined where there is nothing to go back or forth to */
  takeUp(ranges) {
    if (ranges === undefined) return;
    this.selected = decodeRanges(ranges);
    this.changed("selection");
  }

  /**
   * True when a key with Ctrl, Cmd or Alt was used: it undoes labels in Label mode, else the selection, or goes back and
   * forth through the images looked at. Where there is none, Alt and an arrow stay the browser's own way back.
   *
   * @param {KeyboardEvent} event
   */
  onShortcut(event) {
    if (this.teaching.onShortcut(event)) return true;
    if (event.altKey && !event.ctrlKey && !event.metaKey) {
      return event.key === "ArrowLeft" ? this.goBack() : event.key === "ArrowRight" && this.goForth();
    }
    const key = event.key.toLowerCase();
    if (this.teaching.on || event.altKey || (key !== "z" && key !== "y")) return false;
    const now = encodeRanges(this.selected);
    this.takeUp(key === "y" || event.shiftKey ? this.selections.redo(now) : this.selections.undo(now));
    return true;
  }

  allIndices() {
    return Array.from({ length: this.count }, (_, index) => index);
  }

  /** @param {"current" | "selection" | "index" | "results" | "teaching" | "arranged"} type */
  emit(type) {
    this.dispatchEvent(new Event(type));
  }

  /** @param {"current" | "selection"} type */
  changed(type) {
    this.emit(type);
    this.reporter.soon();
  }

  /** @returns {ViewReport} */
  state() {
    const state = { stack: this.id, version: this.version ?? 0, current: this.current, selected: encodeRanges(this.selected) };
    return this.teaching.on ? { ...state, taught: this.teaching.revision } : state;
  }
}
