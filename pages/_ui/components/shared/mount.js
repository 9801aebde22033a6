/*
 * Streamlit calls a module's default function at every rerun, with the same parent element. One component
 * object is kept for each element, configured again each time, and removed when the element goes.
 */
import { find } from "./elements.js";
import { listen, unlisten } from "./keys.js";
import { storeOf } from "./stores.js";

/** @import { ViewData, ViewReport } from "./contract.js" */
/** @import { Press } from "./keys.js" */
/** @import { StackStore } from "./store.js" */

/**
 * What is mounted. `onKey` is true when the key was used; `report`, where there is one, tells Python.
 *
 * @typedef {object} Component
 * @property {HTMLElement} root
 * @property {StackStore} store
 * @property {boolean} isViewer
 * @property {((state: ViewReport) => void) | null} report
 * @property {(data: ViewData) => void} configure
 * @property {(press: Press, target: HTMLElement) => boolean} onKey
 * @property {() => void} remove
 */

/**
 * What Streamlit hands to a component.
 *
 * @template Data
 * @typedef {object} Mounting
 * @property {HTMLElement | ShadowRoot} parentElement
 * @property {Data} data
 * @property {(name: string, value: unknown) => void} setStateValue
 * @property {(name: string, value: unknown) => void} setTriggerValue
 */

/** @type {WeakMap<HTMLElement | ShadowRoot, Component>} */
const mounted = new WeakMap();

/** @param {HTMLElement | ShadowRoot} parentElement */
function unmount(parentElement) {
  const component = mounted.get(parentElement);
  if (!component) return;
  mounted.delete(parentElement);
  unlisten(component);
  component.store.components.delete(component);
  component.remove();
}

/**
 * @param {new (root: HTMLElement, store: StackStore) => Component} Kind
 * @param {Mounting<ViewData>} mounting
 */
export function mount(Kind, { parentElement, data, setStateValue }) {
  const root = find(parentElement, "[data-component]");
  const store = storeOf(data.stack);
  store.update(data);
  let component = mounted.get(parentElement);
  if (component?.root !== root || component.store !== store) {
    unmount(parentElement);
    component = new Kind(root, store);
    root.dataset.component = "ready";
    mounted.set(parentElement, component);
    listen(component);
    store.components.add(component);
    store.reporter.soon(); // what could not be said while no component was mounted
  }
  component.report = data.reports ? (state) => setStateValue("view", state) : null;
  component.configure(data);
  return () => unmount(parentElement);
}
