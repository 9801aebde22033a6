/*
 * Which images the gallery shows, and in which order: filters by name, class, confidence and disagreement, and
 * sorting. What an image is filtered and sorted by is its leading answer, the one in its caption.
 */
const byName = new Intl.Collator(undefined, { numeric: true }).compare;
const SORT_KEYS = {
  position: (store, index) => index,
  name: (store, index) => store.name(index),
  class: (store, index) => store.answers.get(index)?.[0]?.[0],
  confidence: (store, index) => store.answers.get(index)?.[0]?.[1],
  difference: (store, index) => difference(store.answers.get(index) ?? []),
};
const DESCENDING_FIRST = new Set(["confidence", "difference"]);

class Arrangement {
  /** `onChange` is called when a control has changed what is shown. */
  constructor(ref, store, onChange) {
    Object.assign(this, { ref, store, onChange });
    for (const field of [ref.filter, ref.least, ref.most]) field.oninput = onChange;
    for (const field of [ref.className, ref.differing]) field.onchange = onChange;
    ref.sort.onchange = () => {
      this.setDescending(DESCENDING_FIRST.has(ref.sort.value));
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
    this.setDescending(false);
    this.showClasses();
  }

  clear() {
    const { ref } = this;
    for (const field of [ref.filter, ref.className, ref.least, ref.most]) field.value = "";
    ref.differing.checked = false;
  }

  setDescending(on) {
    this.descending = on;
    this.ref.direction.setAttribute("aria-pressed", String(on));
    this.ref.direction.classList.toggle("descending", on);
  }

  /** The positions of the images to show, in order. */
  apply() {
    const { store } = this;
    const tests = this.tests();
    this.filtered = tests.length > 0;
    this.ref.clear.hidden = !this.filtered;
    return this.sorted(store.allIndices().filter((index) => tests.every((test) => test(index))));
  }

  tests() {
    const { ref, store } = this;
    const tests = [];
    const wanted = ref.filter.value.trim().toLowerCase();
    if (wanted && store.images) tests.push((index) => store.name(index).toLowerCase().includes(wanted));
    if (store.answers.size === 0) return tests;
    const leading = (index) => store.answers.get(index)?.[0] ?? [];
    const label = ref.className.value;
    if (label) tests.push((index) => leading(index)[0] === label);
    const [least, most] = [percentage(ref.least), percentage(ref.most)];
    if (least !== null) tests.push((index) => leading(index)[1] >= least);
    if (most !== null) tests.push((index) => leading(index)[1] <= most);
    if (ref.differing.checked && store.answerLines > 1) tests.push((index) => differ(store.answers.get(index) ?? []));
    return tests;
  }

  /** Sorted by the chosen key; what has none comes last, and equals stay in the order of the stack. */
  sorted(indices) {
    const { sort } = this.ref;
    if (sort.value === "position") return this.descending ? indices.reverse() : indices;
    const keys = new Map(indices.map((index) => [index, SORT_KEYS[sort.value](this.store, index)]));
    const compare = (a, b) => (typeof a === "string" ? byName(a, b) : a - b);
    return indices.sort((first, second) => {
      const [a, b] = [keys.get(first), keys.get(second)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      return this.descending ? compare(b, a) : compare(a, b);
    });
  }

  /** Results have come: offer the classes that occur, and what needs answers or two engines. */
  showClasses() {
    const { ref, store } = this;
    const counts = new Map();
    for (const [leading] of store.answers.values()) if (leading) counts.set(leading[0], (counts.get(leading[0]) ?? 0) + 1);
    const chosen = ref.className.value;
    const options = [...counts].sort(([a], [b]) => byName(a, b)).map(([label, count]) => new Option(`${label} (${count.toLocaleString()})`, label));
    ref.className.replaceChildren(new Option("All classes", ""), ...options);
    ref.className.value = counts.has(chosen) ? chosen : "";
    const engines = store.answerLines;
    const needed = { class: 1, confidence: 1, difference: 2 };
    for (const option of ref.sort.options) option.hidden = option.disabled = engines < (needed[option.value] ?? 0);
    ref.disagreement.hidden = engines < 2;
    if (ref.sort.selectedOptions[0].disabled) {
      ref.sort.value = "position";
      this.setDescending(false);
    }
  }
}

/** A typed percentage as a share of one, or null where the field is empty. */
function percentage(field) {
  return field.value === "" || Number.isNaN(field.valueAsNumber) ? null : field.valueAsNumber / 100;
}
