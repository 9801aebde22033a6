/* The app's own HTTP routes. */

/** Relative to the page, whose address is one segment below the app's base path: right behind any proxy. */
function resolveUrl(template, index = "") {
  return new URL(template.replace("{index}", index), document.baseURI).href;
}

const NO_ANSWER = "The server cannot be reached. Check the connection and try again.";

/** The API's own sentence about a failure, or a general one. */
const sentenceOf = (problem, status) => problem?.detail ?? `The server answered with status ${status}.`;

async function failureMessage(response) {
  return sentenceOf(await response.json().catch(() => null), response.status);
}
