/*
 * Takes a ZIP by a file dialog, or dropped anywhere on the page, and sends it straight to the API, which writes it to
 * disk as it arrives. Python learns the id of the new stack, or the sentence that says why there is none.
 */
const uploaders = new WeakMap();

const SHOW_TIME_AFTER_MS = 1000; // before, an estimate would only be noise

class Uploader {
  constructor(root) {
    this.root = root;
    this.ref = Object.fromEntries(Array.from(root.querySelectorAll("[data-ref]"), (e) => [e.dataset.ref, e]));
    this.request = null;
    this.ref.browse.onclick = () => this.ref.file.click();
    this.ref.cancel.onclick = () => this.request?.abort();
    this.ref.file.onchange = () => {
      const files = Array.from(this.ref.file.files);
      this.ref.file.value = ""; // so that the same file can be chosen again
      this.take(files);
    };
    this.listening = new AbortController();
    const { signal } = this.listening;
    for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
      document.addEventListener(type, (event) => this.drag(event), { signal });
    }
  }

  configure({ compact, hint, button, limit, url }) {
    Object.assign(this, { limit, url });
    this.root.toggleAttribute("data-compact", compact);
    this.ref.hint.textContent = hint;
    this.ref.browse.textContent = button;
    if (this.request?.readyState === XMLHttpRequest.DONE) this.finish();
  }

  remove() {
    this.listening.abort();
    this.request?.abort();
  }

  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const leaves = event.type === "drop" || (event.type === "dragleave" && event.relatedTarget === null);
    this.ref.target.hidden = leaves || this.request !== null;
    if (event.type === "drop") this.take(Array.from(event.dataTransfer.files));
  }

  take(files) {
    if (this.request || !files.length) return;
    const [file] = files;
    if (files.length > 1) return this.report({ error: "Send one ZIP at a time." });
    if (!/\.zip$/i.test(file.name)) return this.report({ error: "Only .zip files are allowed" });
    if (file.size > this.limit) {
      const most = Math.floor(this.limit / 2 ** 20).toLocaleString("en");
      return this.report({ error: `The file is larger than the ${most} MB this server accepts.` });
    }
    this.send(file);
  }

  send(file) {
    const request = (this.request = new XMLHttpRequest());
    const started = performance.now();
    this.ref.name.textContent = file.name;
    this.show(0, file.size, started);
    request.upload.onprogress = ({ loaded }) => this.show(loaded, file.size, started);
    request.upload.onload = () => this.open();
    request.onload = () => {
      const answer = request.response;
      if (request.status === 201) {
        prefetch(answer.stack_id);
        this.report({ stack: answer.stack_id });
      } else {
        this.fail(sentenceOf(answer, request.status));
      }
    };
    request.onerror = () => this.fail(NO_ANSWER);
    request.onabort = () => this.finish();
    request.responseType = "json";
    request.open("POST", resolveUrl(this.url) + `?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/zip");
    request.send(file);
    this.ref.choose.hidden = true;
    this.ref.sending.hidden = false;
    this.ref.cancel.focus({ preventScroll: true });
  }

  show(loaded, size, started) {
    const share = size ? loaded / size : 1;
    const seconds = (performance.now() - started) / 1000;
    const left = Math.ceil((seconds / share) * (1 - share));
    const time = seconds * 1000 > SHOW_TIME_AFTER_MS && share > 0 ? ` · ${left} s left` : "";
    this.ref.status.textContent = `${formatBytes(loaded)} of ${formatBytes(size)}${time}`;
    this.ref.bar.style.setProperty("--share", share);
    this.ref.bar.setAttribute("aria-valuenow", Math.round(share * 100));
  }

  open() {
    this.ref.status.textContent = "Opening…";
    this.ref.bar.toggleAttribute("data-busy", true);
    this.ref.bar.removeAttribute("aria-valuenow");
  }

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

/** Have the first image on its way while Python draws the page that will show it. */
function prefetch(stack) {
  const base = `api/v1/stacks/${stack}`;
  for (const address of [base, `${base}/images/0/display`]) fetch(resolveUrl(address)).catch(() => {});
}

export default ({ parentElement, data, setTriggerValue }) => {
  const root = parentElement.querySelector("[data-component]");
  let uploader = uploaders.get(parentElement);
  if (uploader?.root !== root) {
    uploader?.remove();
    uploader = new Uploader(root);
    uploaders.set(parentElement, uploader);
  }
  uploader.report = (event) => setTriggerValue("event", event);
  uploader.configure(data);
  return () => {
    uploaders.delete(parentElement);
    uploader.remove();
  };
};
