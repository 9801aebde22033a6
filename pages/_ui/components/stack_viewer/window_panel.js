/* The row of controls for window and level; it works in the values of the current image. */
import { showFill } from "../shared/format.js";
import { WindowPresets } from "./window_presets.js";

/** @import { ViewerElements } from "./elements.js" */
/** @import { Samples } from "./samples.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Windowing } from "./windowing.js" */

export class WindowPanel {
  /**
   * @param {ViewerElements} ref
   * @param {Stage} stage
   */
  constructor(ref, stage) {
    this.ref = ref;
    this.stage = stage;
    this.presets = new WindowPresets(ref.windowPresets, ({ range }) =>
      this.change((windowing, samples) => (range ? windowing.setRange(samples, ...range) : windowing.resetRange(samples))),
    );
    ref.windowing.onclick = () => this.toggle();
    ref.level.oninput = () => this.slide();
    ref.width.oninput = () => this.slide();
    ref.windowAuto.onclick = () => this.change((windowing, samples) => windowing.setRange(samples, ...samples.autoRange));
    ref.windowInvert.onclick = () => this.change((windowing) => (windowing.inverted = !windowing.inverted));
    if (this.open) stage.useValues("panel", true); // left open by the stack before
    ref.windowReset.onclick = () => this.change((windowing) => windowing.reset());
  }

  get open() {
    return !this.ref.windowPanel.hidden;
  }

  toggle() {
    this.ref.windowPanel.hidden = this.open;
    this.ref.windowing.setAttribute("aria-expanded", String(this.open));
    this.stage.useValues("panel", this.open);
    this.show();
  }

  /**
   * True when the key was used here: while it is to be seen, digits choose a window.
   *
   * @param {string} key
   */
  onKey(key) {
    return this.open && this.ref.windowPanel.getClientRects().length > 0 && this.presets.onKey(key);
  }

  slide() {
    const level = Number(this.ref.level.value);
    const width = Number(this.ref.width.value);
    this.change((windowing, samples) => windowing.setRange(samples, level - width / 2, level + width / 2));
  }

  /** @param {(windowing: Windowing, samples: Samples) => void} action */
  change(action) {
    const { samples } = this.stage.values;
    if (!samples) return;
    action(this.stage.windowing, samples);
    this.stage.repaint();
    this.show();
  }

  /** The image, its values or its window is another one. */
  show() {
    const { ref, stage } = this;
    const { samples, error } = stage.values;
    ref.windowing.setAttribute("aria-pressed", String(stage.isWindowed));
    if (!this.open) return;
    if (samples || error) { // nothing flickers while values are on their way
      for (const control of [ref.level, ref.width, ref.windowAuto, ref.windowInvert]) control.disabled = !samples;
    }
    ref.windowReset.disabled = !stage.isWindowed;
    ref.windowInvert.setAttribute("aria-pressed", String(stage.windowing.inverted));
    ref.windowNote.textContent = error ?? "";
    if (!samples) return;
    this.showRange(samples);
    this.presets.show(samples, stage.windowing);
  }

  /** @param {Samples} samples */
  showRange(samples) {
    const { level, width, levelValue, widthValue } = this.ref;
    const [lowest, highest] = samples.range;
    const [low, high] = this.stage.windowing.range(samples);
    const centre = (low + high) / 2;
    const { finest, isFloat } = samples;
    const words = (/** @type {number} */ value) =>
      isFloat ? Number(value.toPrecision(4)).toLocaleString(undefined, { maximumSignificantDigits: 4 }) : Math.round(value).toLocaleString();
    const [least, most] = isFloat ? [centre, centre] : [Math.floor(centre), Math.ceil(centre)];
    setSlider(level, Math.min(lowest, least), Math.max(highest, most), centre, finest, words(centre));
    setSlider(width, isFloat ? finest : 1, Math.max(highest - lowest, isFloat ? high - low : Math.ceil(high - low)), high - low, finest, words(high - low));
    levelValue.textContent = words(centre);
    widthValue.textContent = words(high - low);
  }
}

/**
 * @param {HTMLInputElement} slider
 * @param {number} min
 * @param {number} max
 * @param {number} value
 * @param {number} step
 * @param {string} words
 */
function setSlider(slider, min, max, value, step, words) {
  Object.assign(slider, { min, max, step, value });
  slider.setAttribute("aria-valuetext", words);
  showFill(slider);
}
