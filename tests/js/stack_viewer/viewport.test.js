import assert from "node:assert/strict";
import { test } from "node:test";

import { FLIP_HORIZONTAL, FLIP_VERTICAL, TURN_LEFT, TURN_RIGHT, Viewport } from "../../../pages/_ui/components/stack_viewer/viewport.js";

/** @import { Orientation } from "../../../pages/_ui/components/stack_viewer/viewport.js" */

/** Every way an image can lie, by steps from upright. @type {Record<string, Orientation[]>} */
const ORIENTATIONS = {
  upright: [],
  right: [TURN_RIGHT],
  "upside down": [TURN_RIGHT, TURN_RIGHT],
  left: [TURN_LEFT],
  mirrored: [FLIP_HORIZONTAL],
  "mirrored, right": [FLIP_HORIZONTAL, TURN_RIGHT],
  flipped: [FLIP_VERTICAL],
  "mirrored, left": [FLIP_HORIZONTAL, TURN_LEFT],
};

/**
 * A stage of 800 x 600 with an image on it.
 *
 * @param {number} width
 * @param {number} height
 * @param {Orientation[]} steps
 */
function viewportOf(width, height, steps = []) {
  const viewport = new Viewport();
  viewport.setStage(800, 600);
  viewport.setImage(width, height);
  for (const step of steps) viewport.orient(step);
  return viewport;
}

/**
 * @param {number[]} found
 * @param {number[]} expected
 */
function near(found, expected) {
  found.forEach((value, place) => assert.ok(Math.abs(value - expected[place]) < 1e-6, `${found} is not ${expected}`));
}

for (const [width, height, scale] of [[800, 600, 1], [1600, 600, 0.5], [400, 1200, 0.5], [80, 30, 10], [1, 1, 32], [10 ** 6, 10 ** 6, 0.001]]) {
  test(`${width} x ${height} fits at ${scale}`, () => {
    const viewport = viewportOf(width, height);
    assert.equal(viewport.scale, scale);
    assert.ok(viewport.fitted && viewport.isReset);
  });
}

test("a fitted image fits again when the stage, the image or its orientation is another", () => {
  const viewport = viewportOf(800, 600);
  viewport.setStage(400, 600);
  assert.equal(viewport.scale, 0.5);
  viewport.setImage(400, 300);
  assert.equal(viewport.scale, 1);
  viewport.orient(TURN_RIGHT);
  assert.equal(viewport.scale, 4 / 3);
});

for (const [name, steps] of Object.entries(ORIENTATIONS)) {
  test(`zooming in keeps the point under the pointer: ${name}`, () => {
    const viewport = viewportOf(1000, 700, steps);
    for (const [x, y] of [[0, 0], [100, -50], [-180, 120]]) {
      const before = viewport.imagePoint(x, y);
      viewport.zoomTo(viewport.scale * 1.5, x, y);
      near(viewport.imagePoint(x, y), before);
    }
    assert.equal(viewport.fitted, false);
  });

  test(`a point of the image is found where it is painted: ${name}`, () => {
    const viewport = viewportOf(1000, 700, steps);
    viewport.zoomTo(3, 40, 30);
    viewport.panBy(17, -11);
    const painted = paint(viewport, { width: 1000, height: 700 }, 2);
    const [a, b, c, d, e, f] = painted.transform;
    for (const [x, y] of [[0, 0], [1000, 700], [250.5, 33]]) {
      const [u, v] = [x - 500, y - 350]; // the image is drawn around its centre
      const onCanvas = [a * u + c * v + e, b * u + d * v + f];
      near(viewport.imagePoint(onCanvas[0] / 2 - 400, onCanvas[1] / 2 - 300), [x, y]);
    }
  });
}

test("zoom has ends: 3200%, and 5% or what fits", () => {
  const viewport = viewportOf(800, 600);
  viewport.zoomTo(1000);
  assert.equal(viewport.scale, 32);
  viewport.zoomTo(0);
  assert.equal(viewport.scale, 0.05);
  const huge = viewportOf(80_000, 600);
  huge.zoomTo(0);
  assert.equal(huge.scale, 0.01);
});

test("on the way out the image comes back to the middle", () => {
  const viewport = viewportOf(800, 600);
  viewport.zoomTo(4, 300, 200);
  viewport.zoomTo(1, -300, -200);
  assert.deepEqual([viewport.panX, viewport.panY].map(Math.abs), [0, 0]);
});

test("panning ends at the image's edge, and does nothing where all of it is seen", () => {
  const viewport = viewportOf(800, 600);
  assert.equal(viewport.pannable, false);
  viewport.panBy(50, 50);
  assert.deepEqual([viewport.panX, viewport.panY], [0, 0]);
  viewport.zoomTo(2);
  assert.ok(viewport.pannable);
  viewport.panBy(10_000, -10_000);
  assert.deepEqual([viewport.panX, viewport.panY], [400, -300]);
});

test("zoomed at a corner, the middle of the stage stays on the image, and panning goes no further off", () => {
  const viewport = viewportOf(100, 100);
  viewport.zoomTo(1);
  viewport.zoomTo(2, 400, 300);
  assert.deepEqual([viewport.panX, viewport.panY], [-100, -100]);
  viewport.panBy(-10, -10);
  assert.deepEqual([viewport.panX, viewport.panY], [-100, -100]);
});

test("every orientation is left again by its opposite, without a trace", () => {
  const opposites = /** @type {[Orientation, Orientation][]} */ ([
    [TURN_LEFT, TURN_RIGHT], [TURN_RIGHT, TURN_LEFT], [FLIP_HORIZONTAL, FLIP_HORIZONTAL], [FLIP_VERTICAL, FLIP_VERTICAL],
  ]);
  for (const [there, back] of opposites) {
    const viewport = viewportOf(300, 200, [there]);
    assert.equal(viewport.isReset, false);
    viewport.orient(back);
    assert.ok(viewport.isReset, "a -0 would make it look turned");
    assert.ok(viewport.orientation.every((value) => !Object.is(value, -0)));
  }
});

test("four turns are none; a turn and a flip are another orientation than a flip and a turn", () => {
  assert.ok(viewportOf(300, 200, Array(4).fill(TURN_LEFT)).isReset);
  const [first, second] = [[TURN_RIGHT, FLIP_HORIZONTAL], [FLIP_HORIZONTAL, TURN_RIGHT]].map((steps) => viewportOf(300, 200, steps).orientation);
  assert.notDeepEqual(first, second);
});

test("a turned image is as wide as it was high", () => {
  assert.deepEqual(viewportOf(300, 200, [TURN_LEFT]).turned, { width: 200, height: 300 });
  assert.deepEqual(viewportOf(300, 200, [FLIP_VERTICAL]).turned, { width: 300, height: 200 });
});

test("the view survives another image, and reset takes it all back", () => {
  const viewport = viewportOf(800, 600, [TURN_RIGHT]);
  viewport.zoomTo(3, 10, 10);
  viewport.setImage(900, 700);
  assert.equal(viewport.scale, 3);
  assert.equal(viewport.isReset, false);
  viewport.reset();
  assert.ok(viewport.isReset && viewport.fitted);
});

test("single pixels are sharp when enlarged, unless a smaller stand-in is painted", () => {
  const viewport = viewportOf(100, 100);
  viewport.zoomTo(2.5);
  assert.equal(paint(viewport, { width: 100, height: 100 }).smooth, false);
  assert.equal(paint(viewport, { width: 50, height: 50 }).smooth, true);
  viewport.zoomTo(1.5);
  assert.equal(paint(viewport, { width: 100, height: 100 }).smooth, true);
});

/**
 * Where and how a bitmap is painted.
 *
 * @param {Viewport} viewport
 * @param {{ width: number, height: number }} bitmap
 * @param {number} density
 */
function paint(viewport, bitmap, density = 1) {
  /** @type {number[][]} */
  const transforms = [];
  const context = {
    canvas: { width: 800 * density, height: 600 * density },
    imageSmoothingEnabled: false,
    setTransform: (/** @type {number[]} */ ...values) => transforms.push(values),
    clearRect: () => {},
    fillRect: () => {},
    drawImage: () => {},
  };
  viewport.paint(/** @type {any} */ (context), /** @type {any} */ (bitmap), density);
  return { transform: /** @type {number[]} */ (transforms.at(-1)), smooth: context.imageSmoothingEnabled };
}

for (const [name, steps] of Object.entries(ORIENTATIONS)) {
  test(`a view is taken up again as it was: ${name}`, () => {
    const before = viewportOf(1000, 800, steps);
    before.zoomTo(2, 30, 20);
    before.panBy(50, -40);
    const after = viewportOf(1000, 800);
    after.restore(JSON.parse(JSON.stringify(before.state)));
    assert.deepEqual(after.state, before.state);
  });
}

for (const state of [null, {}, { fitted: false, scale: "x", panX: 0, panY: 0 }, { fitted: false, scale: null },
  { orientation: [9, 9, 9, 9] }, { fitted: true, scale: 7, panX: 900, panY: 900 }]) {
  test(`a view that makes no sense is none: ${JSON.stringify(state)}`, () => {
    const viewport = viewportOf(1000, 800);
    viewport.restore(/** @type {any} */ (state));
    assert.ok(viewport.scale > 0 && Number.isFinite(viewport.scale));
    assert.equal(viewport.isReset || !viewport.fitted, true);
    assert.equal(viewport.orientation.join(), "1,0,0,1");
    near([viewport.panX, viewport.panY], [0, 0]);
  });
}
