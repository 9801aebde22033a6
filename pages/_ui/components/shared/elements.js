/**
 * The elements of a component by the names in their `data-ref`.
 *
 * @template T
 * @param {ParentNode} root
 */
export function elementsOf(root) {
  const found = Array.from(root.querySelectorAll("[data-ref]"), (element) => [
    /** @type {HTMLElement} */ (element).dataset.ref,
    element,
  ]);
  return /** @type {T} */ (Object.fromEntries(found));
}

/**
 * The element of `root` that a selector names, which is known to be there.
 *
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 */
export function find(root, selector) {
  return /** @type {T} */ (root.querySelector(selector));
}

/**
 * The element that has the focus in the document or shadow root of `element`.
 *
 * @param {Element} element
 */
export const focusedIn = (element) => rootOf(element).activeElement;

/**
 * The document or shadow root that `element` is in.
 *
 * @param {Element} element
 */
export const rootOf = (element) => /** @type {Document | ShadowRoot} */ (element.getRootNode());
