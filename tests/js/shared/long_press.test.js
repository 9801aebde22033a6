import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { onLongPress } from "../../../pages/_ui/components/shared/long_press.js";

/** @type {EventTarget} */
let element;
let pressed = 0;
let clicked = 0;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  pressed = clicked = 0;
  element = new EventTarget();
  onLongPress(/** @type {HTMLElement} */ (element), () => (pressed += 1));
  element.addEventListener("click", () => (clicked += 1));
});
afterEach(() => mock.timers.reset());

/**
 * An event at `timeStamp`, whenever the page gets to see it; whether its default was prevented.
 *
 * @param {string} type
 * @param {number} timeStamp
 * @param {object} [properties]
 */
function send(type, timeStamp, properties = {}) {
  const event = new Event(type, { cancelable: true });
  const all = { timeStamp, pointerType: "touch", isPrimary: true, clientX: 10, clientY: 10, detail: 1, ...properties };
  for (const [name, value] of Object.entries(all)) Object.defineProperty(event, name, { value });
  return !element.dispatchEvent(event);
}

const outcome = () => [pressed, clicked];

test("a short touch is a click", () => {
  send("pointerdown", 0);
  mock.timers.tick(300);
  send("pointerup", 300);
  send("click", 300);
  mock.timers.tick(1000);
  assert.deepEqual(outcome(), [0, 1]);
});

test("a finger that rests acts while it is down, and its click is swallowed", () => {
  send("pointerdown", 0);
  mock.timers.tick(450);
  assert.deepEqual(outcome(), [1, 0]);
  send("pointerup", 600);
  send("click", 600);
  assert.deepEqual(outcome(), [1, 0]);
});

test("the browser's own long press comes first and no click follows: it is one all the same", () => {
  send("pointerdown", 0);
  mock.timers.tick(400);
  assert.ok(send("contextmenu", 400), "its menu must not open");
  send("pointerup", 420);
  mock.timers.tick(1000);
  assert.deepEqual(outcome(), [1, 0]);
});

test("ours comes first and the browser's follows: it is one, not two", () => {
  send("pointerdown", 0);
  mock.timers.tick(450);
  assert.ok(send("contextmenu", 500));
  send("pointerup", 600);
  assert.deepEqual(outcome(), [1, 0]);
});

test("the page was too busy for its timer: what counts is how long the finger rested", () => {
  send("pointerdown", 0);
  send("pointerup", 480);
  send("click", 480);
  mock.timers.tick(1000);
  assert.deepEqual(outcome(), [1, 0]);
});

test("the events of a short touch come late: it is a click", () => {
  send("pointerdown", 0);
  send("pointerup", 90);
  send("click", 90);
  mock.timers.tick(1000);
  assert.deepEqual(outcome(), [0, 1]);
});

test("a finger that slips, a mouse and a second finger are no long press", () => {
  send("pointerdown", 0);
  send("pointermove", 100, { clientX: 30 });
  mock.timers.tick(1000);
  send("pointerup", 1000);
  send("pointerdown", 2000, { pointerType: "mouse" });
  assert.ok(!send("contextmenu", 2010), "a mouse's menu opens");
  mock.timers.tick(1000);
  send("pointerdown", 4000, { isPrimary: false });
  mock.timers.tick(1000);
  assert.deepEqual(outcome(), [0, 0]);
});
