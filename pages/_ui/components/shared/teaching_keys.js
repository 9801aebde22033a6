/* Keys of label mode: digits give classes, Enter accepts what is suggested, S selects what is alike. */

/** @import { Press } from "./keys.js" */
/** @import { Teaching } from "./teaching.js" */

/**
 * True when the key was used here.
 *
 * @param {Teaching} teaching
 * @param {Press} event
 * @param {HTMLElement} target
 */
export function onTeachingKey(teaching, event, target) {
  if (!teaching.on) return false;
  const { key } = event;
  if (key === "Enter") {
    if (target.matches?.("button:not(.open), a, summary")) return false; // it presses what has the focus
    if (!event.repeat) teaching.accept();
    return true;
  }
  if (key.toLowerCase() === "s") {
    if (!event.repeat) teaching.alike();
    return true;
  }
  const removes = key === "0" || key === "Backspace" || key === "Delete";
  if (!removes && !/^[1-9]$/.test(key)) return false;
  if (!event.repeat) teaching.assign(removes ? null : Number(key) - 1);
  return true;
}

/**
 * The same for keys with Ctrl or Cmd.
 *
 * @param {Teaching} teaching
 * @param {KeyboardEvent} event
 */
export function onTeachingShortcut(teaching, event) {
  const key = event.key.toLowerCase();
  if (!teaching.on || event.altKey || (key !== "z" && key !== "y")) return false;
  if (key === "y" || event.shiftKey) teaching.redo();
  else teaching.undo();
  return true;
}
