const LONG_PRESS_MS = 450;
const LONG_PRESS_SLIP_PX = 10;

/**
 * A finger that rests on an element: `action` is called once, and the clicks that would follow are swallowed.
 *
 * Every touch is a click or a long press, never nothing: the browser's own long press, after which it sends no click,
 * counts as one, and so does a finger that has rested long enough while the page was too busy for its timer.
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
  let since = 0;
  let done = false;
  const options = { signal };
  const giveUp = () => {
    clearTimeout(timer);
    start = null;
  };
  const press = () => {
    clearTimeout(timer);
    if (!start || done) return;
    done = true;
    action();
  };
  element.addEventListener("pointerdown", (event) => {
    giveUp();
    done = false;
    if (event.pointerType !== "touch" || !event.isPrimary) return;
    start = [event.clientX, event.clientY];
    since = event.timeStamp;
    timer = setTimeout(press, LONG_PRESS_MS);
  }, options);
  element.addEventListener("pointermove", (event) => {
    if (start && Math.hypot(event.clientX - start[0], event.clientY - start[1]) > LONG_PRESS_SLIP_PX) giveUp();
  }, options);
  element.addEventListener("pointerup", (event) => {
    if (event.timeStamp - since >= LONG_PRESS_MS) press();
    giveUp();
  }, options);
  element.addEventListener("pointercancel", giveUp, options);
  element.addEventListener("contextmenu", (event) => {
    if (!start) return;
    event.preventDefault();
    press();
  }, options);
  /** @param {MouseEvent} event */
  const swallow = (event) => {
    if (!done || event.detail === 0) return; // a key's click has no count
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  element.addEventListener("click", swallow, { signal, capture: true });
  element.addEventListener("dblclick", swallow, { signal, capture: true });
}
