import assert from "node:assert/strict";
import { test } from "node:test";

import { Samples } from "../../../pages/_ui/components/stack_viewer/samples.js";
import { presetsOf } from "../../../pages/_ui/components/stack_viewer/window_presets.js";

const KIND = { bit_depth: 16, colour: "grey", highest: 32767, description: "" };

/**
 * @param {[number, number][]} windows
 * @param {string} unit
 */
function presets(windows, unit = "") {
  const samples = new Samples(new Int16Array([0, 9]), [1, 2, 1]);
  samples.describe({ ...KIND, windows: windows.map(([low, high]) => ({ low, high })), unit });
  return presetsOf(samples);
}

test("Hounsfield units have the windows that doctors look through, behind the file's own", () => {
  const found = presets([[-160, 240]], "HU");
  assert.deepEqual(found.map(({ name }) => name), ["File", "Soft tissue", "Lung", "Bone", "Brain", "Liver"]);
  assert.deepEqual(found[2].range, [-1350, 150]);
  assert.equal(found[0].range, null, "each image in its own, not this one's for all");
});

test("other values have only the windows of the file, and one alone is no choice", () => {
  assert.deepEqual(presets([]), []);
  assert.deepEqual(presets([[0, 1]]), []);
  assert.deepEqual(presets([[0, 1], [0, 2]]), [{ name: "File", range: null }, { name: "File 2", range: [0, 2] }]);
});

test("there are no more than keys for them", () => {
  const many = Array.from({ length: 16 }, (_, place) => /** @type {[number, number]} */ ([0, place + 1]));
  assert.equal(presets(many).length, 9);
  assert.deepEqual(presets(many, "HU").slice(3).map(({ name }) => name), ["File 4", "Soft tissue", "Lung", "Bone", "Brain", "Liver"]);
});
