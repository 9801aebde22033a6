/* The viewer: the controls, keys and caption around the stage. */
import { caption } from "../shared/answers.js";
import { elementsOf, focusedIn, rootOf } from "../shared/elements.js";
import { formatBytes, formatShare, showAnswers, showFill, showName } from "../shared/format.js";
import { linkedImage } from "../shared/link.js";
import { onLongPress } from "../shared/long_press.js";
import { mount } from "../shared/mount.js";
import { keepForTab, keepPreference, readForTab, readPreference } from "../shared/preferences.js";
import { Film } from "./film.js";
import { KeyEditor } from "./key_editor.js";
import { MapPanel } from "./map_panel.js";
import { PatientPanel } from "./patient_panel.js";
import { Probe } from "./probe.js";
import { Stage } from "./stage.js";
import { FLIP_HORIZONTAL, FLIP_VERTICAL, TURN_LEFT, TURN_RIGHT } from "./viewport.js";
import { pressed } from "./viewer_keys.js";
import { WindowPanel } from "./window_panel.js";

/** @import { Press } from "../shared/keys.js" */
/** @import { ViewData } from "../shared/contract.js" */
/** @import { Component, Mounting } from "../shared/mount.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { ViewerElements } from "./elements.js" */
/** @import { Beside } from "./stage.js" */

const ANNOUNCE_MS = 400;
const ZOOM_STEP = 1.25;

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
    this.patient = new PatientPanel(this.ref, store);
    this.keys = new KeyEditor(this.ref, frame);
    this.seen = store.current;
    this.bindControls();
    this.keepBeside(null); // what the stack before may have left
    const { signal } = this.listeners;
    store.addEventListener("current", () => this.moved(), { signal });
    store.addEventListener("index", () => this.show(), { signal });
    for (const type of ["index", "results", "teaching"]) store.addEventListener(type, () => this.showBeside(), { signal });
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

  /** View, window and the image beside are found again after a reload or a change of page, where they stay while moving. */
  remember() {
    const { store, stage, ref } = this;
    const key = `view-${store.tag}`;
    if (!store.tag) return;
    if (ref.keep.checked) {
      stage.restore(readForTab(key));
      this.showBeside();
    }
    const keep = () => keepForTab(key, stage.state);
    window.addEventListener("pagehide", keep, { signal: this.listeners.signal });
    this.listeners.signal.addEventListener("abort", keep);
  }

  remove() {
    this.listeners.abort();
    this.film.stop();
    this.probe.remove();
    this.maps.remove();
    this.patient.close();
    this.keys.remove();
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
    ref.beside.onclick = () => this.keepBeside(stage.beside ? null : stage.asShown);
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
   * @param {Press} event
   * @param {HTMLElement} target
   */
  onKey(event, target) {
    if (this.ref.dialog.open) return false;
    if (this.store.teaching.onKey(event, target)) return true;
    if (!event.repeat && this.panel.onKey(event.key)) return true;
    return pressed(this, event, target);
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

  /** @param {Beside | null} beside */
  keepBeside(beside) {
    this.stage.keepBeside(beside);
    this.showBeside();
  }

  /** Which image is beside the one on show, and what was answered for it. */
  showBeside() {
    const { ref, store, stage } = this;
    const index = stage.beside?.index;
    const on = index !== undefined;
    ref.beside.setAttribute("aria-pressed", String(on));
    ref.besideName.hidden = !on;
    ref.stage.toggleAttribute("data-beside", on);
    if (!on) return;
    const [leading] = store.answers.get(index) ?? [];
    const said = leading ? ` · ${caption(leading)} ${formatShare(leading)}`.trimEnd() : "";
    ref.besideName.textContent = `${index + 1}: ${store.name(index)}${said}`;
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
    this.patient.show();
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
    const answer = leading ? `, ${caption(leading)} ${formatShare(leading)}`.trimEnd() : "";
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
