/* One cell of the gallery; used again for another image when it scrolls out of view. */
import { resolveUrl } from "../shared/addresses.js";
import { differ, heading, nearest, showBand } from "../shared/answers.js";
import { find } from "../shared/elements.js";
import { formatShare, spoken, textElement } from "../shared/format.js";
import { onLongPress } from "../shared/long_press.js";

/** @import { Answer } from "../shared/answers.js" */
/** @import { StackStore } from "../shared/store.js" */

/**
 * What a cell tells the gallery.
 *
 * @typedef {object} CellHost
 * @property {StackStore} store
 * @property {(index: number, event: MouseEvent) => void} clicked
 * @property {(index: number, on: boolean, shiftKey: boolean) => void} picked
 */

export class Cell {
  index = -1;

  /**
   * @param {HTMLElement} element
   * @param {CellHost} gallery
   */
  constructor(element, gallery) {
    this.element = element;
    this.store = gallery.store;
    this.open = /** @type {HTMLButtonElement} */ (find(element, ".open"));
    this.image = /** @type {HTMLImageElement} */ (find(element, "img"));
    this.broken = find(element, ".broken");
    this.bar = find(element, ".bar");
    this.checkbox = /** @type {HTMLInputElement} */ (find(element, "input"));
    this.label = find(element, ".label");
    this.engine = find(element, ".engine");
    this.file = find(element, ".file");
    this.open.onclick = (event) => gallery.clicked(this.index, event);
    this.checkbox.onclick = (event) => gallery.picked(this.index, this.checkbox.checked, event.shiftKey);
    onLongPress(this.open, () => this.store.toggle(this.index));
    this.image.onload = () => this.image.classList.add("ready");
    this.image.onerror = () => {
      this.broken.hidden = false;
    };
  }

  /** @param {number} index */
  show(index) {
    this.index = index;
    this.image.removeAttribute("src");
    this.image.classList.remove("ready");
    this.broken.hidden = true;
    this.refresh();
  }

  load() {
    if (!this.image.hasAttribute("src")) this.image.src = resolveUrl(this.store.thumbnailUrl, { index: this.index });
  }

  /**
   * @param {number} place
   * @param {number} total
   * @param {number} x
   * @param {number} y
   */
  place(place, total, x, y) {
    this.element.style.transform = `translate(${x}px, ${y}px)`;
    this.element.setAttribute("aria-posinset", String(place + 1));
    this.element.setAttribute("aria-setsize", String(total));
  }

  refresh() {
    const { store, index } = this;
    const name = store.name(index);
    const answers = store.answers.get(index) ?? [];
    const selected = store.selected.has(index);
    const said = answers.map(spoken);
    this.element.dataset.index = String(index);
    this.element.classList.toggle("selected", selected);
    this.checkbox.checked = selected;
    this.checkbox.setAttribute("aria-label", `Select ${name}`);
    this.file.textContent = name.slice(name.lastIndexOf("/") + 1);
    this.image.alt = `Thumbnail of ${name}`;
    this.open.title = [name, ...said].join("\n");
    this.open.setAttribute("aria-label", [`Image ${index + 1}: ${name}`, ...said].join("; "));
    this.showLabel(answers);
    this.refreshCurrent();
  }

  /** @param {Answer[]} answers */
  showLabel(answers) {
    const [leading] = answers;
    this.label.replaceChildren();
    this.bar.hidden = !leading || leading.kind !== undefined || leading.known === false;
    showBand(this.element, leading);
    delete this.element.dataset.kind;
    this.element.classList.toggle("unknown", leading?.known === false);
    this.engine.textContent = leading && nearest(leading) ? `nearest: ${nearest(leading)}` : (leading?.engine ?? "");
    if (!leading) return;
    const [share, { confidence, kind }] = [formatShare(leading), leading];
    if (kind) this.element.dataset.kind = kind;
    this.bar.style.setProperty("--share", String(confidence));
    this.label.append(textElement("span", "class", heading(leading)));
    if (share) this.label.append(textElement("span", "confidence", share));
    if (differ(answers)) this.label.append(textElement("span", "differs", "≠"));
  }

  refreshCurrent() {
    const current = this.index === this.store.current;
    this.element.classList.toggle("current", current);
    if (current) this.open.setAttribute("aria-current", "true");
    else this.open.removeAttribute("aria-current");
  }
}
