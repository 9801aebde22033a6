/* What keys do in the viewer. */

/** @import { Press } from "../shared/keys.js" */
/** @import { StackViewer } from "./stack_viewer.js" */

const PAGE = 10;

/**
 * True when the key was used here.
 *
 * @param {StackViewer} viewer
 * @param {Press} press
 * @param {HTMLElement} target what has the focus
 */
export function pressed(viewer, press, target) {
  const { ref, store, stage } = viewer;
  /** @type {Record<string, () => void>} */
  const moves = {
    ArrowLeft: () => stage.step(-1),
    ArrowRight: () => stage.step(1),
    PageUp: () => stage.step(-PAGE),
    PageDown: () => stage.step(PAGE),
    Home: () => store.setCurrent(0),
    End: () => store.setCurrent(store.count - 1),
  };
  /** @type {Record<string, () => void>} */
  const repeating = {
    "+": () => ref.zoomIn.click(),
    "=": () => ref.zoomIn.click(),
    "-": () => ref.zoomOut.click(),
    l: () => ref.turnLeft.click(),
    r: () => ref.turnRight.click(),
  };
  /** @type {Record<string, () => void>} */
  const single = {
    0: () => ref.fit.click(),
    1: () => ref.actual.click(),
    h: () => ref.flipHorizontal.click(),
    v: () => ref.flipVertical.click(),
    x: () => ref.select.click(),
    a: () => store.setSelected(store.allIndices()),
    i: () => store.invert(store.allIndices()),
    f: () => viewer.toggleFullScreen(),
    w: () => viewer.panel.toggle(),
    m: () => viewer.maps.toggle(),
    b: () => ref.beside.click(),
    " ": () => viewer.film.toggle(),
    "?": () => ref.help.click(),
  };
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  if (key === " " && target.matches("button, a, [type=checkbox]")) return false; // it presses what has the focus
  const ownsArrows = /** @type {HTMLInputElement} */ (target).type === "range" && target !== ref.slider;
  const move = ownsArrows ? undefined : moves[key];
  const action = move ?? repeating[key] ?? single[key];
  if (action && !(press.repeat && key in single)) action();
  return Boolean(action);
}
