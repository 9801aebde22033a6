/* Choices a person made, kept in this browser. A browser that keeps nothing gives the fallback each time. */
const PREFERENCE_PREFIX = "image-stack-";

function readPreference(key, fallback) {
  try {
    return localStorage.getItem(PREFERENCE_PREFIX + key) ?? fallback;
  } catch {
    return fallback;
  }
}

function keepPreference(key, value) {
  try {
    localStorage.setItem(PREFERENCE_PREFIX + key, value);
  } catch {
    // storage is switched off or full: the choice holds until the page is left
  }
}
