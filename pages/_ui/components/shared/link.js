/*
 * The address of the page names the image on show: `?stack=TAG&image=12`. It is replaced, not added to, so that
 * moving through a stack neither reruns the app nor fills the browser's history.
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

/**
 * @param {string} tag
 * @param {number} index
 */
export function showLink(tag, index) {
  if (!tag) return;
  const url = new URL(location.href);
  url.searchParams.set("stack", tag);
  url.searchParams.set("image", String(index + 1));
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}
