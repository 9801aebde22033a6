import assert from "node:assert/strict";
import { test } from "node:test";

import { GAP, GridLayout } from "../../../pages/_ui/components/gallery/grid_layout.js";

const SHOWN = Array.from({ length: 10 }, (_, place) => 100 + place);

/**
 * @param {number} width
 * @param {number} minimum
 */
function layoutOf(width, minimum, answered = false) {
  const grid = new GridLayout();
  grid.fit(width, minimum, answered);
  return grid;
}

for (const [width, minimum, columns] of [[100, 100, 1], [207, 100, 1], [208, 100, 2], [1000, 144, 6], [50, 144, 1]]) {
  test(`${columns} columns of at least ${minimum} in ${width}`, () => {
    const grid = layoutOf(width, minimum);
    assert.equal(grid.columns, columns);
    assert.equal(grid.columns * grid.cellWidth + (grid.columns - 1) * GAP, width, "they fill it");
  });
}

test("it says whether anything moved", () => {
  const grid = layoutOf(500, 100);
  assert.equal(grid.fit(500, 100, false), false);
  assert.equal(grid.fit(500, 100, true), true, "answers need room");
  assert.equal(grid.fit(1000, 100, true), true);
});

test("rows follow each other; no images, no height", () => {
  const grid = layoutOf(208, 100);
  assert.deepEqual(grid.position(0), [0, 0]);
  assert.deepEqual(grid.position(3), [108, grid.rowHeight]);
  assert.equal(grid.height(0), 0);
  assert.equal(grid.height(3), 2 * grid.rowHeight - GAP);
});

test("a rectangle touches exactly the cells it overlaps", () => {
  const grid = layoutOf(424, 100); // four columns
  for (const [left, top, right, bottom] of [[0, 0, 0, 0], [0, 0, 424, 1000], [101, 0, 107, 50], [50, 50, 250, 250], [110, 20, 120, 30]]) {
    const overlapped = SHOWN.filter((_, place) => {
      const [x, y] = grid.position(place);
      return x <= right && x + grid.cellWidth >= left && y <= bottom && y + grid.cellHeight >= top;
    });
    assert.deepEqual(grid.touched(SHOWN, left, top, right, bottom), overlapped, `${[left, top, right, bottom]}`);
  }
});

test("a rectangle in the gap between cells touches none", () => {
  assert.deepEqual(layoutOf(424, 100).touched(SHOWN, 102, 0, 106, 500), []);
});
