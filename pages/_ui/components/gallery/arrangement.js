/*
 * Which images the gallery shows, and in which order: filters by name, class, confidence, disagreement and whether the
 * model knows anything like them, and sorting. What an image is filtered and sorted by is its leading answer, the one in its caption.
 */
import { differ, difference } from "../shared/answers.js";

/** @import { Answer } from "../shared/answers.js" */
/** @import { StackStore } from "../shared/store.js" */

/**
 * What a person asked for; nothing is filtered by an empty text, an empty class, null or false.
 *
 * @typedef {object} Wish
 * @property {string} name part of the file name
 * @property {string} label
 * @property {number | null} least share of one
 * @property {number | null} most share of one
 * @property {boolean} differing
 * @property {"" | "known" | "unknown"} known those that show one of the classes, or none
 * @property {"" | "label" | "suggestion"} kind those with a label, or without one
 * @property {string} order a key of ORDERS
 * @property {boolean} descending
 */

/**
 * @typedef {object} Order
 * @property {string} title
 * @property {number} engines how many must have answered for it to make sense
 * @property {boolean} [descendingFirst]
 * @property {(store: StackStore, index: number) => number | string | undefined} key
 */

/** @type {Record<string, Order>} */
export const ORDERS = {
  position: { title: "By position", engines: 0, key: (_, index) => index },
  name: { title: "By name", engines: 0, key: (store, index) => store.nameRank(index) },
  class: { title: "By class", engines: 1, key: (store, index) => store.answers.get(index)?.[0]?.label },
  confidence: {
    title: "By confidence",
    engines: 1,
    descendingFirst: true,
    key: (store, index) => confidenceOf(store.answers.get(index)?.[0]),
  },
  difference: {
    title: "By difference",
    engines: 2,
    descendingFirst: true,
    key: (store, index) => difference(store.answers.get(index) ?? []),
  },
};

/**
 * What filters and sorts by confidence: nothing for an image that shows none of the classes.
 *
 * @param {Answer | undefined} leading
 */
const confidenceOf = (leading) => (leading?.known === false ? undefined : leading?.confidence);

/** Class names as people sort them. */
export const byLabel = new Intl.Collator(undefined, { numeric: true }).compare;

/**
 * The positions of the images to show, in order, and whether any filter is at work.
 *
 * @param {StackStore} store
 * @param {Wish} wish
 */
export function arrange(store, wish) {
  const tests = testsOf(store, wish);
  const shown = store.allIndices().filter((index) => tests.every((test) => test(index)));
  return { shown: sorted(store, shown, wish), filtered: tests.length > 0 };
}

/**
 * @param {StackStore} store
 * @param {Wish} wish
 */
function testsOf(store, { name, label, least, most, differing, known, kind }) {
  /** @type {((index: number) => boolean)[]} */
  const tests = [];
  const part = name.trim().toLowerCase();
  if (part && store.images) tests.push((index) => store.name(index).toLowerCase().includes(part));
  if (store.answers.size === 0) return tests;
  const leading = (/** @type {number} */ index) => store.answers.get(index)?.[0];
  const confidence = (/** @type {number} */ index) => confidenceOf(leading(index)) ?? NaN; // compares as false
  if (kind) tests.push((index) => (leading(index)?.kind === "label") === (kind === "label"));
  if (known) tests.push((index) => leading(index)?.known === (known === "known"));
  if (label) tests.push((index) => leading(index)?.label === label);
  if (least !== null) tests.push((index) => confidence(index) >= least);
  if (most !== null) tests.push((index) => confidence(index) <= most);
  if (differing && store.answerLines > 1) tests.push((index) => differ(store.answers.get(index) ?? []));
  return tests;
}

/**
 * Sorted by the chosen key; what has none comes last, and equals stay in the order of the stack.
 *
 * @param {StackStore} store
 * @param {number[]} indices
 * @param {Wish} wish
 */
function sorted(store, indices, { order, descending }) {
  if (order === "position") return descending ? indices.reverse() : indices;
  const keys = new Map(indices.map((index) => [index, ORDERS[order].key(store, index)]));
  return indices.sort((first, second) => {
    const [a, b] = [keys.get(first), keys.get(second)];
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
    return descending ? compare(b, a) : compare(a, b);
  });
}

/**
 * @param {number | string} a
 * @param {number | string} b
 */
function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : byLabel(String(a), String(b));
}

/**
 * The classes that lead somewhere, in order, with how often they do.
 *
 * @param {StackStore} store
 */
export function leadingClasses(store) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const [leading] of store.answers.values()) {
    if (leading) counts.set(leading.label, (counts.get(leading.label) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => byLabel(a, b));
}
