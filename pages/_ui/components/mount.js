/*
 * Streamlit calls a module's default function at every rerun, with the same parent element. One component
 * object is kept for each element, configured again each time, and removed when the element goes.
 *
 * A component has `root`, `store`, `configure(data)`, `onKey(event, target)` (true when the key was used) and
 * `remove()`.
 */
const mounted = new WeakMap();

function unmount(parentElement) {
  const component = mounted.get(parentElement);
  if (!component) return;
  mounted.delete(parentElement);
  detach(component);
  component.remove();
}

function mount(Component, { parentElement, data, setStateValue }) {
  const root = parentElement.querySelector("[data-component]");
  const store = storeOf(data.stack);
  store.update(data);
  let component = mounted.get(parentElement);
  if (component?.root !== root || component.store !== store) {
    unmount(parentElement);
    component = new Component(root, store);
    mounted.set(parentElement, component);
    attach(component);
  }
  component.report = data.reports ? (state) => setStateValue("view", state) : null;
  component.configure(data);
  return () => unmount(parentElement);
}
