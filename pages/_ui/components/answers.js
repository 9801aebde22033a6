/* What engines have answered for one image: [[label, confidence, engine, model], ...], the first one leads. */

/** Whether engines name different classes. */
const differ = (answers) => answers.some(([label]) => label !== answers[0][0]);

/**
 * How far engines are apart: by their confidence, and by one more than any confidence where they name different
 * classes. Undefined where fewer than two have answered.
 */
function difference(answers) {
  if (answers.length < 2) return undefined;
  const confidences = answers.map(([, confidence]) => confidence);
  return Math.max(...confidences) - Math.min(...confidences) + (differ(answers) ? 1 : 0);
}

/** How sure an engine is, in three bands that have a colour each. */
function band(confidence) {
  if (confidence >= 0.8) return "high";
  return confidence >= 0.5 ? "middle" : "low";
}
