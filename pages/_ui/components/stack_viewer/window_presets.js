/*
 * Windows to choose from: those that the image's file offers, and for Hounsfield units those that doctors look through.
 * They are buttons, and keys while window and level is open.
 */

/** @import { Samples } from "./samples.js" */
/** @import { Windowing } from "./windowing.js" */

/** @typedef {{ name: string, range: [number, number] | null }} Preset without a range: as the file wants it */

const MOST = 9; // keys
/** @type {[string, number, number][]} level and window in Hounsfield units */
const HOUNSFIELD = [["Soft tissue", 40, 400], ["Lung", -600, 1500], ["Bone", 400, 1800], ["Brain", 40, 80], ["Liver", 60, 160]];

/**
 * What there is to choose for an image; nothing where there is no choice.
 *
 * @param {Samples} samples
 * @returns {Preset[]}
 */
export function presetsOf({ windows, unit }) {
  /** @type {Preset[]} */
  const own = windows.map((range, place) => (place ? { name: `File ${place + 1}`, range } : { name: "File", range: null }));
  /** @type {Preset[]} */
  const known = unit === "HU" ? HOUNSFIELD.map(([name, level, width]) => ({ name, range: [level - width / 2, level + width / 2] })) : [];
  const all = [...own.slice(0, MOST - known.length), ...known];
  return all.length > 1 ? all : [];
}

export class WindowPresets {
  /** @type {Preset[]} */
  presets = [];
  names = "";

  /**
   * @param {HTMLElement} row
   * @param {(preset: Preset) => void} choose
   */
  constructor(row, choose) {
    this.row = row;
    this.choose = choose;
    row.replaceChildren(); // those of the stack before
    row.hidden = true;
  }

  /**
   * True when the key was used here.
   *
   * @param {string} key
   */
  onKey(key) {
    const preset = /^[1-9]$/.test(key) ? this.presets[Number(key) - 1] : undefined;
    if (preset) this.choose(preset);
    return preset !== undefined;
  }

  /**
   * @param {Samples} samples
   * @param {Windowing} windowing
   */
  show(samples, windowing) {
    this.presets = presetsOf(samples);
    const names = this.presets.map(({ name }) => name).join();
    if (names !== this.names) {
      this.names = names;
      this.row.hidden = names === "";
      this.row.replaceChildren(...this.presets.map((preset, place) => this.button(preset.name, place)));
    }
    const chosen = windowing.windows.get(samples.max) ?? null;
    this.presets.forEach(({ range }, place) => {
      const isChosen = range === chosen || (range !== null && chosen !== null && range.every((end, side) => end === chosen[side]));
      this.row.children[place].setAttribute("aria-pressed", String(isChosen));
    });
  }

  /**
   * @param {string} name
   * @param {number} place
   */
  button(name, place) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = String(place + 1);
    key.setAttribute("aria-hidden", "true");
    button.className = "text";
    button.title = place || name !== "File" ? `${name} (${place + 1})` : `As the file wants it to be shown (${place + 1})`;
    button.append(key, ` ${name}`);
    button.onclick = () => this.choose(this.presets[place]);
    return button;
  }
}
