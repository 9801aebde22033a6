/* The controls of the gallery that filter and sort. */
import { BANDS } from "../shared/answers.js";
import { ORDERS, leadingClasses } from "./arrangement.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { Wish } from "./arrangement.js" */
/** @import { GalleryElements } from "./elements.js" */

export class ArrangementControls {
  descending = false;

  /**
   * @param {GalleryElements} ref
   * @param {StackStore} store
   * @param {() => void} onChange called when a control has changed what is shown
   */
  constructor(ref, store, onChange) {
    this.ref = ref;
    this.store = store;
    for (const field of [ref.filter, ref.least, ref.most]) field.oninput = onChange;
    for (const field of [ref.className, ref.differing, ref.known, ref.kind]) field.onchange = onChange;
    ref.sort.onchange = () => {
      this.setDescending(ORDERS[ref.sort.value].descendingFirst ?? false);
      onChange();
    };
    ref.direction.onclick = () => {
      this.setDescending(!this.descending);
      onChange();
    };
    ref.clear.onclick = () => {
      this.clear();
      onChange();
    };
    this.fill();
    this.setDescending(false);
    this.showClasses();
  }

  /** What does not change; a stack opened before may have done it. */
  fill() {
    const { sort, legend } = this.ref;
    if (sort.options.length > 0) return;
    sort.replaceChildren(...Object.entries(ORDERS).map(([value, { title }]) => new Option(title, value)));
    for (const [name, from] of BANDS) {
      const colour = document.createElement("i");
      colour.dataset.band = name;
      legend.append(colour, from > 0 ? `from ${from * 100}% ` : "less");
    }
  }

  clear() {
    const { ref } = this;
    for (const field of [ref.filter, ref.className, ref.least, ref.most, ref.known, ref.kind]) field.value = "";
    ref.differing.checked = false;
  }

  /** @param {boolean} on */
  setDescending(on) {
    this.descending = on;
    this.ref.direction.setAttribute("aria-pressed", String(on));
    this.ref.direction.classList.toggle("descending", on);
  }

  /** @returns {Wish} */
  get wish() {
    const { ref, store, descending } = this;
    return {
      name: ref.filter.value,
      label: ref.className.value,
      least: percentage(ref.least),
      most: percentage(ref.most),
      differing: ref.differing.checked,
      known: /** @type {Wish["known"]} */ (ref.known.value),
      kind: store.teaching.on ? /** @type {Wish["kind"]} */ (ref.kind.value) : "",
      order: ref.sort.value,
      descending,
    };
  }

  /** Results have come: offer the classes that occur, and what needs answers or two engines. */
  showClasses() {
    const { ref, store } = this;
    const classes = leadingClasses(store);
    const chosen = ref.className.value;
    const options = classes.map(([label, count]) => new Option(`${label} (${count.toLocaleString()})`, label));
    ref.className.replaceChildren(new Option("All classes", ""), ...options);
    ref.className.value = classes.some(([label]) => label === chosen) ? chosen : "";
    const engines = store.answerLines;
    const labelling = store.teaching.on;
    for (const option of ref.sort.options) {
      option.hidden = option.disabled = engines < ORDERS[option.value].engines;
      if (option.value === "confidence") option.textContent = labelling ? "By share" : ORDERS.confidence.title;
    }
    ref.kind.hidden = !labelling;
    ref.known.hidden = ![...store.answers.values()].some(([leading]) => leading?.known !== undefined);
    if (ref.known.hidden) ref.known.value = "";
    // A share is no confidence; and what is typed here while labelling would hide what is labelled.
    ref.between.hidden = ref.legend.hidden = labelling;
    if (labelling) ref.least.value = ref.most.value = "";
    ref.disagreement.hidden = engines < 2;
    if (ref.sort.selectedOptions[0].disabled) {
      ref.sort.value = "position";
      this.setDescending(false);
    }
  }
}

/**
 * A typed percentage as a share of one, or null where the field is empty.
 *
 * @param {HTMLInputElement} field
 */
function percentage(field) {
  return field.value === "" || Number.isNaN(field.valueAsNumber) ? null : field.valueAsNumber / 100;
}
