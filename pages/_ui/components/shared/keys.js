/*
 * Keys: one listener for the page hands each key to the component that has the focus, then to the viewer.
 * It listens on the way down, so that keys handled here never reach Streamlit's own shortcuts.
 */

import { keymap } from "./keymap.js";

/** @import { Component } from "./mount.js" */
/** @typedef {Pick<KeyboardEvent, "key" | "repeat" | "shiftKey">} Press a key by what it usually does */

/** @type {Set<Component>} The mounted components of the page. */
const components = new Set();
/** @type {((key: string) => void) | null} who takes the next key, whatever it does */
let taker = null;

/** @param {((key: string) => void) | null} take */
export function takeNextKey(take) {
  taker = take;
}

/**
 * True for a field people type in or choose from by letters; sliders, buttons and checkboxes are not.
 *
 * @param {HTMLElement} element
 */
function isTextField(element) {
  if (element.isContentEditable || element.matches?.("textarea, select")) return true;
  const { type } = /** @type {HTMLInputElement} */ (element);
  return element.matches?.("input") && !["range", "checkbox", "radio", "button"].includes(type);
}

/**
 * True where the focus is on nothing in particular: the page itself, or a box around the component.
 *
 * @param {Element} root
 */
function nothingFocused(root) {
  const active = document.activeElement;
  return !active || active === document.body || active.contains(/** @type {ShadowRoot} */ (root.getRootNode()).host);
}

/**
 * True for a key that a plain button of the page, pressed just now, has no use for: an arrow, Home, Page Down, a digit.
 *
 * @param {KeyboardEvent} event
 * @param {Element} element
 */
function unusedByButton(event, element) {
  return /^(Arrow|Page|Home|End)|^\d$/.test(event.key) && element.matches?.("button:not([role], [aria-haspopup])");
}

/** @param {KeyboardEvent} event */
function routeKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  if (taker) {
    if (["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
    const take = taker;
    taker = null;
    event.preventDefault();
    event.stopPropagation();
    take(event.key);
    return;
  }
  const path = event.composedPath();
  const target = /** @type {HTMLElement} */ (path[0]);
  const mounted = [...components];
  const owner = mounted.find((component) => path.includes(component.root));
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (owner && isTextField(target)) {
    if (plain && event.key.length === 1) event.stopPropagation(); // typing "r" must not rerun the app
    return;
  }
  const viewers = mounted.filter((component) => component.isViewer && (!owner || component.store === owner.store));
  const candidates = owner
    ? [...new Set([owner, ...viewers])]
    : viewers.filter(({ root }) => nothingFocused(root) || unusedByButton(event, target));
  if (event.altKey && !/^Arrow(Left|Right)$/.test(event.key)) return; // composes signs on many keyboards
  const press = { key: keymap.usual(event.key), repeat: event.repeat, shiftKey: event.shiftKey };
  for (const component of candidates) {
    if (plain ? component.onKey(press, target) : component.store.onShortcut(event)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
  }
  if (plain && candidates.length > 0 && event.key.length === 1) event.stopPropagation(); // a slip beside "x" must not open a dialog
}

/**
 * Hand keys to a component from now on.
 *
 * @param {Component} component
 */
export function listen(component) {
  if (components.size === 0) window.addEventListener("keydown", routeKey, true);
  components.add(component);
}

/** @param {Component} component */
export function unlisten(component) {
  components.delete(component);
  if (components.size === 0) window.removeEventListener("keydown", routeKey, true);
}
