/* What the engines say of the image on show: their best classes, asked for once the image stands still, and a summary. */
import { resolveUrl } from "../shared/addresses.js";
import { caption, showBand } from "../shared/answers.js";
import { formatConfidence, formatShare, textElement } from "../shared/format.js";

/** @import { Answer } from "../shared/answers.js" */
/** @import { ImageAnswers, TopAnswer } from "../shared/contract.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { WorkspaceElements } from "./elements.js" */

const QUIET_MS = 120; // how long an image stands before its best classes are asked for
const MOST_KEPT = 100;
const TOP = 5;

export class AnswerPane {
  listeners = new AbortController();
  /** @type {Map<string, TopAnswer[]>} by address, which changes with the results */
  kept = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * @param {WorkspaceElements} ref
   * @param {StackStore} store
   */
  constructor(ref, store) {
    this.ref = ref;
    this.store = store;
    const { signal } = this.listeners;
    for (const type of ["current", "results", "index", "teaching"]) {
      store.addEventListener(type, () => this.show(), { signal });
    }
  }

  remove() {
    this.listeners.abort();
    clearTimeout(this.timer);
  }

  /** What is said where there is no answer. */
  get nothing() {
    return this.store.teaching.on ? "No label yet" : "Not recognised yet";
  }

  show() {
    const { ref, store } = this;
    const answers = store.answers.get(store.current) ?? [];
    this.showSummary(answers[0]);
    ref.verdict.textContent = answers.length > 0 ? verdict(answers[0]) : `${this.nothing}.`;
    clearTimeout(this.timer);
    const url = store.answerUrl && resolveUrl(store.answerUrl, { index: store.current });
    const kept = this.kept.get(url);
    ref.best.classList.toggle("unknown", answers[0]?.known === false);
    this.draw(kept ?? answers.filter(({ kind }) => !kind).map(asTop));
    if (!kept && url && answers.length > 0 && !answers[0].kind) this.timer = setTimeout(() => this.load(url), QUIET_MS);
  }

  /** @param {string} url */
  async load(url) {
    try {
      const response = await fetch(url);
      if (!response.ok) return; // the first class stays
      /** @type {ImageAnswers} */
      const found = await response.json();
      this.kept.set(url, found.answers);
    } catch {
      return;
    }
    for (const old of this.kept.keys()) if (this.kept.size > MOST_KEPT) this.kept.delete(old);
    this.show();
  }

  /** @param {TopAnswer[]} answers */
  draw(answers) {
    this.ref.best.replaceChildren(
      ...answers.map(({ engine, classes, confidences, error }) => {
        const part = textElement("section", "engine-best", "");
        part.setAttribute("aria-label", `Five best classes, ${engine}`);
        if (answers.length > 1) part.append(textElement("p", "quiet", engine));
        if (error) part.append(textElement("p", "", error));
        const list = textElement("ol", "top", "");
        classes.slice(0, TOP).forEach((label, place) => list.append(line(label, confidences[place])));
        part.append(list);
        return part;
      }),
    );
  }

  /** @param {Answer | undefined} leading */
  showSummary(leading) {
    const { ref, store } = this;
    const name = store.name(store.current);
    const share = leading ? formatShare(leading) : "";
    ref.said.textContent = leading ? `${caption(leading)} ${share}`.trimEnd() : this.nothing;
    ref.said.classList.toggle("quiet", !leading);
    ref.what.textContent = name.slice(name.lastIndexOf("/") + 1);
    showBand(ref.summary, leading);
  }
}

/** @param {Answer} leading */
function verdict(leading) {
  if (leading.kind === "label") return "Your label.";
  if (leading.kind && leading.known === false) return "A suggestion: unlike the examples of every class.";
  if (leading.kind) return "A suggestion, from the labels so far.";
  if (leading.known === undefined) return "This model cannot tell images it knows from others.";
  const score = `(known score ${(leading.knownScore ?? 0).toFixed(2)})`;
  return leading.known ? `Known: like what the model was taught on ${score}.` : `Unlike what the model was taught on ${score}.`;
}

/**
 * The one class of an answer, until the others are here.
 *
 * @param {Answer} answer
 * @returns {TopAnswer}
 */
const asTop = ({ engine, engineName = "", model, label, confidence, calibrated = false, known, knownScore }) => ({
  engine, engine_name: engineName, model, classes: [label], confidences: [confidence], calibrated, known: known ?? null,
  known_score: knownScore ?? null, error: null,
});

/**
 * @param {string} label
 * @param {number} confidence
 */
function line(label, confidence) {
  const item = textElement("li", "", "");
  const bar = textElement("span", "bar", "");
  bar.style.setProperty("--share", String(confidence));
  const name = textElement("span", "what", label);
  name.title = label;
  item.append(name, textElement("span", "sure", formatConfidence(confidence)), bar);
  return item;
}
