/*
 * The colours of a map: cividis (Nuñez, Anderson, Renslow 2018), from blue to yellow, evenly lighter and the same to
 * people who do not see red or green. `core/trust/map_pictures.py` has the same stops.
 */
const STOPS = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [225, 204, 85],
  [254, 232, 56],
];

/**
 * @param {number} share 0 is the lowest value, 1 the highest
 * @returns {[number, number, number]}
 */
export function colourOf(share) {
  const place = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const first = Math.min(Math.floor(place), STOPS.length - 2);
  const mix = (/** @type {number} */ channel) =>
    Math.round(STOPS[first][channel] + (place - first) * (STOPS[first + 1][channel] - STOPS[first][channel]));
  return [mix(0), mix(1), mix(2)];
}

/** For CSS, from left to right. */
export const GRADIENT = `linear-gradient(to right, ${STOPS.map((stop) => `rgb(${stop.join(" ")})`).join(", ")})`;
