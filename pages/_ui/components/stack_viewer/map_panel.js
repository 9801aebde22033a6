/* Where the network looked: which map lies over the image, fetched once the image stands still. */
import { failureMessage, NO_ANSWER, resolveUrl } from "../shared/addresses.js";
import { nearest } from "../shared/answers.js";
import { formatConfidence, showFill } from "../shared/format.js";
import { keepPreference, readPreference } from "../shared/preferences.js";
import { GRADIENT } from "./colours.js";
import { pictureOf, rangeOf } from "./map_image.js";

/** @import { Answer } from "../shared/answers.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { ViewerElements } from "./elements.js" */
/** @import { Explanation, Range } from "./map_image.js" */
/** @import { Stage } from "./stage.js" */

const QUIET_MS = 150; // how long an image stands before its map is asked for
const MOST_KEPT = 60;
const BOTH = "both";
const NOT_YET = "Run inference on this image first: then its map can be shown.";

export class MapPanel {
  listeners = new AbortController();
  on = readPreference("map", "false") === "true";
  /** @type {string} the class that is followed; empty, the one that each engine names */
  followed = "";
  engine = readPreference("map-engine", BOTH);
  /** @type {Map<string, Explanation | string>} what was answered, or why nothing, by its address */
  kept = new Map();
  /** @type {Map<string, AbortController>} */
  pending = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  shown = "";

  /**
   * @param {ViewerElements} ref
   * @param {Stage} stage
   * @param {StackStore} store
   */
  constructor(ref, stage, store) {
    this.ref = ref;
    this.stage = stage;
    this.store = store;
    const { signal } = this.listeners;
    store.addEventListener("results", () => this.renew(), { signal });
    ref.map.onclick = () => this.toggle();
    ref.mapOpacity.value = readPreference("map-opacity", "50");
    ref.mapOpacity.oninput = () => this.setOpacity();
    ref.mapEngine.onchange = () => {
      this.engine = ref.mapEngine.value;
      keepPreference("map-engine", this.engine);
      this.show();
    };
    ref.mapClass.onchange = () => {
      this.followed = ref.mapClass.value;
      this.show();
    };
    ref.mapScale.style.background = GRADIENT;
    showFill(ref.mapOpacity);
  }

  remove() {
    this.listeners.abort();
    clearTimeout(this.timer);
    for (const controller of this.pending.values()) controller.abort();
  }

  get possible() {
    return Boolean(this.store.explanationUrl) && !this.store.teaching.on;
  }

  toggle() {
    if (!this.possible) return;
    this.on = !this.on;
    keepPreference("map", String(this.on));
    this.show();
  }

  setOpacity() {
    const { mapOpacity } = this.ref;
    keepPreference("map-opacity", mapOpacity.value);
    showFill(mapOpacity);
    mapOpacity.setAttribute("aria-valuetext", `${mapOpacity.value} percent`);
    this.stage.setLayers(this.stage.layers.map((layer) => layer && { ...layer, opacity: this.opacity }));
  }

  get opacity() {
    return Number(this.ref.mapOpacity.value) / 100;
  }

  /** There are other answers: a model of the same name may be another one. */
  renew() {
    this.kept.clear();
    this.shown = "";
    this.show();
  }

  /** The image, its answers, or what is wanted of them is another one. */
  show() {
    const { ref, store } = this;
    const on = this.on && this.possible;
    ref.map.hidden = !this.possible;
    ref.map.setAttribute("aria-pressed", String(on));
    ref.map.setAttribute("aria-expanded", String(on));
    ref.mapPanel.hidden = !on;
    clearTimeout(this.timer);
    if (!on) {
      this.clear();
      return;
    }
    const answers = store.answers.get(store.current) ?? [];
    this.showEngines(answers);
    const wanted = this.wanted(answers).map((answer) => this.address(answer));
    const found = wanted.map((url) => this.kept.get(url));
    this.showClasses(found.find(isExplanation));
    const sentence = answers.length === 0 ? NOT_YET : (found.find((one) => typeof one === "string") ?? "");
    ref.mapNote.textContent = sentence;
    ref.mapNote.hidden = sentence === "";
    if (found.length > 0 && found.every(isExplanation)) this.draw(wanted, found, this.wanted(answers));
    else {
      this.clear(wanted.length);
      this.timer = setTimeout(() => this.fetch(wanted), QUIET_MS);
    }
  }

  /**
   * The engines whose maps are shown, of those that have answered.
   *
   * @param {Answer[]} answers
   */
  wanted(answers) {
    const one = answers.find(({ engineName }) => engineName === this.engine);
    return one ? [one] : answers.slice(0, 2);
  }

  /** @param {Answer} answer */
  address({ engineName = "", model }) {
    const query = new URLSearchParams({ engine: engineName, model });
    if (this.followed) query.set("class", this.followed);
    return `${resolveUrl(this.store.explanationUrl, { index: this.store.current })}?${query}`;
  }

  /** @param {string[]} wanted */
  fetch(wanted) {
    for (const [url, controller] of this.pending) {
      if (!wanted.includes(url)) controller.abort();
    }
    for (const url of wanted) {
      if (!this.kept.has(url) && !this.pending.has(url)) this.load(url);
    }
  }

  /** @param {string} url */
  async load(url) {
    const controller = new AbortController();
    this.pending.set(url, controller);
    /** @type {Explanation | string} */
    let found;
    try {
      const response = await fetch(url, { signal: controller.signal });
      found = response.ok ? await response.json() : await failureMessage(response);
    } catch {
      found = NO_ANSWER;
    }
    this.pending.delete(url);
    if (controller.signal.aborted) return;
    this.kept.set(url, found);
    for (const old of this.kept.keys()) {
      if (this.kept.size > MOST_KEPT) this.kept.delete(old);
    }
    this.show();
    if (typeof found === "string") this.kept.delete(url); // asked for again when it is next wanted
  }

  /**
   * @param {string[]} addresses
   * @param {Explanation[]} found
   * @param {Answer[]} answers
   */
  draw(addresses, found, answers) {
    const { ref, stage } = this;
    const sameClass = found.every((one) => one.class === found[0].class);
    const shared = rangeOf(found);
    const text = addresses.join("\n");
    if (text !== this.shown) {
      this.shown = text;
      stage.setLayers(
        found.map((one) => ({
          picture: pictureOf(one.map, sameClass ? shared : rangeOf([one])),
          box: one.box,
          opacity: this.opacity,
        })),
      );
    }
    this.showRange(sameClass ? shared : null);
    [ref.mapFirst, ref.mapSecond].forEach((label, pane) => {
      const [one, answer] = [found[pane], answers[pane]];
      label.hidden = !one;
      label.textContent = one ? `${answer.engine}: ${described(one, answer)}` : "";
    });
    ref.stage.dataset.maps = String(found.length);
  }

  /** @param {number} panes that are waited for: the image does not jump when they come */
  clear(panes = 1) {
    const { ref, stage } = this;
    this.shown = "";
    ref.mapFirst.hidden = true;
    ref.mapSecond.hidden = true;
    delete ref.stage.dataset.maps;
    stage.setLayers(Array.from({ length: Math.max(1, panes) }, () => null));
  }

  /** @param {Range | null} range */
  showRange(range) {
    const [low, high] = range ?? ["less", "more"];
    this.ref.mapLow.textContent = typeof low === "number" ? low.toFixed(1) : low;
    this.ref.mapHigh.textContent = typeof high === "number" ? high.toFixed(1) : high;
  }

  /** @param {Answer[]} answers */
  showEngines(answers) {
    const { mapEngine, mapEngines } = this.ref;
    mapEngines.hidden = answers.length < 2;
    const options = answers.map(({ engineName = "", engine }) => [engineName, engine]);
    const chosen = options.some(([name]) => name === this.engine) ? this.engine : BOTH;
    setOptions(mapEngine, [[BOTH, "Side by side"], ...options], chosen);
  }

  /** @param {Explanation | undefined} found */
  showClasses(found) {
    if (!found) return;
    const options = found.best.map((score) => [score.class, `${score.class} ${formatConfidence(score.confidence)}`]);
    if (this.followed && !options.some(([value]) => value === this.followed)) options.push([this.followed, this.followed]);
    setOptions(this.ref.mapClass, [["", "The class it names"], ...options], this.followed);
  }
}

/**
 * The class whose map is shown; no confidence stands beside an image that shows none of the classes.
 *
 * @param {Explanation} found
 * @param {Answer} answer
 */
function described(found, answer) {
  if (nearest(answer)) return found.class === answer.label ? `${found.class} (nearest)` : found.class;
  return found.confidence === null ? found.class : `${found.class} ${formatConfidence(found.confidence)}`;
}

/** @param {Explanation | string | undefined} found */
const isExplanation = (found) => typeof found === "object";

/**
 * @param {HTMLSelectElement} select
 * @param {string[][]} options value and text of each
 * @param {string} chosen
 */
function setOptions(select, options, chosen) {
  const text = JSON.stringify(options);
  if (select.dataset.options !== text) {
    select.dataset.options = text;
    select.replaceChildren(...options.map(([name, label]) => new Option(label, name)));
  }
  select.value = chosen;
}
