/* Choices a person made, kept in this browser. A browser that keeps nothing gives the fallback each time. */
const PREFERENCE_PREFIX = "image-stack-";

/**
 * @param {string} key
 * @param {string} fallback
 */
export function readPreference(key, fallback) {
  try {
    return localStorage.getItem(PREFERENCE_PREFIX + key) ?? fallback;
  } catch {
    return fallback;
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function keepPreference(key, value) {
  try {
    localStorage.setItem(PREFERENCE_PREFIX + key, value);
  } catch {
    // storage is switched off or full: the choice holds until the page is left
  }
}

/**
 * What was kept under a key in this tab, null where that is nothing.
 *
 * @param {string} key
 * @returns {any}
 */
export function readForTab(key) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFERENCE_PREFIX + key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Keep a value until the tab is closed; a reload finds it again.
 *
 * @param {string} key
 * @param {unknown} value
 */
export function keepForTab(key, value) {
  try {
    sessionStorage.setItem(PREFERENCE_PREFIX + key, JSON.stringify(value));
  } catch {
    // as above
  }
}
