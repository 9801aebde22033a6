/*
 * Takes files by a file dialog, dropped anywhere on the page, or pasted, and sends them straight to the API, which writes
 * them to disk as they arrive. Python learns the id of the new stack or file, or why there is none.
 */
import { NO_ANSWER, resolveUrl, sentenceOf } from "../shared/addresses.js";
import { elementsOf, find } from "../shared/elements.js";
import { formatBytes } from "../shared/format.js";
import { TooMany, endsWith, filesOf, formOf, listed, saysNothing, titleOf } from "./files.js";

/** @import { Several, UploaderData, UploadReport } from "../shared/contract.js" */
/** @import { Mounting } from "../shared/mount.js" */
/** @import { Found } from "./files.js" */

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
    document.addEventListener("paste", (event) => this.paste(event), { signal });
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
    this.ref.file.accept = [...data.endings, ...(data.several?.media_types ?? [])].join(",");
    this.ref.file.multiple = Boolean(data.several) || (data.together ?? 1) > 1;
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
    this.take(listed(files));
  }

  /** @param {ClipboardEvent} event */
  paste(event) {
    const transfer = event.clipboardData;
    if (!this.data.several || !transfer?.files.length || isEditable(event.composedPath()[0])) return;
    event.preventDefault();
    this.collect(transfer, this.data.several);
  }

  /** @param {DragEvent} event */
  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    const taken = event.defaultPrevented; // by another field, on which the file was dropped
    event.preventDefault();
    const leaves = event.type === "drop" || (event.type === "dragleave" && event.relatedTarget === null);
    this.ref.target.hidden = leaves || this.request !== null;
    if (event.type !== "drop" || taken) return;
    if (this.data.several) this.collect(event.dataTransfer, this.data.several);
    else this.take(listed(event.dataTransfer.files));
  }

  /**
   * @param {DataTransfer} transfer
   * @param {Several} several
   */
  async collect(transfer, several) {
    try {
      this.take(await filesOf(transfer, several.most));
    } catch (error) {
      this.report({ error: error instanceof TooMany ? several.too_many : several.unreadable });
    }
  }

  /** @param {Found[]} found */
  take(found) {
    if (this.request || !found.length) return;
    if (this.data.several) this.takeStack(found, this.data.several);
    else this.takeFiles(found.map(({ file }) => file));
  }

  /**
   * Everything as one stack.
   *
   * @param {Found[]} found
   * @param {Several} several
   */
  takeStack(found, { archives, most, too_many }) {
    const { endings, limit, refusals } = this.data;
    const [{ file, path }] = found;
    // What lies in a folder keeps its path, and only a form has one.
    const isAlone = found.length === 1 && path === file.name;
    const isWanted = (/** @type {string} */ name) =>
      (endsWith(name, endings) && (isAlone || !endsWith(name, archives))) || saysNothing(name);
    const wanted = found.filter((one) => isWanted(one.path));
    const size = wanted.reduce((sum, one) => sum + one.file.size, 0);
    if (found.length > most) this.report({ error: too_many });
    else if (!wanted.length && found.some((one) => endsWith(one.path, archives))) this.report({ error: refusals.several });
    else if (!wanted.length) this.report({ error: refusals.wrong_kind });
    else if (size > limit) this.report({ error: refusals.too_large });
    else if (isAlone) this.send(file, `?name=${encodeURIComponent(file.name)}`, file.name, size);
    else this.send(formOf(found, isWanted), "", titleOf(found), size);
  }

  /**
   * Files that go together, each by itself.
   *
   * @param {File[]} files
   */
  takeFiles(files) {
    const { endings, together = 1, limit, refusals } = this.data;
    if (files.length > together) this.report({ error: refusals.several });
    else if (!files.every(({ name }) => endsWith(name, endings))) this.report({ error: refusals.wrong_kind });
    else if (files.some(({ size }) => size > limit)) this.report({ error: refusals.too_large });
    else this.sendEach(files);
  }

  /**
   * One file after the other; the report names them all.
   *
   * @param {File[]} files
   * @param {string[]} sent ids of those that have arrived
   */
  sendEach([file, ...others], sent = []) {
    this.send(file, `?name=${encodeURIComponent(file.name)}`, file.name, file.size, (id) => {
      if (others.length) this.sendEach(others, [...sent, id]);
      else this.report({ files: [...sent, id] });
    });
  }

  /**
   * @param {File | FormData} body
   * @param {string} query
   * @param {string} title
   * @param {number} size bytes
   * @param {(id: string) => void} [arrived] told the id of a file that is no stack
   */
  send(body, query, title, size, arrived) {
    const request = new XMLHttpRequest();
    this.request = request;
    const started = performance.now();
    this.ref.name.textContent = title;
    this.show(0, size, started);
    request.upload.onprogress = ({ loaded }) => this.show(Math.min(loaded, size), size, started);
    request.upload.onload = () => this.open();
    request.onload = () => {
      const answer = request.response;
      if (request.status === 201 && answer.file_id) {
        this.finish();
        arrived?.(answer.file_id);
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
    request.open("POST", resolveUrl(this.data.url) + query);
    if (body instanceof File) request.setRequestHeader("Content-Type", this.data.media_type);
    request.send(body); // a form says its type itself, with the boundary
    const height = this.data.compact ? 0 : this.ref.choose.offsetHeight; // what stands below stays where it is
    this.ref.sending.style.minHeight = `${height}px`;
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

/** @param {EventTarget | undefined} target */
function isEditable(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA)$/.test(target.tagName));
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
