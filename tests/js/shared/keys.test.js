import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { listen, unlisten } from "../../../pages/_ui/components/shared/keys.js";
import { openPage } from "../page.js";

/** @import { Component } from "../../../pages/_ui/components/shared/mount.js" */

/** @type {Component[]} */
let mounted = [];

beforeEach(openPage);
afterEach(() => {
  mounted.forEach(unlisten);
  mounted = [];
});

/** An element that matches a selector that begins with its tag, in a component of its own or in the page. */
const element = (tag = "div", properties = {}) => ({
  matches: (/** @type {string} */ selector) => selector.split(/, /).some((one) => one.split(/[:[]/)[0] === tag),
  contains: () => false,
  ...properties,
});

/**
 * A component on the page that uses the keys it is given, and what it was handed.
 *
 * @param {{ isViewer?: boolean, store?: object, uses?: string, shortcuts?: string }} options
 */
function mounting({ isViewer = true, store, uses = "", shortcuts = "" } = {}) {
  /** @type {string[]} */
  const handed = [];
  const root = { getRootNode: () => ({ host: {} }) };
  const onKey = (/** @type {KeyboardEvent} */ { key }) => {
    handed.push(key);
    return uses.includes(key);
  };
  const onShortcut = (/** @type {KeyboardEvent} */ { key }) => shortcuts.includes(key);
  const teaching = { onShortcut };
  const component = /** @type {Component} */ (/** @type {unknown} */ ({ isViewer, store: store ?? teaching, root, onKey }));
  mounted.push(component);
  listen(component);
  return { component, handed, root };
}

/**
 * Press a key with the focus on `path[0]`; whether the page's own shortcuts still get to hear of it, and whether the
 * browser still acts.
 *
 * @param {string} key
 * @param {object[]} [path]
 * @param {object} [properties]
 * @param {boolean} [handled] by something before
 */
function press(key, path = [element("body")], properties = {}, handled = false) {
  const event = Object.assign(new Event("keydown", { cancelable: true }), { key, composedPath: () => path, ...properties });
  let stopped = false;
  event.stopPropagation = () => {
    stopped = true;
  };
  if (handled) event.preventDefault();
  window.dispatchEvent(event);
  return { stopped, prevented: event.defaultPrevented };
}

test("with nothing focused a key goes to the viewer, and only a used one ends there", () => {
  const viewer = mounting({ uses: "r" });
  assert.deepEqual(press("r"), { stopped: true, prevented: true });
  assert.deepEqual(press("ArrowUp"), { stopped: false, prevented: false });
  assert.deepEqual(viewer.handed, ["r", "ArrowUp"]);
});

test("a letter nobody uses does not reach the page's shortcuts, beside a viewer", () => {
  mounting();
  assert.deepEqual(press("c"), { stopped: true, prevented: false });
});

test("what has the focus goes first, then the viewer of the same stack and no other", () => {
  const store = {};
  const gallery = mounting({ isViewer: false, store });
  const own = mounting({ store, uses: "l" });
  const other = mounting({ uses: "l" });
  press("l", [element("div"), gallery.root]);
  assert.deepEqual([gallery.handed, own.handed, other.handed], [["l"], ["l"], []]);
});

test("a gallery without the focus hears nothing", () => {
  const gallery = mounting({ isViewer: false, uses: "a" });
  assert.deepEqual(press("a"), { stopped: false, prevented: false });
  assert.deepEqual(gallery.handed, []);
});

test("typing stays typing, and does not rerun the app", () => {
  const viewer = mounting({ uses: "r" });
  for (const field of [element("input", { type: "text" }), element("textarea"), element("select"), element("div", { isContentEditable: true })]) {
    assert.deepEqual(press("r", [field, viewer.root]), { stopped: true, prevented: false });
    assert.deepEqual(press("Enter", [field, viewer.root]), { stopped: false, prevented: false });
  }
  assert.deepEqual(viewer.handed, []);
});

test("sliders and checkboxes are no text fields", () => {
  const viewer = mounting({ uses: "r" });
  for (const type of ["range", "checkbox"]) press("r", [element("input", { type }), viewer.root]);
  assert.deepEqual(viewer.handed, ["r", "r"]);
});

test("a key with ctrl, alt or cmd, or in the middle of a word being composed, is not ours", () => {
  const viewer = mounting({ uses: "a" });
  for (const modifier of ["ctrlKey", "altKey", "metaKey", "isComposing"]) {
    assert.deepEqual(press("a", undefined, { [modifier]: true }), { stopped: false, prevented: false });
  }
  assert.deepEqual(viewer.handed, []);
});

test("ctrl or cmd with a key that Label mode knows ends there, and no other does", () => {
  const viewer = mounting({ uses: "z", shortcuts: "z" });
  assert.deepEqual(press("z", undefined, { ctrlKey: true }), { stopped: true, prevented: true });
  assert.deepEqual(press("z", undefined, { metaKey: true }), { stopped: true, prevented: true });
  assert.deepEqual(press("z", undefined, { altKey: true }), { stopped: false, prevented: false });
  assert.deepEqual(press("c", undefined, { ctrlKey: true }), { stopped: false, prevented: false });
  const field = element("input", { type: "text" });
  assert.deepEqual(press("z", [field, viewer.root], { ctrlKey: true }), { stopped: false, prevented: false }, "typing");
  assert.deepEqual(viewer.handed, []);
});

test("a key that something else has handled is not ours", () => {
  const viewer = mounting({ uses: "a" });
  press("a", undefined, {}, true);
  assert.deepEqual(viewer.handed, []);
});

test("a focus elsewhere on the page keeps its keys; a plain button has no use for arrows and digits", () => {
  const viewer = mounting({ uses: "rArrowLeft2" });
  Object.assign(document, { activeElement: element("input") });
  press("r", [element("input", { type: "text" })]);
  press("ArrowLeft", [element("input", { type: "text" })]);
  assert.deepEqual(viewer.handed, []);
  press("ArrowLeft", [element("button")]);
  press("r", [element("button")]);
  press("2", [element("button")]);
  assert.deepEqual(viewer.handed, ["ArrowLeft", "2"]);
});

test("a component that is gone hears nothing", () => {
  const viewer = mounting({ uses: "r" });
  unlisten(viewer.component);
  assert.deepEqual(press("r"), { stopped: false, prevented: false });
  assert.deepEqual(viewer.handed, []);
});
