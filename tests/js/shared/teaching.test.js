import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { StackStore } from "../../../pages/_ui/components/shared/store.js";
import { LABELLED, NONE_OF_THESE, SUGGESTED } from "../../../pages/_ui/components/shared/taught_answers.js";
import { POLL_MS } from "../../../pages/_ui/components/shared/teaching.js";
import { answers, asked, openPage, sent, settle, viewData } from "../page.js";

/** @import { TeachingColumns } from "../../../pages/_ui/components/shared/contract.js" */

const URL_ = "http://host/app/teaching";

beforeEach(() => {
  openPage();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

/**
 * What the server knows: two classes, one label, suggestions for the rest.
 *
 * @param {Partial<TeachingColumns>} [changes]
 * @returns {TeachingColumns}
 */
const columns = (changes = {}) => ({
  revision: 1,
  version: 1,
  saved: 0,
  pending: false,
  note: "",
  classes: ["a", "b"],
  images: [0],
  labels: [0],
  suggested: [1, 2, 3],
  suggestions: [1, 0, -1],
  shares: [87, 55, 99],
  queue: [2, 1],
  can_undo: true,
  can_redo: false,
  ...changes,
});

/** A store in Label mode that has heard from the server. */
async function labelling(changes = {}, data = {}) {
  answers.set(URL_, columns(changes));
  answers.set(`POST ${URL_}`, { version: 2 });
  const store = new StackStore("abc");
  store.update(viewData({ teaching_url: "teaching", teaching_revision: 1, ...data }));
  const quiet = async () => {
    do await settle();
    while (store.teaching.asking || store.teaching.sending > 0);
  };
  await quiet();
  return { store, teaching: store.teaching, quiet };
}

/** @param {string} key */
const press = (key, changes = {}) => /** @type {KeyboardEvent} */ ({ key, repeat: false, ...changes });
const body = /** @type {HTMLElement} */ (/** @type {unknown} */ ({ matches: () => false }));

test("labels and suggestions stand where answers stand, and differ", async () => {
  const { store } = await labelling();
  assert.deepEqual(store.answers.get(0), [{ label: "a", confidence: 1, engine: LABELLED, model: "", kind: "label" }]);
  assert.deepEqual(store.answers.get(1), [{ label: "b", confidence: 0.87, engine: SUGGESTED, model: "", known: undefined, kind: "suggestion" }]);
  assert.deepEqual([store.answers.get(3)?.[0].label, store.answers.get(3)?.[0].known], [NONE_OF_THESE, false]);
  assert.equal(store.answers.get(4), undefined);
});

test("a number labels the current image at once and goes to the next without a label", async () => {
  const { store, teaching, quiet } = await labelling();
  store.setCurrent(1);
  assert.equal(teaching.onKey(press("2"), body), true);
  assert.equal(store.answers.get(1)?.[0].kind, "label");
  assert.equal(store.current, 2);
  await quiet();
  assert.deepEqual(sent, [{ do: "label", images: [1], label: "b" }]);
});

test("a number labels the whole selection, which the next number does not", async () => {
  const { store, teaching, quiet } = await labelling();
  store.setSelected([5, 3]);
  teaching.onKey(press("1"), body);
  assert.equal(store.selected.size, 0);
  teaching.onKey(press("2"), body);
  await quiet();
  assert.deepEqual(sent, [
    { do: "label", images: [3, 5], label: "a" },
    { do: "label", images: [1], label: "b" },
  ]);
});

test("zero and Backspace take the label away and stay", async () => {
  for (const key of ["0", "Backspace"]) {
    const { store, teaching, quiet } = await labelling();
    teaching.onKey(press(key), body);
    assert.equal(teaching.labels.has(0), false);
    assert.equal(store.current, 0);
    await quiet();
  }
  assert.deepEqual(sent, [0, 0].map((index) => ({ do: "label", images: [index], label: null })));
});

test("a number without a class, and one held down, label nothing, and are nobody else's", async () => {
  const { teaching, quiet } = await labelling();
  assert.equal(teaching.onKey(press("3"), body), true);
  assert.equal(teaching.onKey(press("1", { repeat: true }), body), true);
  assert.equal(teaching.onKey(press("x"), body), false);
  await quiet();
  assert.deepEqual(sent, []);
});

test("Enter accepts a suggestion, but neither none of these nor over a label, and presses a button", async () => {
  const { store, teaching, quiet } = await labelling();
  teaching.onKey(press("Enter"), body); // 0 has a label
  store.setCurrent(3);
  teaching.onKey(press("Enter"), body); // none of these
  const button = /** @type {HTMLElement} */ (/** @type {unknown} */ ({ matches: () => true }));
  store.setCurrent(2);
  assert.equal(teaching.onKey(press("Enter"), button), false);
  await quiet();
  assert.deepEqual(sent, []);
  store.setSelected([7, 8]);
  teaching.onKey(press("Enter"), body);
  await quiet();
  assert.deepEqual(sent, [{ do: "label", images: [2], label: "a" }], "the suggestion is this image's alone");
});

test("“like this one” selects what is alike, with the image itself, so that one key labels them all", async () => {
  const { store, teaching, quiet } = await labelling({}, { alike_url: "teaching/alike?image={index}" });
  answers.set("http://host/app/teaching/alike?image=4", { images: [7, 5] });
  answers.set("http://host/app/teaching/alike?image=0", { images: [9] });
  store.setCurrent(4);
  assert.equal(teaching.onKey(press("s"), body), true);
  assert.equal(teaching.onKey(press("s", { repeat: true }), body), true);
  await quiet();
  assert.deepEqual([...store.selected].sort(), [4, 5, 7]);
  assert.equal(asked.filter((url) => url.includes("alike")).length, 1);
  teaching.onKey(press("2"), body);
  await quiet();
  assert.deepEqual(sent, [{ do: "label", images: [4, 5, 7], label: "b" }]);
  store.setCurrent(0); // has a label already
  teaching.onKey(press("s"), body);
  await quiet();
  assert.deepEqual([...store.selected], [9]);
});

test("of what is alike nothing is selected where there is none, or the person has gone on", async () => {
  const { store, teaching, quiet } = await labelling({}, { alike_url: "teaching/alike?image={index}" });
  store.setCurrent(5);
  teaching.onKey(press("s"), body);
  await quiet();
  assert.equal(teaching.error, "There is no such thing.");
  assert.equal(store.selected.size, 0);
  answers.set("http://host/app/teaching/alike?image=5", { images: [7] });
  teaching.onKey(press("s"), body);
  store.setCurrent(6);
  await quiet();
  assert.equal(store.selected.size, 0);
});

test("the review goes by what teaches most, then on in the gallery's order, then stays", async () => {
  const { store, teaching, quiet } = await labelling();
  teaching.after = "queue";
  teaching.review();
  assert.equal(store.current, 2);
  teaching.assign(0);
  assert.equal(store.current, 1);
  teaching.shown = () => [1, 9, 4];
  teaching.assign(0);
  assert.equal(store.current, 9);
  teaching.after = "stay";
  teaching.assign(0);
  assert.equal(store.current, 9);
  await quiet();
});

test("images that the gallery does not show are not gone to", async () => {
  const { store, teaching, quiet } = await labelling();
  teaching.shown = () => [0, 1];
  teaching.assign(1);
  assert.equal(store.current, 1);
  teaching.assign(1);
  assert.equal(store.current, 1, "all that is shown has a label");
  await quiet();
});

test("undo goes to what came back", async () => {
  const { store, teaching, quiet } = await labelling({ images: [0, 6], labels: [0, 1] });
  answers.set(URL_, columns({ revision: 2 }));
  assert.equal(teaching.onShortcut(press("z", { ctrlKey: true })), true);
  await quiet();
  assert.deepEqual(sent, [{ do: "undo" }]);
  assert.equal(teaching.labels.has(6), false);
  assert.equal(store.current, 6);
});

test("redo goes by Ctrl+Shift+Z, and does nothing where nothing was undone", async () => {
  const { teaching, quiet } = await labelling();
  teaching.onShortcut(press("Z", { ctrlKey: true, shiftKey: true }));
  await quiet();
  assert.deepEqual(sent, []);
  teaching.canRedo = true;
  teaching.onShortcut(press("Z", { ctrlKey: true, shiftKey: true }));
  await quiet();
  assert.deepEqual(sent, [{ do: "redo" }]);
});

test("an answer from before the latest label does not take it back", async () => {
  const { teaching, quiet } = await labelling();
  const stale = teaching.refresh();
  teaching.onKey(press("2"), body);
  await stale;
  assert.equal(teaching.labels.get(0), 1);
  await quiet();
});

test("it asks again while the server learns, and not after", async () => {
  const { store, quiet } = await labelling({ pending: true });
  assert.equal(asked.filter((url) => url === URL_).length, 1);
  answers.set(URL_, columns({ revision: 2 }));
  mock.timers.tick(POLL_MS);
  await quiet();
  mock.timers.tick(10 * POLL_MS);
  await quiet();
  assert.equal(asked.filter((url) => url === URL_).length, 2);
  assert.equal(store.state().taught, 2, "Python hears of it");
});

test("what the browser knows already is not asked for at a rerun", async () => {
  const { store, quiet } = await labelling();
  store.update(viewData({ teaching_url: "teaching", teaching_revision: 1 }));
  store.update(viewData({ teaching_url: "teaching", teaching_revision: 1 }));
  await quiet();
  assert.equal(asked.filter((url) => url === URL_).length, 1);
});

test("a refusal is told, and what the server knows comes back", async () => {
  const { teaching, quiet } = await labelling();
  answers.set(`POST ${URL_}`, undefined);
  teaching.onKey(press("2"), body);
  await quiet();
  assert.equal(teaching.error, "There is no such thing.");
  assert.equal(teaching.labels.get(0), 0);
});

test("leaving asks where labels would be lost, and nowhere else", async () => {
  const leaves = () => {
    const event = new Event("beforeunload", { cancelable: true });
    window.dispatchEvent(event);
    return !event.defaultPrevented;
  };
  const { quiet } = await labelling();
  assert.equal(leaves(), false);
  answers.set(URL_, columns({ saved: 1 }));
  window.dispatchEvent(new Event("click")); // the one that saves them, wherever on the page
  mock.timers.tick(1000);
  await quiet();
  assert.equal(leaves(), true, "they are saved");
  const before = asked.length;
  window.dispatchEvent(new Event("click"));
  mock.timers.tick(1000);
  assert.equal(asked.length, before, "nothing is asked for while nothing would be lost");
  await labelling({ images: [], labels: [] });
  assert.equal(leaves(), true, "there are none");
});

test("without Label mode its keys are the viewer's, and results come back", async () => {
  const { store, teaching, quiet } = await labelling({}, { results_url: "" });
  answers.set("http://host/app/results", { labels: ["cat"], runs: [] });
  store.update(viewData({ results_url: "results" }));
  await quiet();
  assert.equal(teaching.onKey(press("1"), body), false);
  assert.equal(teaching.onShortcut(press("z", { ctrlKey: true })), false);
  assert.equal(store.answers.size, 0);
  assert.equal("taught" in store.state(), false);
});

test("a label is unsaved from the key on, and not only once the server has it", async () => {
  const { store, teaching, quiet } = await labelling({ saved: 1 });
  assert.equal(teaching.isSaved, true);
  store.setCurrent(1);
  teaching.onKey(press("2"), body);
  assert.equal(teaching.isSaved, false, "nobody may lose what was pressed a moment ago");
  answers.set(URL_, columns({ revision: 2, version: 2, images: [0, 1], labels: [0, 1] }));
  await quiet();
  assert.equal(teaching.isSaved, false);
});
