const LONG_PRESS_MS = 450;
const LONG_PRESS_SLIP_PX = 10;

/**
 * A finger that rests on an element: `action` is called once, and the clicks that would follow are swallowed.
 *
 * @param {HTMLElement} element
 * @param {() => void} action
 * @param {AbortSignal} [signal]
 */
export function onLongPress(element, action, signal) {
  /** @type {[number, number] | null} */
  let start = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let done = false;
  const options = { signal };
  const giveUp = () => {
    clearTimeout(timer);
    start = null;
  };
  element.addEventListener("pointerdown", (event) => {
    giveUp();
    done = false;
    if (event.pointerType !== "touch" || !event.isPrimary) return;
    start = [event.clientX, event.clientY];
    timer = setTimeout(() => {
      done = true;
      action();
    }, LONG_PRESS_MS);
  }, options);
  element.addEventListener("pointermove", (event) => {
    if (start && Math.hypot(event.clientX - start[0], event.clientY - start[1]) > LONG_PRESS_SLIP_PX) giveUp();
  }, options);
  element.addEventListener("pointerup", giveUp, options);
  element.addEventListener("pointercancel", giveUp, options);
  // the browser's own long press
  element.addEventListener("contextmenu", (event) => start && event.preventDefault(), options);
  /** @param {MouseEvent} event */
  const swallow = (event) => {
    if (!done || event.detail === 0) return; // a key's click has no count
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  element.addEventListener("click", swallow, { signal, capture: true });
  element.addEventListener("dblclick", swallow, { signal, capture: true });
}
