import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ORDERS, arrange, leadingClasses } from "../../../pages/_ui/components/gallery/arrangement.js";
import { answersByImage } from "../../../pages/_ui/components/shared/answers.js";
import { StackStore } from "../../../pages/_ui/components/shared/store.js";
import { IMAGES, openPage } from "../page.js";

/** @import { Wish } from "../../../pages/_ui/components/gallery/arrangement.js" */

beforeEach(openPage);

/** @type {Wish} */
const NOTHING = { name: "", label: "", least: null, most: null, differing: false, known: "", kind: "", order: "position", descending: false };

const RUN = { model: "m", calibrated: true, known_scores: null, threshold: 0.05 };

/** Six images; 0, 1 and 2 have answers of two engines, 4 of one. */
function answered() {
  const store = new StackStore("abc");
  store.count = 6;
  store.images = {
    ...IMAGES,
    names: ["b/2.png", "a.png", "c10.png", "c9.png", "B.png", "z.png"],
    name_ranks: [2, 0, 4, 3, 1, 5],
  };
  store.answers = answersByImage({
    labels: ["cat", "dog", "class 10", "class 9"],
    runs: [
      { ...RUN, engine: "INT8", engine_name: "int8", images: [0, 1, 2, 4], classes: [0, 1, 2, 3], confidences: [0.9, 0.5, 0.7, 0.5] },
      { ...RUN, engine: "FP32", engine_name: "fp32", images: [0, 1, 2], classes: [0, 0, 2], confidences: [0.8, 0.5, 0.4] },
    ],
  });
  store.answerLines = 2;
  return store;
}

test("labels and suggestions, which are no labels", () => {
  const store = answered();
  const rest = { confidence: 1, engine: "", model: "" };
  store.answers = new Map([
    [0, [{ label: "cat", kind: "label", ...rest }]],
    [2, [{ label: "cat", kind: "suggestion", ...rest }]],
  ]);
  assert.deepEqual(arrange(store, { ...NOTHING, kind: "label" }).shown, [0]);
  assert.deepEqual(arrange(store, { ...NOTHING, kind: "suggestion" }).shown, [1, 2, 3, 4, 5]);
  assert.deepEqual(arrange(store, { ...NOTHING, label: "cat" }).shown, [0, 2]);
});

/** @type {[string, Partial<Wish>, number[]][]} */
const FILTERS = [
  ["nothing", {}, [0, 1, 2, 3, 4, 5]],
  ["part of a name, in any case", { name: " B" }, [0, 4]],
  ["a folder", { name: "b/" }, [0]],
  ["a class", { label: "cat" }, [0]],
  ["a least confidence", { least: 0.7 }, [0, 2]],
  ["a most confidence", { most: 0.5 }, [1, 4]],
  ["a least confidence of zero, which still asks for an answer", { least: 0 }, [0, 1, 2, 4]],
  ["engines that differ", { differing: true }, [1]],
  ["two things at once", { least: 0.5, most: 0.5, label: "dog" }, [1]],
  ["what does not occur", { label: "cow" }, []],
];

for (const [what, wish, expected] of FILTERS) {
  test(`filtered by ${what}`, () => {
    const { shown, filtered } = arrange(answered(), { ...NOTHING, ...wish });
    assert.deepEqual(shown, expected);
    assert.equal(filtered, Object.keys(wish).length > 0);
  });
}

/** @type {[string, number[], number[]][]} order, ascending, descending; what has no key comes last both times */
const SORTED = [
  ["position", [0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]],
  ["name", [1, 4, 0, 3, 2, 5], [5, 2, 3, 0, 4, 1]],
  ["class", [0, 4, 2, 1, 3, 5], [1, 2, 4, 0, 3, 5]],
  ["confidence", [1, 4, 2, 0, 3, 5], [0, 2, 1, 4, 3, 5]],
  ["difference", [0, 2, 1, 3, 4, 5], [1, 2, 0, 3, 4, 5]],
];

for (const [order, ascending, descending] of SORTED) {
  test(`sorted by ${order}`, () => {
    assert.deepEqual(arrange(answered(), { ...NOTHING, order }).shown, ascending);
    assert.deepEqual(arrange(answered(), { ...NOTHING, order, descending: true }).shown, descending);
  });
}

test("images that show one of the classes, or none; those without an answer are neither", () => {
  const store = answered();
  for (const [index, known] of /** @type {[number, boolean][]} */ ([[0, true], [1, false], [2, true]])) {
    for (const answer of store.answers.get(index) ?? []) answer.known = known;
  }
  assert.deepEqual(arrange(store, { ...NOTHING, known: "known" }).shown, [0, 2]);
  assert.deepEqual(arrange(store, { ...NOTHING, known: "unknown" }).shown, [1]);
  assert.deepEqual(arrange(store, { ...NOTHING, known: "unknown", label: "cat" }).shown, []);
});

test("an image that shows none of the classes has no confidence to be filtered or sorted by", () => {
  const store = answered();
  for (const answer of store.answers.get(0) ?? []) answer.known = false;
  assert.equal(arrange(answered(), { ...NOTHING, least: 0.8 }).shown.includes(0), true);
  assert.equal(arrange(store, { ...NOTHING, least: 0.8 }).shown.includes(0), false);
  assert.equal(arrange(store, { ...NOTHING, most: 1 }).shown.includes(0), false);
  const { shown } = arrange(store, { ...NOTHING, order: "confidence", descending: true });
  assert.equal(shown[0], 2);
  assert.equal(shown.indexOf(0), 3, "the answered ones come first");
});

test("every order there is has been sorted by", () => {
  assert.deepEqual(SORTED.map(([order]) => order), Object.keys(ORDERS));
});

test("without answers, what asks for them filters nothing", () => {
  const store = answered();
  store.answers = new Map();
  const { shown, filtered } = arrange(store, { ...NOTHING, label: "cat", least: 0.5, differing: true });
  assert.deepEqual([shown.length, filtered], [6, false]);
});

test("one engine does not differ from itself", () => {
  const store = answered();
  store.answerLines = 1;
  assert.equal(arrange(store, { ...NOTHING, differing: true }).filtered, false);
});

test("before names are known, a part of one filters nothing", () => {
  const store = answered();
  store.images = null;
  assert.equal(arrange(store, { ...NOTHING, name: "a" }).shown.length, 6);
});

test("the stack itself is never put in another order", () => {
  const store = answered();
  arrange(store, { ...NOTHING, descending: true });
  assert.deepEqual(store.allIndices(), [0, 1, 2, 3, 4, 5]);
});

test("the classes that lead, in the order of their names, and how often", () => {
  assert.deepEqual(leadingClasses(answered()), [["cat", 1], ["class 9", 1], ["class 10", 1], ["dog", 1]]);
});
