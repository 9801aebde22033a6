/* Labels and suggestions as answers: captions, filters and sorting go by them in label mode. */

/** @import { Answer } from "./answers.js" */
/** @import { Teaching } from "./teaching.js" */

export const NONE_OF_THESE = "none of these";
export const LABELLED = "your label";
export const SUGGESTED = "suggested";

/**
 * The answers of each image that has a label or a suggestion; a label hides the suggestion.
 *
 * @param {Pick<Teaching, "classes" | "labels" | "suggestions">} teaching
 */
export function taughtAnswers({ classes, labels, suggestions }) {
  /** @type {Map<number, Answer[]>} */
  const answers = new Map();
  for (const [index, [place, share]] of suggestions) {
    const label = classes[place] ?? NONE_OF_THESE;
    const known = place < 0 ? false : undefined;
    answers.set(index, [{ label, confidence: share / 100, engine: SUGGESTED, model: "", known, kind: "suggestion" }]);
  }
  for (const [index, place] of labels) {
    answers.set(index, [{ label: classes[place] ?? "", confidence: 1, engine: LABELLED, model: "", kind: "label" }]);
  }
  return answers;
}
