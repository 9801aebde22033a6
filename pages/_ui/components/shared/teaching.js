/*
 * Label mode: what a person says of a stack's images, and what the server has learned of it.
 *
 * A label shows at once, and travels to the server behind the person's back, one action after the other. What the server
 * knows, and what it suggests, comes back by columns, again and again while it is still learning.
 */
import { NO_ANSWER, failureMessage, resolveUrl } from "./addresses.js";
import { readPreference } from "./preferences.js";
import { taughtAnswers } from "./taught_answers.js";
import { onTeachingKey, onTeachingShortcut } from "./teaching_keys.js";
import { guard, unguard } from "./unsaved.js";

/** @import { Press } from "./keys.js" */
/** @import { AlikeImages, LabelAction, TeachingColumns, ViewData } from "./contract.js" */
/** @import { StackStore } from "./store.js" */

export const POLL_MS = 400;
const RETRY_MS = 3000;

export class Teaching {
  on = false;
  url = "";
  alikeUrl = "";
  /** @type {string[]} */
  classes = [];
  /** @type {Map<number, number>} image -> place of its class */
  labels = new Map();
  /** @type {Map<number, [number, number]>} image -> place of its class, -1 for none of these, and share in percent */
  suggestions = new Map();
  /** @type {number[]} */
  queue = [];
  note = "";
  error = "";
  canUndo = false;
  canRedo = false;
  revision = -1;
  version = 0;
  saved = 0;
  sending = 0;
  sent = Promise.resolve();
  asking = false;
  again = false;
  following = false; // whoever undoes wants to see what comes back
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  /** @type {() => number[]} the images on show, in order */
  shown = () => this.store.allIndices();

  /** @param {StackStore} store */
  constructor(store) {
    this.store = store;
    /** @type {string} where to go after a label: next, queue or stay */
    this.after = readPreference("after-label", "next");
  }

  /**
   * Take what Python sent.
   *
   * @param {ViewData} data
   */
  update({ teaching_url, alike_url, teaching_revision }) {
    const { on } = this;
    this.on = teaching_url !== "";
    this.url = teaching_url;
    this.alikeUrl = alike_url;
    if (this.on) {
      guard(this);
      if (!on) this.show();
      if (!on || teaching_revision !== this.revision) this.refresh();
    } else {
      unguard(this);
      clearTimeout(this.timer);
    }
    if (on !== this.on) this.store.emit("teaching");
  }

  get isSaved() {
    return this.sending === 0 && (this.labels.size === 0 || this.version === this.saved);
  }

  /** Those that get the next label: the selected images, or the current one. */
  get targets() {
    const { selected, current } = this.store;
    return selected.size > 0 ? [...selected].sort((a, b) => a - b) : [current];
  }

  /** The place of the class that is suggested for the current image, if any is and it has no label. */
  get acceptable() {
    const { current } = this.store;
    const place = this.labels.has(current) ? undefined : this.suggestions.get(current)?.[0];
    return place === undefined || place < 0 ? undefined : place;
  }

  /** @param {number} place */
  count(place) {
    let count = 0;
    for (const label of this.labels.values()) count += Number(label === place);
    return count;
  }

  /**
   * Give the targets a class, or take it away.
   *
   * @param {number | null} place
   */
  assign(place) {
    const name = place === null ? null : this.classes[place];
    if (name === undefined) return;
    const { store, targets } = this;
    const next = name === null ? undefined : this.next(new Set(targets));
    for (const index of targets) {
      if (place === null) this.labels.delete(index);
      else this.labels.set(index, place);
    }
    this.send({ do: "label", images: targets, label: name });
    this.canUndo = true;
    this.show();
    if (store.selected.size > 0) store.setSelected([]); // the next label is not for these
    if (next !== undefined) store.setCurrent(next);
  }

  /** The suggestion of the current image becomes its label. */
  accept() {
    const { acceptable, store } = this;
    if (acceptable === undefined) return;
    if (store.selected.size > 0) store.setSelected([]);
    this.assign(acceptable);
  }

  /** Go to the image that teaches most. */
  review() {
    const [first] = this.waiting(new Set([this.store.current]));
    if (first !== undefined) this.store.setCurrent(first);
  }

  /** Select the images without a label that are most like the current one, and it, so that one key labels them all. */
  async alike() {
    const { store } = this;
    const { current } = store;
    try {
      const response = await fetch(resolveUrl(this.alikeUrl, { index: current }));
      if (!response.ok) throw new Error(await failureMessage(response));
      /** @type {AlikeImages} */
      const { images } = await response.json();
      if (!this.on || store.current !== current) return; // overtaken
      this.error = "";
      store.setSelected([...(this.labels.has(current) ? [] : [current]), ...images]);
    } catch (error) {
      this.complain(error);
    }
  }

  /** @param {Set<number>} besides */
  waiting(besides) {
    return this.queue.filter((index) => !this.labels.has(index) && !besides.has(index));
  }

  /**
   * Where to go once `done` have labels; undefined to stay.
   *
   * @param {Set<number>} done
   */
  next(done) {
    if (this.after === "stay") return undefined;
    const [first] = this.after === "queue" ? this.waiting(done) : [];
    if (first !== undefined) return first;
    const shown = this.shown();
    const place = shown.indexOf(this.store.current);
    const order = [...shown.slice(place + 1), ...shown.slice(0, Math.max(place, 0))];
    return order.find((index) => !this.labels.has(index) && !done.has(index));
  }

  undo() {
    if (this.canUndo) this.step("undo");
  }

  redo() {
    if (this.canRedo) this.step("redo");
  }

  /** @param {"undo" | "redo"} what */
  step(what) {
    this.following = true;
    this.send({ do: what });
  }

  /** @param {LabelAction} action */
  send(action) {
    this.sending += 1;
    this.error = "";
    this.sent = this.sent.then(() => this.post(action));
    return this.sent;
  }

  /** @param {LabelAction} action */
  async post(action) {
    try {
      const response = await fetch(resolveUrl(this.url), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(action),
      });
      if (!response.ok) throw new Error(await failureMessage(response));
      this.version = (await response.json()).version;
    } catch (error) {
      this.fail(error);
    }
    this.sending -= 1;
    if (this.sending === 0) await this.refresh();
  }

  /** Ask what the server knows. */
  async refresh() {
    clearTimeout(this.timer);
    if (!this.on) return;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    const { url } = this;
    /** @type {TeachingColumns | null} */
    let columns = null;
    try {
      const response = await fetch(resolveUrl(url));
      if (!response.ok) throw new Error(await failureMessage(response));
      columns = await response.json();
    } catch (error) {
      this.fail(error);
      if (error instanceof TypeError) this.timer = setTimeout(() => this.refresh(), RETRY_MS);
    }
    this.asking = false;
    if (!this.on || url !== this.url) return;
    if (this.again) {
      this.again = false;
      await this.refresh();
    } else if (columns && this.sending === 0) {
      // What is on its way to the server comes back once it is there.
      this.take(columns);
      if (columns.pending) this.timer = setTimeout(() => this.refresh(), POLL_MS);
    }
  }

  /** @param {TeachingColumns} columns */
  take(columns) {
    const { store, labels, following } = this;
    const changed = columns.revision !== this.revision;
    this.note = columns.note;
    this.version = columns.version;
    this.saved = columns.saved;
    this.following = false;
    if (!changed) {
      store.emit("teaching");
      return;
    }
    this.revision = columns.revision;
    this.classes = columns.classes;
    this.labels = new Map(columns.images.map((index, place) => [index, columns.labels[place]]));
    this.suggestions = new Map(
      columns.suggested.map((index, place) => [index, [columns.suggestions[place], columns.shares[place]]]),
    );
    this.queue = columns.queue;
    this.canUndo = columns.can_undo;
    this.canRedo = columns.can_redo;
    this.show();
    if (following) this.follow(labels);
    store.reporter.soon();
  }

  /**
   * Go to the first image whose label is another one than before.
   *
   * @param {Map<number, number>} before
   */
  follow(before) {
    const images = [...new Set([...before.keys(), ...this.labels.keys()])];
    const moved = images.filter((index) => before.get(index) !== this.labels.get(index)).sort((a, b) => a - b);
    if (moved.length > 0 && !moved.includes(this.store.current)) this.store.setCurrent(moved[0]);
  }

  /** @param {unknown} error */
  fail(error) {
    this.revision = -1; // what is on show may not be what the server knows
    this.complain(error);
  }

  /** @param {unknown} error */
  complain(error) {
    this.error = error instanceof TypeError ? NO_ANSWER : /** @type {Error} */ (error).message;
    this.store.emit("teaching");
  }

  /** Captions, filters and sorting go by labels and suggestions, as they go by answers elsewhere. */
  show() {
    this.store.setAnswers(taughtAnswers(this));
    this.store.emit("teaching");
  }

  /**
   * True when the key was used here.
   *
   * @param {Press} event
   * @param {HTMLElement} target
   */
  onKey(event, target) {
    return onTeachingKey(this, event, target);
  }

  /**
   * The same for keys with Ctrl or Cmd.
   *
   * @param {KeyboardEvent} event
   */
  onShortcut(event) {
    return onTeachingShortcut(this, event);
  }
}
