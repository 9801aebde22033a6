import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeRanges, encodeRanges } from "../../../pages/_ui/components/shared/ranges.js";

/** @type {[number[], string][]} as in tests of pages/_ui/viewer/view.py, which reads and writes the same */
const CASES = [
  [[], ""],
  [[0], "0"],
  [[0, 1, 2, 7], "0-2,7"],
  [[9, 3, 4], "3-4,9"],
  [Array.from({ length: 10_000 }, (_, index) => index), "0-9999"],
];

for (const [indices, text] of CASES) {
  test(`ranges are written short: ${text || "none"}`, () => assert.equal(encodeRanges(indices), text));
}

test("every selection among ten images is read as it was written", () => {
  for (let bits = 0; bits < 1024; bits += 1) {
    const selected = Array.from({ length: 10 }, (_, index) => index).filter((index) => bits & (1 << index));
    assert.deepEqual([...decodeRanges(encodeRanges(selected))], selected);
  }
});

test("positions are sorted as numbers, not as texts", () => assert.equal(encodeRanges([10, 9, 100]), "9-10,100"));
