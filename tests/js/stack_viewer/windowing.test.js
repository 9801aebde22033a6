import assert from "node:assert/strict";
import { test } from "node:test";

import { Samples } from "../../../pages/_ui/components/stack_viewer/samples.js";
import { Windowing } from "../../../pages/_ui/components/stack_viewer/windowing.js";

const KIND = { bit_depth: 16, colour: "grey", highest: 32767, description: "" };
const eight = new Samples(new Uint8Array([10, 20, 30, 40]), [2, 2, 1]);
const sixteen = new Samples(new Uint16Array([1000, 2000, 3000, 4000]), [2, 2, 1]);

test("without a window an image is as it is", () => {
  const windowing = new Windowing();
  assert.equal(windowing.isActive(255), false);
  assert.deepEqual(windowing.range(eight), [0, 255]);
  assert.deepEqual(windowing.range(sixteen), [1000, 4000]);
  assert.deepEqual([...windowing.levels(255, 0, 255)], Array.from({ length: 256 }, (_, value) => value));
});

for (const [low, high, value, level] of [
  [100, 200, 100, 0], [100, 200, 200, 255], [100, 200, 150, 128], [100, 200, 99, 0], [100, 200, 201, 255],
  [100, 200, 0, 0], [-50, 50, 0, 128], [0, 510, 255, 128],
]) {
  test(`from ${low} to ${high}, ${value} is shown as ${level}`, () => {
    assert.equal(new Windowing().levels(255, low, high)[value], level);
  });
}

test("values never get darker as they rise, and inverted never brighter", () => {
  const windowing = new Windowing();
  const levels = [...windowing.levels(65535, 900, 2200)];
  assert.ok(levels.every((level, value) => value === 0 || level >= levels[value - 1]));
  windowing.inverted = true;
  assert.deepEqual([...windowing.levels(65535, 900, 2200)], levels.map((level) => 255 - level));
});

test("without a window of a person's own, sliders begin at the file's", () => {
  const slice = new Samples(new Int16Array([-1000, 0, 400, 3000]), [2, 2, 1]);
  const windowing = new Windowing();
  assert.deepEqual(windowing.range(slice), [-1000, 3000]);
  slice.describe({ ...KIND, windows: [{ low: -160, high: 240 }, { low: -1350, high: 150 }], unit: "HU" });
  assert.deepEqual(windowing.range(slice), [-160, 240]);
  assert.equal(windowing.isActive(slice.max), false);
  windowing.setRange(slice, 0, 80);
  assert.deepEqual(windowing.range(slice), [0, 80]);
  windowing.resetRange(slice);
  assert.deepEqual([windowing.range(slice), windowing.isActive(slice.max)], [[-160, 240], false]);
});

test("where low values are white, a window keeps them so, and inverting makes them black", () => {
  const film = new Samples(new Uint8Array([0, 255]), [1, 2, 1]);
  film.describe({ ...KIND, inverted: true });
  /** @type {number[][]} */
  const painted = [];
  film.render = (_, levels) => painted.push([levels[0], levels[255]]);
  const windowing = new Windowing();
  windowing.canvas = /** @type {HTMLCanvasElement} */ ({});
  windowing.setRange(film, 50, 100);
  windowing.render(film);
  windowing.inverted = true;
  windowing.render(film);
  assert.deepEqual(painted, [[255, 0], [0, 255]]);
});

test("a window of 16 bits means nothing for 8, and the other way round", () => {
  const windowing = new Windowing();
  windowing.setRange(sixteen, 1500, 2500);
  assert.deepEqual(windowing.range(sixteen), [1500, 2500]);
  assert.deepEqual(windowing.range(eight), [0, 255]);
  assert.deepEqual([255, 65535].map((max) => windowing.isActive(max)), [false, true]);
  windowing.inverted = true;
  assert.ok(windowing.isActive(255));
  windowing.reset();
  assert.deepEqual([255, 65535].map((max) => windowing.isActive(max)), [false, false]);
});

test("an image is rendered again only when it or its window is another", () => {
  Object.assign(globalThis, { document: { createElement: () => ({}) } });
  let rendered = 0;
  const samples = Object.assign(new Samples(new Uint8Array(4), [2, 2, 1]), { render: () => (rendered += 1) });
  const windowing = new Windowing();
  const canvas = windowing.render(samples);
  assert.equal(windowing.render(samples), canvas);
  assert.equal(rendered, 1);
  windowing.setRange(samples, 5, 9);
  windowing.render(samples);
  assert.equal(rendered, 2);
  windowing.inverted = true;
  windowing.render(samples);
  assert.equal(rendered, 3);
});

test("windows are found again as they were, and a copy goes its own way", () => {
  const windowing = new Windowing();
  windowing.restore({ windows: [[255, [10, 20]], [65535, [0, 9]]], inverted: true });
  const again = new Windowing();
  again.restore(JSON.parse(JSON.stringify(windowing.state)));
  assert.deepEqual(again.state, windowing.state);
  const copy = windowing.copy();
  copy.reset();
  assert.equal(windowing.isActive(255), true);
  assert.equal(copy.isActive(255), false);
});

for (const state of [null, 3, "x", {}, { windows: 3 }, { windows: [[255, [5, 5]]] }, { windows: [["a", [1, 2]]] }, { windows: [[255, [1, null]]] }, { windows: [[255]] }, { inverted: 1 }]) {
  test(`${JSON.stringify(state)} is no window`, () => {
    const windowing = new Windowing();
    windowing.restore(state);
    assert.deepEqual(windowing.state, { windows: [], inverted: false });
  });
}

test("scaled by the whole stack, sliders begin at its range, unless the file has a window of its own", () => {
  const page = new Samples(new Uint16Array([1000, 2000, 3000, 4000]), [2, 2, 1]);
  const windowing = new Windowing();
  page.describe({ ...KIND, range: { low: 500, high: 9000 } });
  assert.deepEqual(windowing.range(page), [500, 9000]);
  assert.deepEqual(page.range, [1000, 4000], "its own values stay what they are");
  page.describe({ ...KIND, windows: [{ low: 0, high: 5000 }], range: { low: 500, high: 9000 } });
  assert.deepEqual(windowing.range(page), [0, 5000]);
  page.describe(KIND);
  assert.deepEqual(windowing.range(page), [1000, 4000]);
});
