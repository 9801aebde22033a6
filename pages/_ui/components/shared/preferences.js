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
