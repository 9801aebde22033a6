/* The app's own HTTP routes. Python sends their templates; nothing here knows a path. */

/**
 * Relative to the page, whose address is one segment below the app's base path: right behind any proxy.
 *
 * @param {string} template with names in braces, such as `{index}`
 * @param {Record<string, string | number>} [values] what to put for the names
 */
export function resolveUrl(template, values = {}) {
  const address = template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  return new URL(address, document.baseURI).href;
}

export const NO_ANSWER = "The server cannot be reached. Check the connection and try again.";

/**
 * The API's own sentence about a failure, or a general one.
 *
 * @param {{ detail?: string } | null} problem the body of the answer, where it is JSON
 * @param {number} status
 */
export const sentenceOf = (problem, status) => problem?.detail ?? `The server answered with status ${status}.`;

/** @param {Response} response */
export async function failureMessage(response) {
  return sentenceOf(await response.json().catch(() => null), response.status);
}
