/* The viewer: the controls, keys and caption around the stage. */
import { elementsOf, focusedIn, rootOf } from "../shared/elements.js";
import { formatBytes, formatShare, showAnswers, showFill, showName } from "../shared/format.js";
import { linkedImage } from "../shared/link.js";
import { onLongPress } from "../shared/long_press.js";
import { mount } from "../shared/mount.js";
import { keepForTab, keepPreference, readForTab, readPreference } from "../shared/preferences.js";
import { Film } from "./film.js";
import { MapPanel } from "./map_panel.js";
import { Probe } from "./probe.js";
import { Stage } from "./stage.js";
import { FLIP_HORIZONTAL, FLIP_VERTICAL, TURN_LEFT, TURN_RIGHT } from "./viewport.js";
import { WindowPanel } from "./window_panel.js";

/** @import { ViewData } from "../shared/contract.js" */
/** @import { Component, Mounting } from "../shared/mount.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { ViewerElements } from "./elements.js" */

const ANNOUNCE_MS = 400;
const ZOOM_STEP = 1.25;
const PAGE = 10;

/** @implements {Component} */
export class StackViewer {
  isViewer = true;
  /** @type {Component["report"]} */
  report = null;
  listeners = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  announceTimer;

  /**
   * @param {HTMLElement} root
   * @param {StackStore} store
   * @param {HTMLElement} [frame] where its elements are, and what full screen shows
   */
  constructor(root, store, frame = root) {
    this.root = root;
    this.frame = frame;
    this.store = store;
    this.ref = /** @type {ViewerElements} */ (elementsOf(frame));
    this.stage = new Stage(this.ref, store, () => this.showView());
    this.film = new Film(this.ref, store, this.stage);
    this.panel = new WindowPanel(this.ref, this.stage);
    this.probe = new Probe(this.ref, this.stage);
    this.maps = new MapPanel(this.ref, this.stage, store);
    this.seen = store.current;
    this.bindControls();
    this.keepBeside(null); // what the stack before may have left
    const { signal } = this.listeners;
    store.addEventListener("current", () => this.moved(), { signal });
    store.addEventListener("index", () => this.show(), { signal });
    store.addEventListener("selection", () => this.showSelection(), { signal });
    store.addEventListener("results", () => this.showCaption(), { signal });
    store.addEventListener("teaching", () => this.showKeys(), { signal });
    rootOf(root).addEventListener("fullscreenchange", () => this.showFullScreen(), { signal });
    onLongPress(this.ref.stage, () => store.toggle(store.current), signal);
    window.addEventListener("popstate", () => this.followLink(), { signal });
    this.followLink();
  }

  /** @param {ViewData} data */
  configure({ height }) {
    this.ref.stage.style.setProperty("--stage-height", `${height}px`);
    this.stage.measure();
    this.showKeys();
    this.show();
  }

  /** Zoom, pan and orientation are found again after a reload or a change of page, where they stay while moving. */
  remember() {
    const { store, stage, ref } = this;
    const key = `view-${store.tag}`;
    if (!store.tag) return;
    if (ref.keep.checked) stage.wanted = readForTab(key);
    const keep = () => keepForTab(key, stage.viewport.state);
    window.addEventListener("pagehide", keep, { signal: this.listeners.signal });
    this.listeners.signal.addEventListener("abort", keep);
  }

  remove() {
    this.listeners.abort();
    this.film.stop();
    this.probe.remove();
    this.maps.remove();
    this.stage.remove();
    clearTimeout(this.announceTimer);
  }

  bindControls() {
    const { ref, store, stage } = this;
    ref.previous.onclick = () => stage.step(-1);
    ref.next.onclick = () => stage.step(1);
    ref.slider.oninput = () => store.setCurrent(Number(ref.slider.value) - 1);
    ref.zoomOut.onclick = () => stage.zoomAt(stage.viewport.scale / ZOOM_STEP);
    ref.zoomIn.onclick = () => stage.zoomAt(stage.viewport.scale * ZOOM_STEP);
    ref.zoomSlider.oninput = () => stage.zoomAt(2 ** Number(ref.zoomSlider.value));
    ref.percent.onchange = () => this.zoomToTyped();
    ref.percent.onfocus = () => ref.percent.select();
    ref.fit.onclick = () => stage.change((viewport) => viewport.fit());
    ref.actual.onclick = () => stage.zoomAt(1);
    ref.turnLeft.onclick = () => stage.change((viewport) => viewport.orient(TURN_LEFT));
    ref.turnRight.onclick = () => stage.change((viewport) => viewport.orient(TURN_RIGHT));
    ref.flipHorizontal.onclick = () => stage.change((viewport) => viewport.orient(FLIP_HORIZONTAL));
    ref.flipVertical.onclick = () => stage.change((viewport) => viewport.orient(FLIP_VERTICAL));
    ref.reset.onclick = () => stage.change((viewport) => viewport.reset());
    ref.keep.checked = readPreference("keep-view", "true") === "true";
    ref.keep.onchange = () => keepPreference("keep-view", String(ref.keep.checked));
    ref.select.onclick = () => store.toggle(store.current);
    ref.beside.onclick = () => this.keepBeside(stage.beside === null ? store.current : null);
    ref.fullScreen.onclick = () => this.toggleFullScreen();
    ref.fullScreen.hidden = !document.fullscreenEnabled;
    ref.help.onclick = () => ref.dialog.showModal();
    ref.dialog.onclick = (event) => {
      if (event.target === ref.dialog) ref.dialog.close();
    };
  }

  /**
   * True when the key was used here.
   *
   * @param {KeyboardEvent} event
   * @param {HTMLElement} target
   */
  onKey(event, target) {
    const { ref, store, stage } = this;
    if (ref.dialog.open) return false;
    if (store.teaching.onKey(event, target)) return true;
    if (!event.repeat && this.panel.onKey(event.key)) return true;
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowLeft: () => stage.step(-1),
      ArrowRight: () => stage.step(1),
      PageUp: () => stage.step(-PAGE),
      PageDown: () => stage.step(PAGE),
      Home: () => store.setCurrent(0),
      End: () => store.setCurrent(store.count - 1),
    };
    /** @type {Record<string, () => void>} */
    const repeating = {
      "+": () => ref.zoomIn.click(),
      "=": () => ref.zoomIn.click(),
      "-": () => ref.zoomOut.click(),
      l: () => ref.turnLeft.click(),
      r: () => ref.turnRight.click(),
    };
    /** @type {Record<string, () => void>} */
    const single = {
      0: () => ref.fit.click(),
      1: () => ref.actual.click(),
      h: () => ref.flipHorizontal.click(),
      v: () => ref.flipVertical.click(),
      x: () => ref.select.click(),
      a: () => store.setSelected(store.allIndices()),
      i: () => store.invert(store.allIndices()),
      f: () => this.toggleFullScreen(),
      w: () => this.panel.toggle(),
      m: () => this.maps.toggle(),
      b: () => ref.beside.click(),
      " ": () => this.film.toggle(),
      "?": () => ref.help.click(),
    };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === " " && target.matches("button, a, [type=checkbox]")) return false; // it presses what has the focus
    const ownsArrows = /** @type {HTMLInputElement} */ (target).type === "range" && target !== ref.slider;
    const move = ownsArrows ? undefined : moves[key];
    const action = move ?? repeating[key] ?? single[key];
    if (action && !(event.repeat && key in single)) action();
    return Boolean(action);
  }

  zoomToTyped() {
    const percent = Number.parseFloat(this.ref.percent.value.replace(",", "."));
    if (percent > 0) this.stage.zoomAt(percent / 100);
    this.showPercent();
  }

  async toggleFullScreen() {
    if (rootOf(this.root).fullscreenElement) await document.exitFullscreen();
    else if (document.fullscreenEnabled) await this.frame.requestFullscreen();
  }

  showFullScreen() {
    const on = rootOf(this.root).fullscreenElement === this.frame;
    this.ref.fullScreen.setAttribute("aria-pressed", String(on));
  }

  /**
   * Keep an image beside the one on show, or none.
   *
   * @param {number | null} index
   */
  keepBeside(index) {
    const { ref, store, stage } = this;
    ref.beside.setAttribute("aria-pressed", String(index !== null));
    ref.besideName.hidden = index === null;
    ref.besideName.textContent = index === null ? "" : `${index + 1}: ${store.name(index)}`;
    ref.stage.toggleAttribute("data-beside", index !== null);
    stage.keepBeside(index);
  }

  /** Go where the page's address points, if that is in this stack. */
  followLink() {
    const { store } = this;
    const index = linkedImage(store.tag, store.count);
    if (index !== undefined) store.setCurrent(index);
  }

  /** The current image is another one; the view on it is kept only where the person wants that. */
  moved() {
    if (this.store.current !== this.seen && !this.ref.keep.checked) this.stage.reset();
    this.seen = this.store.current;
    this.show();
  }

  show() {
    this.stage.show();
    this.maps.show();
    this.showCaption();
    this.showPosition();
    this.showSelection();
  }

  showCaption() {
    const { ref, store } = this;
    const image = store.image(store.current);
    const facts = image ? [`${image.width} × ${image.height}`, image.kind.description, formatBytes(image.bytes)] : [];
    const name = store.name(store.current);
    showName(ref.name, name);
    ref.facts.textContent = facts.join(" · ") || "\u00a0";
    showAnswers(ref.answers, store.answers.get(store.current) ?? []);
    ref.answers.style.setProperty("--lines", String(store.answerLines));
    ref.canvas.setAttribute("aria-label", name);
    clearTimeout(this.announceTimer);
    this.announceTimer = setTimeout(() => this.announce(), ANNOUNCE_MS);
  }

  showKeys() {
    const { on } = this.store.teaching;
    this.ref.labelKeys.hidden = this.ref.alikeKeys.hidden = !on;
    this.ref.zoomKeys.hidden = this.ref.undoKeys.hidden = on;
  }

  showPosition() {
    const { ref, store } = this;
    const position = store.count ? store.current + 1 : 0;
    ref.position.textContent = `${position} / ${store.count}`;
    ref.slider.max = String(Math.max(1, store.count));
    ref.slider.value = String(position);
    showFill(ref.slider);
    ref.slider.setAttribute("aria-valuetext", `Image ${position} of ${store.count}`);
    ref.previous.disabled = store.current <= 0;
    ref.next.disabled = store.current >= store.count - 1;
  }

  /** Tell screen readers where the person has come to, once they stop there. */
  announce() {
    const { store } = this;
    if (this.film.playing) return;
    const [leading] = store.answers.get(store.current) ?? [];
    const answer = leading ? `, ${leading.label} ${formatShare(leading)}` : "";
    this.ref.status.textContent = `Image ${store.current + 1} of ${store.count}: ${store.name(store.current)}${answer}`;
  }

  showSelection() {
    const selected = this.store.selected.has(this.store.current);
    this.ref.select.setAttribute("aria-pressed", String(selected));
    this.ref.chosen.hidden = !selected;
  }

  showPercent() {
    this.ref.percent.value = `${Math.round(this.stage.viewport.scale * 100)}%`;
  }

  showView() {
    const { ref } = this;
    const { viewport } = this.stage;
    if (focusedIn(this.root) !== ref.percent) this.showPercent();
    ref.zoomSlider.value = String(Math.log2(viewport.scale));
    showFill(ref.zoomSlider);
    ref.zoomSlider.setAttribute("aria-valuetext", `${Math.round(viewport.scale * 100)} percent`);
    ref.fit.setAttribute("aria-pressed", String(viewport.fitted));
    ref.reset.disabled = viewport.isReset;
    ref.stage.classList.toggle("pannable", viewport.pannable);
    this.panel.show();
    this.probe.show();
  }
}

export default (/** @type {Mounting<ViewData>} */ mounting) => mount(StackViewer, mounting);
