import assert from "node:assert/strict";
import { test } from "node:test";

import { colourOf } from "../../../pages/_ui/components/stack_viewer/colours.js";
import { SIDE, pixelsOf, rangeOf, smooth } from "../../../pages/_ui/components/stack_viewer/map_image.js";

/** @param {number[][]} map */
const explanation = (map) => ({ class: "cat", confidence: 0.5, best: [], box: /** @type {any} */ ([0, 0, 1, 1]), map });

test("maps share a range from the lowest to the highest of their values", () => {
  assert.deepEqual(rangeOf([explanation([[1, 2], [0, 1]]), explanation([[-3, 1]])]), [-3, 2]);
});

test("a place keeps its value in its middle, and between two the value passes from one to the other", () => {
  const made = smooth([[0, 3], [0, 3]], 8);
  assert.deepEqual([...made.slice(0, 8)].map((value) => Number(value.toFixed(3))), [0, 0, 0.375, 1.125, 1.875, 2.625, 3, 3]);
  assert.deepEqual([...smooth([[7]], 3)], Array(9).fill(7));
  assert.deepEqual([...smooth([[1, 2], [3, 4]], 2)], [1, 2, 3, 4]);
});

for (const [share, colour] of /** @type {[number, number[]][]} */ ([
  [0, [0, 34, 78]], [1, [254, 232, 56]], [-1, [0, 34, 78]], [2, [254, 232, 56]], [0.5, [125, 124, 118]],
])) {
  test(`at ${share} the colour is ${colour}`, () => assert.deepEqual(colourOf(share), colour));
}

test("the highest place has the highest colour, and one value alone the lowest", () => {
  const pixels = pixelsOf([[0, 0], [0, 5]], [0, 5]);
  assert.deepEqual([...pixels.slice(-4)], [254, 232, 56, 255]);
  assert.deepEqual([...pixels.slice(0, 4)], [0, 34, 78, 255]);
  assert.equal(pixels.length, 4 * SIDE * SIDE);
  assert.deepEqual([...pixelsOf([[3]], [3, 3]).slice(0, 4)], [0, 34, 78, 255]);
});
