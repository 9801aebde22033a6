/* The controls of the gallery that filter and sort. */
import { BANDS } from "../shared/answers.js";
import { ORDERS, leadingClasses } from "./arrangement.js";

/** @import { Arrangement } from "../shared/link.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { Wish } from "./arrangement.js" */
/** @import { GalleryElements } from "./elements.js" */

export class ArrangementControls {
  descending = false;
  /** @type {Arrangement | undefined} what waits for answers, which most filters are about */
  waiting;

  /**
   * @param {GalleryElements} ref
   * @param {StackStore} store
   * @param {() => void} onChange called when a control has changed what is shown
   */
  constructor(ref, store, onChange) {
    this.ref = ref;
    this.store = store;
    const changed = () => {
      this.waiting = undefined; // what a person does now counts
      onChange();
    };
    for (const field of [ref.filter, ref.least, ref.most]) field.oninput = changed;
    for (const field of [ref.className, ref.differing, ref.known, ref.kind]) field.onchange = changed;
    ref.sort.onchange = () => {
      this.setDescending(ORDERS[ref.sort.value].descendingFirst ?? false);
      changed();
    };
    ref.direction.onclick = () => {
      this.setDescending(!this.descending);
      changed();
    };
    ref.clear.onclick = () => {
      this.clear();
      changed();
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

  /** @returns {Arrangement} */
  get arrangement() {
    const { ref, descending } = this;
    const sort = (descending ? "-" : "") + ref.sort.value;
    return {
      name: ref.filter.value, class: ref.className.value, least: ref.least.value, most: ref.most.value,
      differing: ref.differing.checked ? "yes" : "", known: ref.known.value, kind: ref.kind.value,
      sort: sort === "position" ? "" : sort,
    };
  }

  /**
   * Filter and sort as before; what is about answers, as soon as there are some.
   *
   * @param {Arrangement} arrangement
   */
  restore(arrangement) {
    this.waiting = arrangement;
    this.clear();
    this.ref.filter.value = arrangement.name ?? "";
    this.sortBy(arrangement.sort ?? "");
    if (this.store.answers.size > 0) this.showClasses();
  }

  /** @param {string} sort a key of ORDERS, after a `-` where it descends */
  sortBy(sort) {
    const { options } = this.ref.sort;
    const order = sort.replace(/^-/, "");
    const known = Array.from(options).some((option) => option.value === order && !option.disabled);
    this.ref.sort.value = known ? order : "position";
    this.setDescending(sort.startsWith("-") && (known || order === "position"));
  }

  /** Filters that waited for answers. */
  catchUp() {
    const { ref, waiting } = this;
    if (!waiting || this.store.answers.size === 0) return;
    this.waiting = undefined;
    ref.className.value = waiting.class ?? "";
    if (ref.className.selectedIndex < 0) ref.className.value = "";
    ref.least.value = waiting.least ?? "";
    ref.most.value = waiting.most ?? "";
    ref.differing.checked = waiting.differing === "yes";
    for (const [field, value] of /** @type {const} */ ([[ref.known, waiting.known], [ref.kind, waiting.kind]])) {
      field.value = value ?? "";
      if (field.selectedIndex < 0) field.value = "";
    }
    this.sortBy(waiting.sort ?? "");
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
    this.catchUp();
    ref.kind.hidden = !labelling;
    ref.known.hidden = labelling || ![...store.answers.values()].some(([leading]) => leading?.known !== undefined);
    if (ref.known.hidden) ref.known.value = "";
    // A share is no confidence; and what is typed here while labelling would hide what is labelled.
    ref.between.hidden = ref.legend.hidden = labelling;
    if (labelling) ref.least.value = ref.most.value = "";
    ref.disagreement.hidden = engines < 2;
    if (ref.sort.selectedOptions[0]?.disabled) {
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
