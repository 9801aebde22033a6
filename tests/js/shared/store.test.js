import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { NO_ANSWER } from "../../../pages/_ui/components/shared/addresses.js";
import { REPORT_DELAY_MS } from "../../../pages/_ui/components/shared/reporter.js";
import { StackStore } from "../../../pages/_ui/components/shared/store.js";
import { storeOf } from "../../../pages/_ui/components/shared/stores.js";
import { IMAGES, answers, asked, openPage, settle, viewData } from "../page.js";

/** @import { Component } from "../../../pages/_ui/components/shared/mount.js" */
/** @import { ViewReport } from "../../../pages/_ui/components/shared/contract.js" */

beforeEach(() => {
  openPage();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

/** A store with what Python sends, a component that reports, and what has happened. */
function opened(changes = {}) {
  const store = new StackStore("abc");
  /** @type {string[]} */
  const events = [];
  for (const type of ["current", "selection", "index", "results"]) {
    store.addEventListener(type, () => events.push(type));
  }
  /** @type {ViewReport[]} */
  const reports = [];
  const component = { report: (/** @type {ViewReport} */ state) => reports.push(state) };
  store.components.add(/** @type {Component} */ (/** @type {unknown} */ (component)));
  store.update(viewData(changes));
  events.length = 0;
  return { store, events, reports, component };
}

test("it begins with what Python sends", () => {
  const { store } = opened({ current: 3, selected: "1-2" });
  assert.equal(store.current, 3);
  assert.deepEqual([...store.selected], [1, 2]);
});

test("what has not changed is not drawn, fetched or taken again", async () => {
  const { store, events } = opened({ current: 3 });
  store.setCurrent(5);
  await settle();
  const before = asked.length;
  events.length = 0;
  store.update(viewData({ current: 3, index_url: store.indexUrl ?? "index" }));
  assert.equal(store.current, 5, "a rerun put the image of before back");
  assert.deepEqual(events, []);
  assert.ok(asked.length <= before + 1); // the index, which this server does not have
});

test("a new version overrules the browser, and says so in the address", () => {
  const { store, events } = opened({ tag: "tag" });
  assert.equal(location.search, "", "at first the address may hold a link that is to be followed");
  store.update(viewData({ tag: "tag", version: 2, current: 7, selected: "0-9" }));
  assert.equal(store.current, 7);
  assert.equal(store.selected.size, 10);
  assert.deepEqual(events, ["current", "selection"]);
  assert.equal(location.search, "?stack=tag&image=8");
});

test("a position outside the stack is brought back", () => {
  const { store, events } = opened({ current: 99 });
  assert.equal(store.current, 9);
  store.setCurrent(-5);
  assert.equal(store.current, 0);
  events.length = 0;
  store.setCurrent(-1);
  assert.deepEqual(events, [], "nothing has changed");
});

test("a stack without images stays at its beginning", () => {
  const { store } = opened({ count: 0 });
  store.setCurrent(3);
  assert.equal(store.current, 0);
  assert.deepEqual(store.allIndices(), []);
});

test("Python hears of a burst once, when it is over", () => {
  const { store, reports } = opened();
  for (let step = 1; step <= 5; step += 1) {
    store.setCurrent(step);
    mock.timers.tick(REPORT_DELAY_MS - 1);
  }
  assert.equal(reports.length, 0);
  mock.timers.tick(1);
  assert.deepEqual(reports, [{ stack: "abc", version: 1, current: 5, selected: "" }]);
  mock.timers.tick(10 * REPORT_DELAY_MS);
  assert.equal(reports.length, 1);
});

test("Python does not hear of what it knows", () => {
  const { store, reports } = opened();
  store.setCurrent(1);
  store.setCurrent(0);
  store.reporter.soon();
  mock.timers.tick(REPORT_DELAY_MS);
  assert.equal(reports.length, 0);
});

test("while a film plays Python hears nothing, and of its end everything", () => {
  const { store, reports } = opened();
  store.reporter.hold(true);
  store.setCurrent(4);
  mock.timers.tick(10 * REPORT_DELAY_MS);
  assert.equal(reports.length, 0);
  store.reporter.hold(false);
  mock.timers.tick(REPORT_DELAY_MS);
  assert.equal(reports[0].current, 4);
});

test("what nobody could report is said once somebody can", () => {
  const { store, reports, component } = opened();
  store.components.clear();
  store.toggle(3);
  mock.timers.tick(REPORT_DELAY_MS);
  assert.equal(reports.length, 0);
  store.components.add(/** @type {Component} */ (/** @type {unknown} */ (component)));
  store.reporter.soon();
  mock.timers.tick(REPORT_DELAY_MS);
  assert.equal(reports[0].selected, "3");
});

test("selecting: one, a range, all but these", () => {
  const { store, events } = opened();
  store.toggle(2);
  store.toggle(2);
  assert.equal(store.selected.size, 0);
  store.toggle(2, true);
  store.toggle(2, true);
  store.extend([3, 4]);
  assert.deepEqual([...store.selected], [2, 3, 4]);
  assert.equal(store.anchor, 2);
  store.invert([4, 5]);
  assert.deepEqual([...store.selected], [5], "what is not among them is not selected");
  assert.ok(events.every((type) => type === "selection"));
});

test("changes of the selection are undone and done again, and what Python overrules is not", () => {
  const { store, events } = opened({ selected: "5" });
  const press = (/** @type {Partial<KeyboardEvent>} */ key) =>
    store.onShortcut(/** @type {KeyboardEvent} */ ({ altKey: false, shiftKey: false, ...key }));
  const selects = (/** @type {number[]} */ ...expected) => assert.deepEqual([...store.selected].sort(), expected);
  assert.equal(press({ key: "z" }), true);
  selects(5); // there is nothing before
  assert.deepEqual(events, []);
  store.toggle(2);
  store.setSelected([7, 8]);
  store.extend([9]);
  press({ key: "z" });
  selects(7, 8);
  press({ key: "z" });
  selects(2, 5);
  press({ key: "Z", shiftKey: true });
  selects(7, 8);
  press({ key: "y" });
  selects(7, 8, 9);
  press({ key: "z" });
  store.toggle(1);
  press({ key: "y" });
  selects(1, 7, 8); // another way was taken
  assert.equal(press({ key: "s" }), false);
  assert.equal(press({ key: "z", altKey: true }), false);
  store.update(viewData({ version: 2, selected: "3" }));
  press({ key: "z" });
  selects(3);
});

test("what is known of an image, and what is said before anything is", async () => {
  answers.set("http://host/app/index", IMAGES);
  const { store, events } = opened({ count: 3 });
  assert.equal(store.name(1), "Image 2");
  assert.equal(store.image(1), undefined);
  assert.equal(store.maxValue(2), 255);
  await settle();
  assert.deepEqual(events, ["index"]);
  assert.equal(store.name(1), "a.png");
  assert.deepEqual(store.image(2), { width: 50, height: 5, bytes: 3_000_000, kind: IMAGES.kinds[1] });
  assert.deepEqual([0, 2].map((index) => store.maxValue(index)), [255, 65535]);
  assert.equal(store.image(3), undefined, "beyond the stack");
  assert.equal(store.nameRank(2), 2);
});

test("an index that cannot be had is a sentence, and is asked for again", async () => {
  const { store } = opened();
  await settle();
  assert.equal(store.error, "There is no such thing.");
  answers.set("http://host/app/index", new TypeError("Failed to fetch"));
  store.update(viewData());
  await settle();
  assert.equal(store.error, NO_ANSWER);
  answers.set("http://host/app/index", IMAGES);
  store.update(viewData());
  await settle();
  assert.equal(store.error, null);
  assert.equal(asked.filter((url) => url.endsWith("/index")).length, 3);
});

const ANSWERED = {
  labels: ["cat"],
  runs: [
    { engine: "INT8", model: "starter", images: [0, 1], classes: [0, 0], confidences: [0.9, 0.8] },
    { engine: "FP32", model: "starter", images: [1], classes: [0], confidences: [0.7] },
  ],
};

test("answers come when there are any, and go with them", async () => {
  answers.set("http://host/app/answers", ANSWERED);
  const { store } = opened({ results_url: "answers" });
  await settle();
  assert.deepEqual([store.answers.size, store.answerLines], [2, 2]);
  store.update(viewData({ results_url: "" }));
  await settle();
  assert.deepEqual([store.answers.size, store.answerLines], [0, 0]);
});

test("answers that cannot be had leave those on show", async () => {
  answers.set("http://host/app/answers", ANSWERED);
  const { store } = opened({ results_url: "answers" });
  await settle();
  store.update(viewData({ results_url: "answers?version=2" }));
  await settle();
  assert.equal(store.answers.size, 2);
});

test("answers that newer ones have overtaken are not shown", async () => {
  const { store } = opened();
  await settle();
  answers.set("http://host/app/old", ANSWERED);
  answers.set("http://host/app/new", { labels: [], runs: [] });
  store.update(viewData({ results_url: "old" }));
  store.update(viewData({ results_url: "new" }));
  await settle();
  assert.equal(store.answers.size, 0);
});

test("a page has one store a stack; old ones are forgotten unless they are on show", () => {
  const first = storeOf("s0");
  assert.equal(storeOf("s0"), first);
  first.components.add(/** @type {Component} */ (/** @type {unknown} */ ({})));
  const second = storeOf("s1");
  for (const id of ["s2", "s3", "s4", "s5"]) storeOf(id);
  assert.equal(storeOf("s0"), first);
  assert.notEqual(storeOf("s1"), second);
});
