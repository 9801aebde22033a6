/*
 * The address of the page names the image on show, and what the gallery filters and sorts by: `?stack=TAG&image=12&sort=name`.
 * It is replaced, not added to, so that moving through a stack neither reruns the app nor fills the browser's history.
 *
 * The tag is a digest of the stack's file list and not its id: an address ends up in histories, logs, mails and
 * screenshots, and whoever knows the id may fetch the images. A tag opens nothing. It only says whether the stack
 * that is open here is the one that is meant.
 */

/**
 * The position that the page's address asks for in this stack, or undefined.
 *
 * @param {string} tag
 * @param {number} count
 */
export function linkedImage(tag, count) {
  const query = new URLSearchParams(location.search);
  const image = Number(query.get("image"));
  return tag && query.get("stack") === tag && Number.isInteger(image) && image >= 1 && image <= count ? image - 1 : undefined;
}

/** @typedef {Partial<Record<typeof ARRANGED[number], string>>} Arrangement what a gallery filters and sorts by, as text */

/** Its fields, as the address calls them. */
export const ARRANGED = /** @type {const} */ (["name", "class", "least", "most", "differing", "known", "kind", "sort"]);
const LONGEST = 200; // characters of a field

/**
 * What the page's address asks a gallery of this stack to filter and sort by; undefined where it is about another one.
 *
 * @param {string} tag
 * @returns {Arrangement | undefined}
 */
export function linkedArrangement(tag) {
  const query = new URLSearchParams(location.search);
  if (!tag || query.get("stack") !== tag) return undefined;
  return Object.fromEntries(ARRANGED.flatMap((field) => (query.get(field) ? [[field, (query.get(field) ?? "").slice(0, LONGEST)]] : [])));
}

/**
 * @param {string} tag
 * @param {number} index
 * @param {Arrangement} [arrangement] left out, that in the address stays
 */
export function showLink(tag, index, arrangement) {
  if (!tag) return;
  const url = new URL(location.href);
  const other = url.searchParams.get("stack") !== tag;
  url.searchParams.set("stack", tag);
  url.searchParams.set("image", String(index + 1));
  const shown = arrangement ?? (other ? {} : undefined);
  for (const field of shown ? ARRANGED : []) {
    const value = shown?.[field];
    if (value) url.searchParams.set(field, value.slice(0, LONGEST));
    else url.searchParams.delete(field);
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}
