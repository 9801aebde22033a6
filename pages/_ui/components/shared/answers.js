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
 * @property {number} [knownScore] share of known images that are less like those the model was taught on
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
      const knownScore = known_scores?.[place];
      const known = knownScore === undefined ? undefined : knownScore >= threshold;
      const [label, confidence] = [labels[classes[place]], confidences[place]];
      const answer = { label, confidence, engine, engineName, model, calibrated, known, knownScore };
      const found = answers.get(index);
      if (found) found.push(answer);
      else answers.set(index, [answer]);
    });
  }
  return answers;
}

/**
 * The class that is nearest to an image that shows none of them; empty for all other answers.
 *
 * @param {Answer} answer
 */
export const nearest = ({ label, known, kind }) => (known === false && !kind ? label : "");

/**
 * What an answer says the image shows: its class, or none of those the model knows.
 *
 * @param {Answer} answer
 */
export const heading = (answer) => (nearest(answer) ? "None of these" : answer.label);

/**
 * The same in one line, with the nearest class.
 *
 * @param {Answer} answer
 */
export const caption = (answer) => (nearest(answer) ? `none of these (nearest: ${answer.label})` : answer.label);

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

/**
 * Give an element the colour of an answer's band. Labels and suggestions have none, and neither has an answer that the
 * image shows none of the classes: how sure the nearest class is says nothing about that.
 *
 * @param {HTMLElement} element
 * @param {Answer | undefined} answer
 */
export function showBand(element, answer) {
  if (answer && !answer.kind && answer.known !== false) element.dataset.band = band(answer.confidence);
  else delete element.dataset.band;
}
