/* A finger that rests on an element: `action` is called once, and the clicks that would follow are swallowed. */
const LONG_PRESS_MS = 450;
const LONG_PRESS_SLIP_PX = 10;

function onLongPress(element, action, signal) {
  let start = null;
  let timer;
  let done = false;
  const on = (type, handler, capture = false) => element.addEventListener(type, handler, { signal, capture });
  const giveUp = () => {
    clearTimeout(timer);
    start = null;
  };
  on("pointerdown", (event) => {
    giveUp();
    done = false;
    if (event.pointerType !== "touch" || !event.isPrimary) return;
    start = [event.clientX, event.clientY];
    timer = setTimeout(() => {
      done = true;
      action();
    }, LONG_PRESS_MS);
  });
  on("pointermove", (event) => {
    if (start && Math.hypot(event.clientX - start[0], event.clientY - start[1]) > LONG_PRESS_SLIP_PX) giveUp();
  });
  on("pointerup", giveUp);
  on("pointercancel", giveUp);
  on("contextmenu", (event) => start && event.preventDefault()); // the browser's own long press
  for (const type of ["click", "dblclick"]) {
    const swallow = (event) => {
      if (!done || event.detail === 0) return; // a key's click has no count
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    on(type, swallow, true);
  }
}
