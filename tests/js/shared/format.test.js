import assert from "node:assert/strict";
import { test } from "node:test";

import { formatBytes, formatConfidence, spoken } from "../../../pages/_ui/components/shared/format.js";

for (const [bytes, text] of /** @type {[number, string][]} */ ([
  [0, "0 B"], [999, "999 B"], [1000, "1 kB"], [345_000, "345 kB"], [999_499, "999 kB"], [999_500, "1.0 MB"],
  [12_345_678, "12.3 MB"], [-1, ""], [NaN, ""],
])) {
  test(`${bytes} bytes`, () => assert.equal(formatBytes(bytes), text));
}

test("confidence in percent, to a tenth", () => {
  assert.equal(formatConfidence(0.98349), "98.3%");
  assert.equal(formatConfidence(1), "100.0%");
});

const ANSWER = { label: "cat", confidence: 0.75, engine: "INT8", model: "starter" };

test("an answer says aloud what its confidence is worth", () => {
  assert.equal(spoken({ ...ANSWER, calibrated: true }), "cat 75.0%, INT8, model starter");
  assert.equal(spoken({ ...ANSWER, calibrated: false }), "cat 75.0%, INT8, model starter, not calibrated");
});

test("a suggestion and a label have no confidence to be calibrated", () => {
  assert.equal(spoken({ ...ANSWER, model: "", kind: "suggestion" }), "cat 75%, INT8");
  assert.equal(spoken({ ...ANSWER, model: "", kind: "label" }), "cat, INT8");
});

test("none of the classes is said before the nearest one, and not how sure that is", () => {
  const said = spoken({ ...ANSWER, calibrated: true, known: false });
  assert.equal(said, "none of these (nearest: cat), INT8, model starter");
});
