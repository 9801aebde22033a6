/* The list of all keys: a letter in it is a button that takes another key. */
import { find } from "../shared/elements.js";
import { takeNextKey } from "../shared/keys.js";
import { keymap } from "../shared/keymap.js";

/** @import { ViewerElements } from "./elements.js" */

export class KeyEditor {
  listeners = new AbortController();
  /** @type {Map<Element, string>} the usual titles of what is pressed by a key, `Fit the image (0)` */
  titles = new Map();

  /**
   * @param {ViewerElements} ref
   * @param {HTMLElement} frame where everything is that a key presses
   */
  constructor(ref, frame) {
    this.ref = ref;
    for (const element of frame.querySelectorAll("[title$=')']")) {
      this.titles.set(element, element.getAttribute("data-usual-title") ?? element.getAttribute("title") ?? "");
      element.setAttribute("data-usual-title", this.titles.get(element) ?? "");
    }
    /** @type {HTMLButtonElement[]} */
    this.buttons = [...ref.dialog.querySelectorAll("button")].filter((button) => button.dataset.key);
    for (const button of this.buttons) button.onclick = () => this.ask(button);
    ref.usualKeys.onclick = () => keymap.reset();
    ref.dialog.onclose = () => {
      takeNextKey(null);
      this.show();
    };
    keymap.addEventListener("change", () => this.show(), { signal: this.listeners.signal });
    this.show();
  }

  remove() {
    this.listeners.abort();
    takeNextKey(null);
  }

  show() {
    for (const button of this.buttons) {
      const key = keymap.keyOf(button.dataset.key ?? "");
      const what = button.closest("div")?.querySelector("dd")?.textContent ?? "";
      find(button, "kbd").textContent = key;
      button.setAttribute("aria-label", `${key}: ${what}. Change this key`);
      button.removeAttribute("aria-pressed");
    }
    for (const [element, title] of this.titles) {
      element.setAttribute("title", title.replace(/\(([a-z])\)$/, (_, usual) => `(${keymap.keyOf(usual)})`));
    }
    this.ref.usualKeys.hidden = !keymap.isChanged;
    this.ref.keyNote.textContent = "Press a letter below to give it another key.";
  }

  /** @param {HTMLButtonElement} button */
  ask(button) {
    this.show();
    find(button, "kbd").textContent = "…";
    button.setAttribute("aria-pressed", "true");
    this.ref.keyNote.textContent = "Press the new key: the two change places. Escape leaves all as it is.";
    takeNextKey((key) => {
      const taken = key === "Escape" || keymap.give(button.dataset.key ?? "", key);
      this.show();
      if (!taken) this.ref.keyNote.textContent = "Only letters and signs can be chosen.";
    });
  }
}
