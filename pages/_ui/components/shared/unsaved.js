/* Labels that would be lost with the page: it asks before it is left. */

/** @import { Teaching } from "./teaching.js" */

const SAVED_MS = 1000; // after a click that may have saved labels

/** @type {Teaching | null} the one whose labels would be lost */
let guarded = null;

/**
 * Ask before the page is left, as long as labels are not saved.
 *
 * @param {Teaching} teaching
 */
export function guard(teaching) {
  window.addEventListener("beforeunload", askBeforeLeaving); // once, however often it is said
  window.addEventListener("click", lookIfSaved, true);
  guarded = teaching;
}

/**
 * Ask no more for the labels of another store: those are gone from the page. Its own stay guarded while it is off.
 *
 * @param {Teaching} teaching
 */
export function unguard(teaching) {
  if (guarded !== null && guarded.store !== teaching.store) guarded = null;
}

/** Somebody may have saved the labels: a download tells the page nothing, so the server is asked a moment later. */
function lookIfSaved() {
  if (!guarded || guarded.isSaved) return;
  clearTimeout(guarded.timer);
  guarded.timer = setTimeout(() => guarded?.refresh(), SAVED_MS);
}

/** @param {BeforeUnloadEvent} event */
function askBeforeLeaving(event) {
  if (guarded && !guarded.isSaved) event.preventDefault();
}
