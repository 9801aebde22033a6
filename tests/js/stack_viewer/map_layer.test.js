import assert from "node:assert/strict";
import { test } from "node:test";

import { paintLayer } from "../../../pages/_ui/components/stack_viewer/map_layer.js";

test("a map lies on exactly the part that the model saw, and the rest is dimmed", () => {
  /** @type {unknown[]} */
  const calls = [];
  const context = {
    globalAlpha: 1,
    beginPath: () => calls.push("begin"),
    rect: (/** @type {number[]} */ ...box) => calls.push(["rect", ...box]),
    fill: (/** @type {string} */ rule) => calls.push(["fill", rule]),
    drawImage: (/** @type {unknown} */ _picture, /** @type {number[]} */ ...box) => calls.push(["draw", context.globalAlpha, ...box]),
  };
  const layer = { picture: /** @type {any} */ ({}), box: /** @type {any} */ ([40, 10, 160, 130]), opacity: 0.4 };
  paintLayer(/** @type {any} */ (context), { width: 200, height: 140 }, layer);
  assert.deepEqual(calls, [
    "begin",
    ["rect", -100, -70, 200, 140],
    ["rect", -60, -60, 120, 120],
    ["fill", "evenodd"],
    ["draw", 0.4, -60, -60, 120, 120],
  ]);
  assert.equal(context.globalAlpha, 1, "what is drawn next is not see-through");
});
