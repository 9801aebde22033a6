/* What engines have answered for one image; the first answer leads. */

/** @import { AnswerColumns } from "./contract.js" */
/**
 * In Label mode, `kind` says whether a person or the server named the class.
 *
 * @typedef {object} Answer
 * @property {string} label
 * @property {number} confidence of a suggestion, its share; of a label, one
 * @property {string} engine its title
 * @property {string} [engineName] as requests name it; nothing for labels and suggestions
 * @property {string} model
 * @property {boolean} [calibrated] whether its confidence says how often such answers are right
 * @property {boolean} [known] whether the image shows one of the classes at all; undefined where nobody can tell
 * @property {"label" | "suggestion"} [kind]
 */

/**
 * The answers for each image, by its position.
 *
 * @param {AnswerColumns} columns
 */
export function answersByImage({ labels, runs }) {
  /** @type {Map<number, Answer[]>} */
  const answers = new Map();
  for (const { engine, engine_name: engineName, model, images, classes, confidences, calibrated, known_scores, threshold } of runs) {
    images.forEach((index, place) => {
      const known = known_scores ? known_scores[place] >= threshold : undefined;
      const [label, confidence] = [labels[classes[place]], confidences[place]];
      const answer = { label, confidence, engine, engineName, model, calibrated, known };
      const found = answers.get(index);
      if (found) found.push(answer);
      else answers.set(index, [answer]);
    });
  }
  return answers;
}

/**
 * What an answer says the image shows: its class, or none of those the model knows.
 *
 * @param {Answer} answer
 */
export const caption = ({ label, known }) => (known === false ? `none of these (nearest: ${label})` : label);

/**
 * Whether engines name different classes.
 *
 * @param {Answer[]} answers
 */
export const differ = (answers) => answers.some(({ label }) => label !== answers[0].label);

/**
 * How far engines are apart: by their confidence, and by one more than any confidence where they name different
 * classes. Undefined where fewer than two have answered.
 *
 * @param {Answer[]} answers
 */
export function difference(answers) {
  if (answers.length < 2) return undefined;
  const confidences = answers.map(({ confidence }) => confidence);
  return Math.max(...confidences) - Math.min(...confidences) + (differ(answers) ? 1 : 0);
}

/** How sure an engine is, in bands that have a colour each: the surest first, from which confidence on. */
export const BANDS = /** @type {const} */ ([
  ["high", 0.8],
  ["middle", 0.5],
  ["low", 0],
]);

/** @param {number} confidence */
export function band(confidence) {
  return BANDS.find(([, from]) => confidence >= from)?.[0] ?? "low";
}
