/* Class activation maps as pixels: values between the places first, colours then. */
import { colourOf } from "./colours.js";

/**
 * What the server answers about one image, engine and class.
 *
 * @typedef {object} Explanation
 * @property {string} class
 * @property {number | null} confidence
 * @property {{ class: string, confidence: number }[]} best
 * @property {[number, number, number, number]} box left, top, right, bottom on the image, in its pixels
 * @property {number[][]} map rows from top to bottom, in logits
 */
/** @typedef {[number, number]} Range the lowest and the highest value */

export const SIDE = 128; // pixels of a picture of a map; the browser enlarges it

/**
 * The range of colours that maps share.
 *
 * @param {Explanation[]} explanations
 * @returns {Range}
 */
export function rangeOf(explanations) {
  const values = explanations.flatMap(({ map }) => map.flat());
  return [Math.min(...values), Math.max(...values)];
}

/**
 * A map on a finer grid over the same area: between the middles of two places, values pass from one to the other.
 *
 * @param {number[][]} map
 * @param {number} side of the finer grid
 */
export function smooth(map, side = SIDE) {
  const [rows, columns] = [map.length, map[0].length];
  const down = Array.from({ length: side }, (_, place) => between(place, side, rows));
  const across = Array.from({ length: side }, (_, place) => between(place, side, columns));
  const made = new Float32Array(side * side);
  down.forEach(([top, bottom, low], row) => {
    across.forEach(([left, right, far], column) => {
      const above = map[top][left] + far * (map[top][right] - map[top][left]);
      const below = map[bottom][left] + far * (map[bottom][right] - map[bottom][left]);
      made[row * side + column] = above + low * (below - above);
    });
  });
  return made;
}

/**
 * The two old places that a new one lies between, and how far from the first to the second.
 *
 * @param {number} place
 * @param {number} side
 * @param {number} count
 * @returns {[number, number, number]}
 */
function between(place, side, count) {
  const exact = Math.min(count - 1, Math.max(0, ((place + 0.5) * count) / side - 0.5));
  const first = Math.min(Math.floor(exact), Math.max(0, count - 2));
  return [first, Math.min(first + 1, count - 1), exact - first];
}

/**
 * RGBA of a map, `SIDE` pixels each way.
 *
 * @param {number[][]} map
 * @param {Range} range
 */
export function pixelsOf(map, [low, high]) {
  const values = smooth(map);
  const pixels = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, place) => {
    pixels.set([...colourOf(high > low ? (value - low) / (high - low) : 0), 255], 4 * place);
  });
  return pixels;
}

/**
 * A map that a canvas can draw.
 *
 * @param {number[][]} map
 * @param {Range} range
 */
export function pictureOf(map, range) {
  const canvas = document.createElement("canvas");
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.putImageData(new ImageData(pixelsOf(map, range), SIDE), 0, 0);
  return canvas;
}
