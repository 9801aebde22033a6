/*
 * Python hears of a change once things have been quiet for REPORT_DELAY_MS, through the one mounted component that
 * reports; nothing is said twice.
 */
import { showLink } from "./link.js";

/** @import { StackStore } from "./store.js" */

export const REPORT_DELAY_MS = 250;

export class Reporter {
  said = "";
  held = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /** @param {StackStore} store */
  constructor(store) {
    this.store = store;
  }

  /** Python knows what there is now. */
  isKnown() {
    this.said = JSON.stringify(this.store.state());
  }

  /**
   * Python is told nothing while a film plays, and everything after it.
   *
   * @param {boolean} on
   */
  hold(on) {
    this.held = on;
    this.soon();
  }

  soon() {
    clearTimeout(this.timer);
    if (this.held) return;
    this.timer = setTimeout(() => this.report(), REPORT_DELAY_MS);
  }

  report() {
    const { store } = this;
    const report = Array.from(store.components, (component) => component.report).find(Boolean);
    if (!report) return; // said as soon as one is mounted again
    const state = store.state();
    const text = JSON.stringify(state);
    if (text === this.said) return;
    this.said = text;
    showLink(store.tag, store.current, store.arrangement);
    report(state);
  }
}
