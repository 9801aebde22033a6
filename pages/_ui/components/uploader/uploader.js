/*
 * Takes a ZIP, or another file, by a file dialog or dropped anywhere on the page, and sends it straight to the API,
 * which writes it to disk as it arrives. Python learns the id of the new stack or file, or why there is none.
 */
import { NO_ANSWER, resolveUrl, sentenceOf } from "../shared/addresses.js";
import { elementsOf, find } from "../shared/elements.js";
import { formatBytes } from "../shared/format.js";

/** @import { UploaderData, UploadReport } from "../shared/contract.js" */
/** @import { Mounting } from "../shared/mount.js" */

/**
 * The elements of uploader.html, by the names in their `data-ref`.
 *
 * @typedef {Record<"choose" | "invitation" | "hint" | "sending" | "name" | "status" | "bar" | "target" | "drop", HTMLElement>
 *   & Record<"browse" | "cancel", HTMLButtonElement> & { file: HTMLInputElement }} UploaderElements
 */

/** @type {WeakMap<HTMLElement | ShadowRoot, Uploader>} */
const uploaders = new WeakMap();

const SHOW_TIME_AFTER_MS = 1000; // before, an estimate would only be noise

class Uploader {
  /** @type {XMLHttpRequest | null} */
  request = null;

  /**
   * @param {HTMLElement} root
   * @param {UploaderData} data
   * @param {(report: UploadReport) => void} report
   */
  constructor(root, data, report) {
    this.root = root;
    this.data = data;
    this.report = report;
    this.ref = /** @type {UploaderElements} */ (elementsOf(root));
    this.ref.browse.onclick = () => this.ref.file.click();
    this.ref.cancel.onclick = () => this.request?.abort();
    this.ref.file.onchange = () => this.chosen();
    this.listening = new AbortController();
    const { signal } = this.listening;
    for (const type of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
      document.addEventListener(type, (event) => this.drag(event), { signal });
    }
    if (this.ref.file.value) this.chosen(); // while this module was still on its way
  }

  /**
   * @param {UploaderData} data
   * @param {(report: UploadReport) => void} report
   */
  configure(data, report) {
    this.data = data;
    this.report = report;
    this.root.toggleAttribute("data-compact", data.compact);
    this.ref.invitation.textContent = data.invitation;
    this.ref.hint.textContent = data.hint;
    this.ref.drop.textContent = data.drop;
    this.ref.file.accept = data.endings.join(",");
    this.ref.file.ariaLabel = data.invitation;
    this.ref.browse.textContent = data.button;
    if (this.request?.readyState === XMLHttpRequest.DONE) this.finish();
  }

  remove() {
    this.listening.abort();
    this.request?.abort();
  }

  chosen() {
    const files = Array.from(this.ref.file.files ?? []);
    this.ref.file.value = ""; // so that the same file can be chosen again
    this.take(files);
  }

  /** @param {DragEvent} event */
  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    const taken = event.defaultPrevented; // by another field, on which the file was dropped
    event.preventDefault();
    const leaves = event.type === "drop" || (event.type === "dragleave" && event.relatedTarget === null);
    this.ref.target.hidden = leaves || this.request !== null;
    if (event.type === "drop" && !taken) this.take(Array.from(event.dataTransfer.files));
  }

  /** @param {File[]} files */
  take(files) {
    if (this.request || !files.length) return;
    const { endings, limit, refusals } = this.data;
    const [file] = files;
    const name = file.name.toLowerCase();
    if (files.length > 1) this.report({ error: refusals.several });
    else if (!endings.some((ending) => name.endsWith(ending))) this.report({ error: refusals.wrong_kind });
    else if (file.size > limit) this.report({ error: refusals.too_large });
    else this.send(file);
  }

  /** @param {File} file */
  send(file) {
    const request = new XMLHttpRequest();
    this.request = request;
    const started = performance.now();
    this.ref.name.textContent = file.name;
    this.show(0, file.size, started);
    request.upload.onprogress = ({ loaded }) => this.show(loaded, file.size, started);
    request.upload.onload = () => this.open();
    request.onload = () => {
      const answer = request.response;
      if (request.status === 201 && answer.file_id) {
        this.finish();
        this.report({ file: answer.file_id });
      } else if (request.status === 200) {
        this.finish();
        this.report({ unknown_files: answer.unknown_files });
      } else if (request.status === 201) {
        prefetch(this.data.prefetch, answer.stack_id);
        this.report({ stack: answer.stack_id });
      } else {
        this.fail(sentenceOf(answer, request.status));
      }
    };
    request.onerror = () => this.fail(NO_ANSWER);
    request.onabort = () => this.finish();
    request.responseType = "json";
    request.open("POST", resolveUrl(this.data.url) + `?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", this.data.media_type);
    request.send(file);
    this.ref.choose.hidden = true;
    this.ref.sending.hidden = false;
    this.ref.cancel.focus({ preventScroll: true });
  }

  /**
   * @param {number} loaded bytes
   * @param {number} size bytes
   * @param {number} started milliseconds, as of performance.now()
   */
  show(loaded, size, started) {
    const share = size ? loaded / size : 1;
    const seconds = (performance.now() - started) / 1000;
    const left = Math.ceil((seconds / share) * (1 - share));
    const time = seconds * 1000 > SHOW_TIME_AFTER_MS && share > 0 ? ` · ${left} s left` : "";
    this.ref.status.textContent = `${formatBytes(loaded)} of ${formatBytes(size)}${time}`;
    this.ref.bar.style.setProperty("--share", String(share));
    this.ref.bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  }

  open() {
    this.ref.status.textContent = "Opening…";
    this.ref.bar.toggleAttribute("data-busy", true);
    this.ref.bar.removeAttribute("aria-valuenow");
  }

  /** @param {string} error */
  fail(error) {
    this.finish();
    this.report({ error });
  }

  finish() {
    this.request = null;
    this.ref.choose.hidden = false;
    this.ref.sending.hidden = true;
    this.ref.bar.toggleAttribute("data-busy", false);
  }
}

/**
 * Have the first image on its way while Python draws the page that will show it.
 *
 * @param {string[]} templates addresses with `{stack}`
 * @param {string} stack
 */
function prefetch(templates, stack) {
  for (const template of templates) fetch(resolveUrl(template, { stack })).catch(() => {});
}

export default (/** @type {Mounting<UploaderData>} */ { parentElement, data, setTriggerValue }) => {
  const root = find(parentElement, "[data-component]");
  const report = (/** @type {UploadReport} */ event) => setTriggerValue("event", event);
  let uploader = uploaders.get(parentElement);
  if (uploader?.root !== root) {
    uploader?.remove();
    uploader = new Uploader(root, data, report);
    uploaders.set(parentElement, uploader);
    root.dataset.component = "ready";
  }
  uploader.configure(data, report);
  const mounted = uploader;
  return () => {
    uploaders.delete(parentElement);
    mounted.remove();
  };
};
