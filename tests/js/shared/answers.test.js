import assert from "node:assert/strict";
import { test } from "node:test";

import { answersByImage, band, caption, differ, difference, heading, nearest, showBand } from "../../../pages/_ui/components/shared/answers.js";

const COLUMNS = {
  labels: ["cat", "dog"],
  runs: [
    { engine: "INT8", engine_name: "int8", model: "starter", images: [4, 2], classes: [0, 1], confidences: [0.75, 0.5], calibrated: true, known_scores: [0.5, 0.01], threshold: 0.05 },
    { engine: "FP32", engine_name: "fp32", model: "own", images: [4], classes: [1], confidences: [0.25], calibrated: false, known_scores: null, threshold: 0.05 },
  ],
};

/** @param {[string, number][]} found */
const answersOf = (...found) => found.map(([label, confidence]) => ({ label, confidence, engine: "", model: "" }));

test("columns become the answers of each image, in the order of the runs", () => {
  const answers = answersByImage(COLUMNS);
  assert.deepEqual([...answers.keys()].sort(), [2, 4]);
  assert.deepEqual(answers.get(4), [
    { label: "cat", confidence: 0.75, engine: "INT8", engineName: "int8", model: "starter", calibrated: true, known: true, knownScore: 0.5 },
    { label: "dog", confidence: 0.25, engine: "FP32", engineName: "fp32", model: "own", calibrated: false, known: undefined, knownScore: undefined },
  ]);
  assert.deepEqual(answers.get(2), [{ label: "dog", confidence: 0.5, engine: "INT8", engineName: "int8", model: "starter", calibrated: true, known: false, knownScore: 0.01 }]);
  assert.equal(answers.get(0), undefined);
});

test("no runs, no answers", () => assert.equal(answersByImage({ labels: [], runs: [] }).size, 0));

test("engines differ when they name different classes, however sure they are", () => {
  assert.equal(differ(answersOf(["cat", 0.9], ["cat", 0.1])), false);
  assert.equal(differ(answersOf(["cat", 0.9], ["dog", 0.9])), true);
  assert.equal(differ(answersOf(["cat", 0.9])), false);
  assert.equal(differ([]), false);
});

test("different classes are further apart than any confidence", () => {
  const same = difference(answersOf(["cat", 1], ["cat", 0]));
  const other = difference(answersOf(["cat", 0.5], ["dog", 0.5]));
  assert.deepEqual([same, other], [1, 1]);
  assert.equal(difference(answersOf(["cat", 0.75], ["dog", 0.5])), 1.25);
  assert.equal(difference(answersOf(["cat", 1])), undefined, "one engine has nothing to be apart from");
});

for (const [confidence, expected] of /** @type {[number, string][]} */ ([
  [1, "high"], [0.8, "high"], [0.799, "middle"], [0.5, "middle"], [0.499, "low"], [0, "low"],
])) {
  test(`${confidence} is ${expected}`, () => assert.equal(band(confidence), expected));
}

test("an image that shows none of the classes is called that, with the nearest class", () => {
  const answer = { label: "cat", confidence: 1, engine: "", model: "" };
  assert.equal(caption({ ...answer, known: false }), "none of these (nearest: cat)");
  assert.equal(caption({ ...answer, known: true }), "cat");
  assert.equal(caption(answer), "cat", "where nobody can tell, the class is said");
});

test("only an image that shows none of the classes has a nearest one, and no colour of how sure that is", () => {
  const answer = { label: "cat", confidence: 1, engine: "", model: "" };
  const unknown = { ...answer, known: false };
  assert.deepEqual([unknown, answer].map(heading), ["None of these", "cat"]);
  assert.deepEqual([unknown, answer].map(nearest), ["cat", ""]);
  const suggestion = { ...unknown, label: "none of these", kind: /** @type {const} */ ("suggestion") };
  assert.deepEqual([heading(suggestion), nearest(suggestion), caption(suggestion)], ["none of these", "", "none of these"]);
  const element = /** @type {HTMLElement} */ (/** @type {unknown} */ ({ dataset: {} }));
  showBand(element, answer);
  assert.equal(element.dataset.band, "high");
  for (const without of [unknown, suggestion, undefined]) {
    showBand(element, without);
    assert.equal("band" in element.dataset, false);
    showBand(element, answer);
  }
});

test("a score at the threshold is known", () => {
  const run = { ...COLUMNS.runs[0], known_scores: [0.05, 0.049] };
  const answers = answersByImage({ labels: COLUMNS.labels, runs: [run] });
  assert.deepEqual([4, 2].map((index) => answers.get(index)?.[0].known), [true, false]);
});
