/* What modules find around them in a browser, as far as they need it: addresses, keys and answers of the server. */

/** @import { ImageColumns, ViewData } from "../../pages/_ui/components/shared/contract.js" */

/** @type {Map<string, unknown>} what the server answers with, by address; anything else gets 404 */
export const answers = new Map();
/** @type {string[]} what has been asked for */
export const asked = [];
/** @type {unknown[]} what has been sent, each answered as `POST` and the address say */
export const sent = [];

/** Make the globals of a page at http://host/app/. */
export function openPage() {
  answers.clear();
  asked.length = 0;
  sent.length = 0;
  const location = new URL("http://host/app/");
  const history = {
    state: null,
    /**
     * @param {unknown} _state
     * @param {string} _title
     * @param {URL} url
     */
    replaceState: (_state, _title, url) => {
      location.href = url.href;
    },
  };
  const body = {};
  const document = { baseURI: "http://host/app/", body, activeElement: body };
  const fetch = async (/** @type {string} */ url, /** @type {RequestInit} */ { method, body: content } = {}) => {
    if (method === "POST") sent.push(JSON.parse(String(content)));
    else asked.push(url);
    const answer = answers.get(method === "POST" ? `POST ${url}` : url);
    if (answer instanceof Error) throw answer;
    return answer === undefined
      ? Response.json({ detail: "There is no such thing." }, { status: 404 })
      : Response.json(answer);
  };
  Object.assign(globalThis, { location, history, document, fetch, window: new EventTarget() });
}

/** Let everything that waits for an answer go on. */
export const settle = () => new Promise((done) => setImmediate(done));

/**
 * What Python sends for a stack of ten images.
 *
 * @param {Partial<ViewData>} [changes]
 * @returns {ViewData}
 */
export function viewData(changes = {}) {
  return {
    stack: "abc",
    version: 1,
    current: 0,
    selected: "",
    count: 10,
    index_url: "index",
    image_url: "images/{index}/display",
    thumbnail_url: "images/{index}/thumbnail",
    values_url: "images/{index}/values",
    explanation_url: "",
    patient_url: "",
    results_url: "",
    answer_url: "",
    teaching_url: "",
    alike_url: "",
    teaching_revision: 0,
    tag: "",
    height: 400,
    reports: true,
    ...changes,
  };
}

/** @type {ImageColumns} three images, the last one 16-bit */
export const IMAGES = {
  names: ["b/2.png", "a.png", "c10.png"],
  widths: [30, 40, 50],
  heights: [3, 4, 5],
  file_sizes: [100, 2000, 3_000_000],
  kinds: [
    { bit_depth: 8, colour: "RGB", highest: 255, description: "8-bit RGB" },
    { bit_depth: 16, colour: "grey", highest: 65535, description: "16-bit grey" },
  ],
  kind: [0, 0, 1],
};
