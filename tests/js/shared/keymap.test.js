import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Keymap } from "../../../pages/_ui/components/shared/keymap.js";

/** @type {Map<string, string>} */
const kept = new Map();

beforeEach(() => {
  kept.clear();
  const localStorage = {
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value),
  };
  Object.assign(globalThis, { localStorage });
});

test("two keys change places, and nothing is without one", () => {
  const keys = new Keymap();
  assert.equal(keys.give("w", "m"), true);
  assert.deepEqual(["m", "w", "x", "M"].map((key) => keys.usual(key)), ["w", "m", "x", "w"]);
  assert.deepEqual(["w", "m", "x"].map((usual) => keys.keyOf(usual)), ["m", "w", "x"]);
  keys.give("m", "ü");
  assert.deepEqual(["m", "ü", "w"].map((key) => keys.usual(key)), ["w", "m", "ü"], "three in a round");
  keys.give("w", "w");
  keys.give("m", "m");
  assert.equal(keys.isChanged, false, "all as it was");
});

test("keys with names and digits are never given away", () => {
  const keys = new Keymap();
  for (const key of ["ArrowLeft", "Enter", " ", "1", ""]) assert.equal(keys.give("w", key), false, key);
  assert.equal(keys.usual("ArrowLeft"), "ArrowLeft");
  assert.equal(keys.isChanged, false);
});

test("what was changed is found again, until it is taken back", () => {
  new Keymap().give("w", "z");
  const keys = new Keymap();
  assert.equal(keys.usual("z"), "w");
  let changes = 0;
  keys.addEventListener("change", () => (changes += 1));
  keys.reset();
  assert.equal(changes, 1);
  assert.equal(new Keymap().usual("z"), "z");
});

for (const text of ["{", "null", "7", '{"w": "z"}', '[["w", "z"]]', '[["w","z"],["w","z"]]', '[["w","1"],["1","w"]]', '[["w"]]', '[["a","b"],["b","b"]]']) {
  test(`${text} is no exchange of keys`, () => {
    kept.set("image-stack-keys", text);
    assert.equal(new Keymap().isChanged, false);
  });
}
