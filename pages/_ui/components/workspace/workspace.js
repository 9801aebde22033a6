/* The workspace: image, neighbours, answer and tools on one screen, of the parts that other pages use one by one. */
import { Gallery } from "../gallery/gallery.js";
import { elementsOf, find } from "../shared/elements.js";
import { mount } from "../shared/mount.js";
import { StackViewer } from "../stack_viewer/stack_viewer.js";
import { AnswerPane } from "./answer_pane.js";
import { Filmstrip } from "./filmstrip.js";
import { Hints } from "./hints.js";
import { Panes } from "./panes.js";

/** @import { Press } from "../shared/keys.js" */
/** @import { ViewData } from "../shared/contract.js" */
/** @import { Component, Mounting } from "../shared/mount.js" */
/** @import { StackStore } from "../shared/store.js" */
/** @import { WorkspaceElements } from "./elements.js" */

const THUMBNAIL_SIZE = "112"; // two columns in a pane of the usual width

/** @implements {Component} */
class Workspace {
  isViewer = true;
  /** @type {Component["report"]} */
  report = null;
  listeners = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {StackStore} store
   */
  constructor(root, store) {
    this.root = root;
    this.store = store;
    this.ref = /** @type {WorkspaceElements} */ (elementsOf(root));
    const { ref } = this;
    const [viewerRoot, galleryRoot] = [".viewer", ".gallery"].map((name) => find(root, name));
    for (const part of [viewerRoot, galleryRoot]) part.dataset.component = "ready";
    ref.size.value = THUMBNAIL_SIZE; // unless a person has chosen another
    this.viewer = new StackViewer(viewerRoot, store, root);
    this.gallery = new Gallery(galleryRoot, store, root);
    this.gallery.reserved = true;
    this.answer = new AnswerPane(ref, store);
    this.film = new Filmstrip(ref, store, () => this.gallery.shown);
    this.panes = new Panes(root, ref, () => this.moved());
    this.hints = new Hints(ref, store);
    ref.galleryKeys.hidden = ref.visitKeys.hidden = false;
    ref.back.onclick = () => store.goBack();
    ref.forth.onclick = () => store.goForth();
    store.addEventListener("current", () => this.showVisits(), { signal: this.listeners.signal });
    this.showVisits();
    this.viewer.remember();
    this.gallery.remember();
  }

  /** @param {ViewData} data */
  configure(data) {
    this.viewer.configure(data);
    this.gallery.configure(data);
    this.answer.show();
    this.film.follow();
  }

  remove() {
    this.listeners.abort();
    for (const part of [this.viewer, this.gallery, this.answer, this.film, this.panes, this.hints]) part.remove();
  }

  showVisits() {
    const { before, after } = this.store.visits.places;
    this.ref.back.disabled = before.length === 0;
    this.ref.forth.disabled = after.length === 0;
  }

  /** Something has another place: what was hidden has a size now. */
  moved() {
    this.gallery.layout();
    this.gallery.reveal();
    this.film.follow();
  }

  /**
   * True when the key was used here.
   *
   * @param {Press} event
   * @param {HTMLElement} target
   */
  onKey(event, target) {
    if (this.viewer.ref.dialog.open) return false;
    if (this.panes.onKey(event, target)) return true;
    return (this.gallery.root.contains(target) && this.gallery.onKey(event, target)) || this.viewer.onKey(event, target);
  }
}

export default (/** @type {Mounting<ViewData>} */ mounting) => mount(Workspace, mounting);
