import assert from "node:assert/strict";
import { test } from "node:test";

import { Samples } from "../../../pages/_ui/components/stack_viewer/samples.js";

/**
 * @param {import("../../../pages/_ui/components/stack_viewer/samples.js").SampleArray} data
 * @param {string} dtype
 */
const response = (data, dtype, shape = "1,2,3") =>
  new Response(data.slice().buffer, { headers: { "X-Image-Shape": shape, "X-Image-Dtype": dtype } });

test("samples come as the API sends them", async () => {
  const eight = await Samples.from(response(new Uint8Array([1, 2, 3, 4, 5, 6]), "uint8"));
  assert.deepEqual([eight.width, eight.height, eight.channels, eight.max], [2, 1, 3, 255]);
  assert.deepEqual(eight.at(1, 0), [4, 5, 6]);
  const sixteen = await Samples.from(response(new Uint16Array([1000, 60_000]), "uint16", "2,1,1"));
  assert.deepEqual([sixteen.width, sixteen.height, sixteen.max], [1, 2, 65535]);
  assert.deepEqual(sixteen.at(0, 1), [60_000]);
});

for (const [x, y] of [[-1, 0], [0, -1], [2, 0], [0, 1]]) {
  test(`there is nothing at ${x}, ${y}`, () => {
    assert.equal(new Samples(new Uint8Array(2), [1, 2, 1]).at(x, y), undefined);
  });
}

for (const [channels, colours, hasAlpha] of /** @type {[number, number, boolean][]} */ ([
  [1, 1, false], [2, 1, true], [3, 3, false], [4, 3, true],
])) {
  test(`${channels} channels`, () => {
    const samples = new Samples(new Uint8Array(channels), [1, 1, channels]);
    assert.deepEqual([samples.colours, samples.hasAlpha], [colours, hasAlpha]);
  });
}

test("what is fully transparent is not counted", () => {
  const samples = new Samples(new Uint8Array([9, 0, 7, 1, 7, 255]), [1, 3, 2]);
  assert.equal(samples.histogram[9], 0);
  assert.equal(samples.histogram[7], 2);
  assert.equal(samples.histogram[255], 0, "transparency itself is no brightness");
});

test("8 bits are shown from 0 to 255, 16 bits by their own range", () => {
  assert.deepEqual(new Samples(new Uint8Array([3, 4]), [1, 2, 1]).range, [0, 255]);
  assert.deepEqual(new Samples(new Uint16Array([900, 2200]), [1, 2, 1]).range, [900, 2200]);
  assert.deepEqual(new Samples(new Uint16Array([900, 900]), [1, 2, 1]).range, [0, 65535], "a flat image has no range");
  assert.deepEqual(new Samples(new Uint16Array([0, 0, 900, 1, 901, 1]), [1, 3, 2]).range, [900, 901]);
});

test("an automatic window leaves out the few values at either end", () => {
  const data = new Uint16Array(1000).map((_, place) => 2000 + place);
  data[0] = 0;
  data[999] = 65535;
  const [low, high] = new Samples(data, [1, 1000, 1]).autoRange;
  assert.ok(low > 2000 && low < 2010, `${low}`);
  assert.ok(high > 2990 && high < 2999, `${high}`);
});

test("an automatic window of a flat image is its range, not nothing", () => {
  assert.deepEqual(new Samples(new Uint8Array([5, 5, 5]), [1, 3, 1]).autoRange, [0, 255]);
});

/**
 * The bytes, red, green, blue, alpha, that `samples` paint.
 *
 * @param {Samples} samples
 */
function rendered(samples) {
  /** @type {number[]} */
  let bytes = [];
  class ImageData {
    /**
     * @param {number} width
     * @param {number} height
     */
    constructor(width, height) {
      this.data = new Uint8ClampedArray(width * height * 4);
    }
  }
  Object.assign(globalThis, { ImageData });
  const putImageData = (/** @type {ImageData} */ image) => {
    bytes = [...image.data];
  };
  const canvas = { width: 0, height: 0, getContext: () => ({ putImageData }) };
  const levels = Uint8ClampedArray.from({ length: samples.max + 1 }, (_, value) => (samples.max === 255 ? value : value >> 8));
  samples.render(/** @type {any} */ (canvas), levels);
  assert.deepEqual([canvas.width, canvas.height], [samples.width, samples.height]);
  return bytes;
}

test("every kind of image is painted: grey, colour, with and without transparency", () => {
  assert.deepEqual(rendered(new Samples(new Uint8Array([1, 2]), [1, 2, 1])), [1, 1, 1, 255, 2, 2, 2, 255]);
  assert.deepEqual(rendered(new Samples(new Uint8Array([1, 9]), [1, 1, 2])), [1, 1, 1, 9]);
  assert.deepEqual(rendered(new Samples(new Uint8Array([1, 2, 3]), [1, 1, 3])), [1, 2, 3, 255]);
  assert.deepEqual(rendered(new Samples(new Uint8Array([1, 2, 3, 4]), [1, 1, 4])), [1, 2, 3, 4]);
  assert.deepEqual(rendered(new Samples(new Uint16Array([256, 512, 768, 0x8000]), [1, 1, 4])), [1, 2, 3, 128]);
});

for (const [dtype, data] of /** @type {[string, import("../../../pages/_ui/components/stack_viewer/samples.js").SampleArray][]} */ ([
  ["int16", new Int16Array([-1024, 3071, 0])],
  ["uint32", new Uint32Array([70_000, 4_000_000_000, 100_000])],
  ["int32", new Int32Array([-70_000, 90_000, 5])],
  ["float32", new Float32Array([-0.5, 0.25, 0.125])],
  ["float64", new Float64Array([1e-200, 2e-200, 1.5e-200])],
])) {
  test(`${dtype} keeps its values, and is shown from the lowest to the highest`, async () => {
    const samples = await Samples.from(response(data, dtype, "1,3,1"));
    assert.deepEqual([0, 1, 2].map((x) => samples.at(x, 0)?.[0]), [...data]);
    assert.deepEqual(samples.range, [data[0], data[1]]);
    assert.deepEqual([samples.steps[0], samples.steps[1]], [0, 65535]);
    const middle = samples.stepOf(data[2]);
    assert.ok(Math.abs(middle - samples.steps[2]) <= 0.5, `${middle}`);
    assert.ok(Math.abs(samples.valueOf(middle) - data[2]) <= Math.abs(data[1]) * 1e-9);
    assert.ok(samples.max > 30_000);
  });
}

test("infinity, and what is no number, have no part in the range and do no harm", () => {
  const samples = new Samples(new Float32Array([NaN, -Infinity, 2, 4, Infinity]), [1, 5, 1]);
  assert.deepEqual(samples.range, [2, 4]);
  assert.deepEqual([...samples.steps], [0, 0, 0, 65535, 65535]);
  assert.deepEqual(new Samples(new Float32Array([NaN, NaN]), [1, 2, 1]).range, [0, 65535]);
  assert.deepEqual(new Samples(new Float32Array([-3, -3]), [1, 2, 1]).range, [-3, 0], "a flat image is black");
});

test("floating values are painted with a window of their own numbers", () => {
  const samples = new Samples(new Float32Array([-1, 0, 1]), [1, 3, 1]);
  const levels = Uint8ClampedArray.from({ length: 65536 }, (_, step) => step >> 8);
  assert.deepEqual([...samples.steps].map((step) => levels[step]), [0, 128, 255]);
  assert.ok(samples.finest < 0.01);
});
