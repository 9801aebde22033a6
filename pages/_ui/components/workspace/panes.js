/*
 * Where things stand. On a wide screen gallery and answer are panes beside the image, of which sizes and whether they
 * are open are remembered; on a narrow one they are sheets over it, one at a time.
 */
import { clamp } from "../shared/numbers.js";
import { keepPreference, readPreference } from "../shared/preferences.js";

/** @import { Press } from "../shared/keys.js" */
/** @import { WorkspaceElements } from "./elements.js" */
/** @typedef {"gallery" | "answer" | "tools"} Sheet */

export const WIDE = "(min-width: 1100px)"; // the same as in workspace.css and pages/_ui/viewer/layout.css
const LEAST = 200; // CSS pixels of the gallery
const CLOSES_BELOW = 120;
const STEP = 24;

export class Panes {
  listeners = new AbortController();
  wideScreen = window.matchMedia(WIDE);
  /** @type {Sheet | ""} */
  sheet = "";
  open = { gallery: readPreference("gallery-pane", "true") === "true", answer: readPreference("answer-pane", "true") === "true" };

  /**
   * @param {HTMLElement} root
   * @param {WorkspaceElements} ref
   * @param {() => void} onChange called when something has another place or size
   */
  constructor(root, ref, onChange) {
    this.root = root;
    this.ref = ref;
    this.onChange = onChange;
    const { signal } = this.listeners;
    this.wideScreen.addEventListener("change", () => this.place(), { signal });
    ref.galleryToggle.onclick = () => this.toggle("gallery");
    ref.answerToggle.onclick = ref.summary.onclick = () => this.toggle("answer");
    ref.toolsToggle.onclick = () => this.toggle("tools");
    for (const button of [ref.closeGallery, ref.closeAnswer, ref.closeTools]) button.onclick = () => this.close();
    ref.splitter.onpointerdown = (event) => this.drag(event);
    ref.splitter.ondblclick = () => this.keepWidth(this.usualWidth);
    // A tap on an image of the sheet is to see it; the capturing listener of a long press swallows its click.
    ref.gallerySide.onclick = (event) => {
      const onImage = /** @type {Element} */ (event.target).closest(".open");
      if (onImage && !event.shiftKey && !event.ctrlKey && !event.metaKey) this.close();
    };
    this.width = Number(readPreference("gallery-width", "")) || this.usualWidth;
    this.place();
  }

  remove() {
    this.listeners.abort();
  }

  get wide() {
    return this.wideScreen.matches;
  }

  get usualWidth() {
    return clamp(Math.round(window.innerWidth * 0.235), 250, 420);
  }

  /** Put everything where it belongs on a screen like this; the same again changes nothing. */
  place() {
    const { ref, wide } = this;
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (this.root.querySelector(name));
    const [caption, travel, tools, options] = [".caption", ".travel", ".tools", ".options"].map(part);
    ref.stage.after(ref.summary);
    travel.prepend(ref.galleryToggle);
    travel.append(ref.answerToggle, ref.toolsToggle);
    ref.looked.append(ref.map);
    ref.answerSide.append(ref.verdict, ref.best, ref.looked, ref.mapPanel);
    ref.verdict.before(caption);
    ref.film.before(ref.labelling);
    if (wide) {
      ref.previous.after(ref.play);
      ref.next.after(ref.speed, ref.back, ref.forth);
      travel.after(tools);
      ref.answerSide.append(ref.windowPanel, options);
    } else {
      ref.filmTools.append(ref.play, ref.speed, ref.back, ref.forth);
      ref.toolsSide.append(tools, ref.windowPanel, options);
    }
    this.sheet = "";
    this.setWidth(this.width);
    this.show();
  }

  /** @param {Sheet} name */
  toggle(name) {
    if (this.wide && name !== "tools") {
      this.open[name] = !this.open[name];
      keepPreference(`${name}-pane`, String(this.open[name]));
    } else {
      this.sheet = this.sheet === name ? "" : name;
    }
    this.show();
  }

  /** Close the sheet that is open; true where there was one. */
  close() {
    if (!this.sheet) return false;
    this.sheet = "";
    this.show();
    return true;
  }

  show() {
    const { root, ref, wide, open, sheet } = this;
    root.classList.toggle("wide", wide);
    root.classList.toggle("without-gallery", !open.gallery);
    root.classList.toggle("without-answer", !open.answer);
    root.dataset.sheet = sheet;
    ref.galleryToggle.setAttribute("aria-expanded", String(wide ? open.gallery : sheet === "gallery"));
    ref.answerToggle.setAttribute("aria-expanded", String(open.answer));
    ref.summary.setAttribute("aria-expanded", String(sheet === "answer"));
    ref.toolsToggle.setAttribute("aria-expanded", String(sheet === "tools"));
    this.onChange();
  }

  /** @param {number} width CSS pixels */
  setWidth(width) {
    const most = Math.max(LEAST, Math.round(window.innerWidth / 2));
    this.width = clamp(width, LEAST, most);
    this.root.style.setProperty("--gallery-width", `${this.width}px`);
    const { splitter } = this.ref;
    for (const [name, value] of [["min", LEAST], ["max", most], ["now", this.width]]) splitter.setAttribute(`aria-value${name}`, String(value));
  }

  /** @param {number} width CSS pixels */
  keepWidth(width) {
    this.setWidth(width);
    keepPreference("gallery-width", String(this.width));
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const { splitter } = this.ref;
    const [startX, startWidth] = [event.clientX, this.width];
    let wanted = startWidth;
    splitter.setPointerCapture(event.pointerId);
    splitter.onpointermove = ({ clientX }) => {
      wanted = startWidth + clientX - startX;
      this.setWidth(wanted);
    };
    splitter.onpointerup = splitter.onpointercancel = () => {
      splitter.onpointermove = splitter.onpointerup = splitter.onpointercancel = null;
      this.keepWidth(wanted < CLOSES_BELOW ? startWidth : wanted);
      if (wanted < CLOSES_BELOW) this.toggle("gallery");
    };
  }

  /**
   * True when the key was used here.
   *
   * @param {Press} event
   * @param {HTMLElement} target
   */
  onKey(event, target) {
    if (event.key === "Escape") return this.close();
    if (event.key.toLowerCase() === "g") {
      if (!event.repeat) this.toggle("gallery");
      return true;
    }
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (target !== this.ref.splitter || by === undefined) return false;
    this.keepWidth(this.width + by);
    return true;
  }
}
