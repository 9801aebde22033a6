/* How names, sizes and answers are written. File names reach the page as text only, never as HTML. */
import { caption, heading, nearest, showBand } from "./answers.js";

/** @import { Answer } from "./answers.js" */

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (!(bytes >= 0)) return "";
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 999_500 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} confidence */
export const formatConfidence = (confidence) => `${(confidence * 100).toFixed(1)}%`;

/**
 * How sure an answer is, as it is written: nothing for a label and for none of the classes, whole percents for a suggestion.
 *
 * @param {Answer} answer
 */
export function formatShare({ confidence, kind, known }) {
  if (kind === "label" || known === false) return "";
  return kind ? `${Math.round(confidence * 100)}%` : formatConfidence(confidence);
}

/**
 * An answer as it is read out.
 *
 * @param {Answer} answer
 */
export function spoken(answer) {
  const { engine, model } = answer;
  const [said, sure] = [caption(answer), formatShare(answer)];
  return [sure ? `${said} ${sure}` : said, engine, ...(model ? [`model ${model}`] : []), ...caveats(answer)].join(", ");
}

/**
 * What is to be known about an answer's confidence.
 *
 * @param {Answer} answer
 */
const caveats = ({ calibrated }) => (calibrated === false ? ["not calibrated"] : []);

/**
 * A new element with a class and a text.
 *
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
export function textElement(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * The file name, its folder held back.
 *
 * @param {HTMLElement} element
 * @param {string} name
 */
export function showName(element, name) {
  const cut = name.lastIndexOf("/") + 1;
  element.replaceChildren(textElement("span", "folder", name.slice(0, cut)), textElement("span", "file", name.slice(cut)));
  element.title = name;
}

/**
 * One line for each answer: class, confidence as number and bar, who said it.
 *
 * @param {HTMLElement} element
 * @param {Answer[]} answers
 */
export function showAnswers(element, answers) {
  element.replaceChildren(
    ...answers.map((answer, order) => {
      const { label, engine, model, kind } = answer;
      const line = textElement("div", "answer", "");
      if (kind) line.dataset.kind = kind;
      showBand(line, answer);
      line.classList.toggle("unknown", answer.known === false);
      line.classList.toggle("differs", order > 0 && label !== answers[0].label);
      line.append(
        textElement("span", "label", heading(answer)),
        ...sureness(answer),
        textElement("span", "source", [engine, ...(model ? [model] : []), ...caveats(answer)].join(" · ")),
      );
      return line;
    }),
  );
}

/**
 * How sure an answer is, as number and bar; where the image shows none of the classes, the nearest one.
 *
 * @param {Answer} answer
 */
function sureness(answer) {
  const near = nearest(answer);
  if (near) {
    const element = textElement("span", "nearest", `nearest: ${near}`);
    element.title = near;
    return [element];
  }
  const share = formatShare(answer);
  if (!share) return [];
  const bar = textElement("span", "bar", "");
  bar.style.setProperty("--share", String(answer.confidence));
  return [textElement("span", "confidence", share), bar];
}

/**
 * Colour a slider's track up to its handle.
 *
 * @param {HTMLInputElement} slider
 */
export function showFill(slider) {
  const [min, max, value] = [slider.min, slider.max, slider.value].map(Number);
  slider.style.setProperty("--fill", String(max > min ? (value - min) / (max - min) : 0));
}
