/*
 * Which key does what, where a person has changed that. A key is known by what it usually does; giving that another key
 * lets the two change places, so that nothing is ever without a key, and no key does two things.
 */
import { keepPreference, readPreference } from "./preferences.js";

const KEPT = "keys";
const CHANGEABLE = /^[^\s\d]$/u; // digits give classes and zoom; keys with names do everywhere what they do here

export class Keymap extends EventTarget {
  /** @type {Map<string, string>} key -> the key whose place it has taken; only those that have changed */
  places = new Map();

  constructor() {
    super();
    this.read();
  }

  /** What was kept; anything that is no exchange of keys is left out as a whole. */
  read() {
    /** @type {unknown} */
    let kept = null;
    try {
      kept = JSON.parse(readPreference(KEPT, "[]"));
    } catch {
      // written by something else
    }
    const pairs = Array.isArray(kept) ? kept.filter((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isChangeable)) : [];
    const [keys, places] = [0, 1].map((side) => new Set(pairs.map((pair) => pair[side])));
    const isExchange = keys.size === pairs.length && places.size === pairs.length && [...keys].every((key) => places.has(key));
    this.places = new Map(isExchange ? pairs : []);
  }

  get isChanged() {
    return this.places.size > 0;
  }

  /**
   * The key in whose place this one is.
   *
   * @param {string} key
   */
  usual(key) {
    return this.places.get(key.length === 1 ? key.toLowerCase() : key) ?? key;
  }

  /**
   * The key that is now in the place of this one.
   *
   * @param {string} usual
   */
  keyOf(usual) {
    for (const [key, place] of this.places) if (place === usual) return key;
    return usual;
  }

  /**
   * Let `key` do what `usual` usually does; false where it is a key that cannot be given away.
   *
   * @param {string} usual
   * @param {string} key
   */
  give(usual, key) {
    const wanted = key.length === 1 ? key.toLowerCase() : key;
    if (!isChangeable(wanted)) return false;
    const [before, other] = [this.keyOf(usual), this.usual(wanted)];
    this.places.set(wanted, usual).set(before, other);
    for (const [one, place] of this.places) if (one === place) this.places.delete(one);
    this.keep();
    return true;
  }

  reset() {
    this.places.clear();
    this.keep();
  }

  keep() {
    keepPreference(KEPT, JSON.stringify([...this.places]));
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {unknown} key */
const isChangeable = (key) => typeof key === "string" && CHANGEABLE.test(key) && key === key.toLowerCase();

export const keymap = new Keymap();
