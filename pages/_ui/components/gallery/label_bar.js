/* The controls of Label mode: a button for each class, undo, and where to go after a label. */
import { textElement } from "../shared/format.js";
import { keepPreference } from "../shared/preferences.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { GalleryElements } from "./elements.js" */

const MOST_KEYS = 9; // classes with a number key of their own
const MOST_CHIPS = 24; // more are in the drop-down alone
const NO_LABEL = "none";

export class LabelBar {
  drawn = "";

  /**
   * @param {HTMLElement} gallery
   * @param {GalleryElements} ref
   * @param {StackStore} store
   */
  constructor(gallery, ref, store) {
    this.gallery = gallery;
    this.ref = ref;
    this.store = store;
    const { teaching } = store;
    ref.undo.onclick = () => teaching.undo();
    ref.redo.onclick = () => teaching.redo();
    ref.accept.onclick = () => teaching.accept();
    ref.alike.onclick = () => teaching.alike();
    ref.give.onchange = () => {
      const { value } = ref.give;
      ref.give.value = "";
      ref.give.blur();
      if (value) teaching.assign(value === NO_LABEL ? null : Number(value));
    };
    ref.after.value = teaching.after;
    ref.after.onchange = () => {
      teaching.after = ref.after.value;
      ref.after.blur(); // the next key is a label again
      keepPreference("after-label", ref.after.value);
    };
    ref.review.onclick = () => {
      ref.after.value = teaching.after = "queue";
      teaching.review();
    };
  }

  show() {
    const { ref } = this;
    const { teaching } = this.store;
    ref.labelling.hidden = !teaching.on;
    this.gallery.classList.toggle("label-mode", teaching.on);
    if (!teaching.on) return;
    this.draw();
    const [first, ...others] = teaching.targets;
    ref.noClasses.hidden = teaching.classes.length > 0;
    ref.given.hidden = teaching.classes.length === 0 && !teaching.canUndo && !teaching.canRedo;
    ref.target.textContent = others.length > 0 ? `${others.length + 1} selected images` : `Image ${first + 1}`;
    ref.undo.disabled = !teaching.canUndo;
    ref.redo.disabled = !teaching.canRedo;
    const { acceptable } = teaching;
    ref.accept.disabled = acceptable === undefined;
    ref.accept.textContent = acceptable === undefined ? "Accept" : `Accept ${teaching.classes[acceptable]}`;
    ref.review.disabled = teaching.waiting(new Set()).length === 0;
    ref.note.textContent = teaching.error || teaching.note;
    ref.note.classList.toggle("error", teaching.error !== "");
    const labels = new Set(teaching.targets.map((index) => teaching.labels.get(index)));
    for (const [place, chip] of this.chips().entries()) {
      const count = teaching.count(place);
      const name = teaching.classes[place];
      /** @type {HTMLElement} */ (chip.lastElementChild).textContent = count.toLocaleString();
      chip.setAttribute("aria-pressed", String(labels.size === 1 && labels.has(place)));
      chip.setAttribute("aria-label", `Label ${name}: ${count.toLocaleString()} so far`);
    }
  }

  chips() {
    return /** @type {HTMLElement[]} */ (Array.from(this.ref.chips.querySelectorAll(".chip:not(.take)")));
  }

  /** Chips and options, anew only when the classes have changed: a finger may rest on one. */
  draw() {
    const { ref } = this;
    const { teaching } = this.store;
    const { classes } = teaching;
    const drawn = JSON.stringify(classes);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const take = this.chip("0", "No label", () => teaching.assign(null));
    take.classList.add("take");
    const chips = classes.slice(0, MOST_CHIPS).map((name, place) => {
      const chip = this.chip(place < MOST_KEYS ? String(place + 1) : "", name, () => teaching.assign(place));
      chip.append(textElement("span", "count", ""));
      return chip;
    });
    ref.chips.replaceChildren(...(classes.length > 0 ? [...chips, take] : []));
    ref.give.replaceChildren(
      new Option("Give a class", ""),
      ...classes.map((name, place) => new Option(name, String(place))),
      new Option("No label", NO_LABEL),
    );
    ref.give.hidden = classes.length === 0;
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {() => void} action
   */
  chip(key, name, action) {
    const chip = /** @type {HTMLButtonElement} */ (textElement("button", "chip text", ""));
    if (key) chip.append(textElement("kbd", "", key));
    chip.append(textElement("span", "name", name));
    chip.title = name;
    chip.onclick = action;
    return chip;
  }
}
