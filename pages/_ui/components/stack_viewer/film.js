/*
 * The film: images one after the other at a chosen speed, to the end of the stack. An image that is still on its
 * way is waited for, but not for long, and a broken one takes its turn like any other.
 */
import { keepPreference, readPreference } from "../shared/preferences.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { ViewerElements } from "./elements.js" */
/** @import { Stage } from "./stage.js" */

const FILM_WAIT_MS = 1500;
const FILM_POLL_MS = 15;

export class Film {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * @param {ViewerElements} ref
   * @param {StackStore} store
   * @param {Stage} stage
   */
  constructor(ref, store, stage) {
    this.ref = ref;
    this.store = store;
    this.stage = stage;
    ref.speed.value = readPreference("film-speed", ref.speed.value);
    ref.play.onclick = () => this.toggle();
    ref.speed.onchange = () => keepPreference("film-speed", ref.speed.value);
  }

  get playing() {
    return this.timer !== undefined;
  }

  toggle() {
    if (this.playing) this.stop();
    else this.start();
  }

  start() {
    const { store } = this;
    if (store.current >= store.count - 1) store.setCurrent(0);
    store.reporter.hold(true); // Python need not follow a film
    this.wait();
    this.show();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.store.reporter.hold(false);
    this.show();
  }

  wait() {
    const milliseconds = 1000 / Number(this.ref.speed.value);
    const due = performance.now() + milliseconds;
    const next = () => {
      const late = performance.now() - due;
      if (!this.stage.isSettled && late < FILM_WAIT_MS) this.timer = setTimeout(next, FILM_POLL_MS);
      else this.advance();
    };
    this.timer = setTimeout(next, milliseconds);
  }

  advance() {
    const { store } = this;
    store.setCurrent(store.current + 1);
    if (store.current >= store.count - 1) this.stop();
    else this.wait();
  }

  show() {
    const { play } = this.ref;
    play.classList.toggle("playing", this.playing);
    play.setAttribute("aria-label", this.playing ? "Pause" : "Play as a film");
    play.title = this.playing ? "Pause (space)" : "Play as a film (space)";
  }
}
