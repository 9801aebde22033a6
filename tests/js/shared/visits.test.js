import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { StackStore } from "../../../pages/_ui/components/shared/store.js";
import { VISIT_MS } from "../../../pages/_ui/components/shared/visits.js";
import { openPage, viewData } from "../page.js";

beforeEach(() => {
  openPage();
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date", "setTimeout"] });
});

/** A store whose person has looked at images, each so many milliseconds. */
function visited(/** @type {[number, number][]} */ ...looks) {
  const store = new StackStore("abc");
  store.update(viewData());
  for (const [index, ms] of looks) {
    store.setCurrent(index);
    mock.timers.tick(ms);
  }
  return store;
}

/** @param {string} key */
const alt = (key) => /** @type {KeyboardEvent} */ ({ key, altKey: true, ctrlKey: false, metaKey: false });

test("back and forth through the images that were looked at, not those that were passed", () => {
  const store = visited([3, VISIT_MS], [4, VISIT_MS - 1], [5, 0], [8, VISIT_MS]);
  assert.equal(store.goBack(), true);
  assert.equal(store.current, 3);
  assert.equal(store.goBack(), false, "the first image was left at once");
  assert.equal(store.current, 3);
  assert.deepEqual([store.goForth(), store.current], [true, 8]);
  assert.deepEqual([store.goForth(), store.current], [false, 8]);
});

test("who goes on from an image of before leaves the way forth", () => {
  const store = visited([3, VISIT_MS], [8, VISIT_MS]);
  store.goBack();
  mock.timers.tick(VISIT_MS);
  store.setCurrent(6);
  assert.equal(store.goForth(), false);
  assert.deepEqual([store.goBack(), store.current], [true, 3]);
});

test("a film visits nothing", () => {
  const store = visited([3, VISIT_MS]);
  store.reporter.hold(true);
  for (const index of [4, 5, 6]) {
    store.setCurrent(index);
    mock.timers.tick(VISIT_MS);
  }
  store.reporter.hold(false);
  assert.equal(store.goBack(), false);
});

test("Alt and an arrow go the same way, and are the browser's where there is none", () => {
  const store = visited([3, VISIT_MS], [8, VISIT_MS]);
  assert.deepEqual([store.onShortcut(alt("ArrowLeft")), store.current], [true, 3]);
  assert.equal(store.onShortcut(alt("ArrowLeft")), false);
  assert.deepEqual([store.onShortcut(alt("ArrowRight")), store.current], [true, 8]);
  assert.equal(store.onShortcut(alt("ArrowRight")), false);
  assert.equal(store.onShortcut(alt("z")), false);
});
