/* Positions as ascending ranges: {0, 1, 2, 7} is "0-2,7". Ten thousand selected images are a few bytes. */

/** @param {Iterable<number>} indices */
export function encodeRanges(indices) {
  const sorted = Uint32Array.from(indices).sort();
  const parts = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (sorted[end + 1] === sorted[end] + 1) end += 1;
    parts.push(start === end ? `${sorted[start]}` : `${sorted[start]}-${sorted[end]}`);
    start = end + 1;
  }
  return parts.join(",");
}

/** @param {string} text */
export function decodeRanges(text) {
  /** @type {Set<number>} */
  const indices = new Set();
  for (const part of text ? text.split(",") : []) {
    const [first, last = first] = part.split("-").map(Number);
    for (let index = first; index <= last; index += 1) indices.add(index);
  }
  return indices;
}
