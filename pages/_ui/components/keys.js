/*
 * Keys: one listener for the page hands each key to the component that has the focus, then to the viewer.
 * It listens on the way down, so that keys handled here never reach Streamlit's own shortcuts.
 */

/** True for a field people type in or choose from by letters; sliders, buttons and checkboxes are not. */
function isTextField(element) {
  if (element.isContentEditable || element.matches?.("textarea, select")) return true;
  return element.matches?.("input") && !["range", "checkbox", "radio", "button"].includes(element.type);
}

/** True where the focus is on nothing in particular: the page itself, or a box around the component. */
function nothingFocused(root) {
  const active = document.activeElement;
  return !active || active === document.body || active.contains(root.getRootNode().host);
}

/** True for a key that a plain button of the page, pressed just now, has no use for: an arrow, Home, Page Down. */
function unusedByButton(event, element) {
  return /^(Arrow|Page|Home|End)/.test(event.key) && element.matches?.("button:not([role], [aria-haspopup])");
}

function routeKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  const path = event.composedPath();
  const components = [...sharedRegistry().components];
  const owner = components.find((component) => path.includes(component.root));
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (owner && isTextField(path[0])) {
    if (plain && event.key.length === 1) event.stopPropagation(); // typing "r" must not rerun the app
    return;
  }
  if (!plain) return;
  const viewers = components.filter((component) => component.isViewer && (!owner || component.store === owner.store));
  const candidates = owner ? [...new Set([owner, ...viewers])] : viewers.filter(({ root }) => nothingFocused(root) || unusedByButton(event, path[0]));
  for (const component of candidates) {
    if (component.onKey(event, path[0])) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
  }
  if (candidates.length > 0 && event.key.length === 1) event.stopPropagation(); // a slip beside "x" must not open a dialog
}

/** Connect a mounted component to its store and to the keyboard. */
function attach(component) {
  const registry = sharedRegistry();
  registry.components.add(component);
  component.store.components.add(component);
  component.store.scheduleReport(); // what could not be said while no component was mounted
  if (!registry.route) {
    registry.route = routeKey;
    window.addEventListener("keydown", registry.route, true);
  }
}

function detach(component) {
  const registry = sharedRegistry();
  registry.components.delete(component);
  component.store.components.delete(component);
  if (registry.components.size === 0 && registry.route) {
    window.removeEventListener("keydown", registry.route, true);
    registry.route = null;
  }
}
