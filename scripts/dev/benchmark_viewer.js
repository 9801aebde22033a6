/*
 * Runs in the page before the app: when the upload ended, when the first image was on the canvas, how long each
 * press of the right arrow key, or of a label's, took until its image was drawn and until the frame with it was over, and how
 * steadily the gallery scrolls.
 */
(() => {
  const pressed = new Map(); // position -> time of the key press that asked for it
  const report = { keys: [], missed: 0, uploaded: null, first: null };
  window.viewerBenchmark = report;
  let canvas;
  let expected = 0;

  const find = () => {
    for (const element of document.querySelectorAll("*")) {
      const found = element.shadowRoot?.querySelector("[data-ref=canvas]");
      if (found) return found;
    }
    return null;
  };

  const afterFrame = (action) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = action;
    requestAnimationFrame(() => channel.port2.postMessage(null));
  };

  const painted = () => {
    const { index, painted } = canvas.dataset;
    const start = pressed.get(Number(index));
    if (painted !== "sharp" || start === undefined) return;
    pressed.delete(Number(index));
    const drawn = performance.now() - start;
    afterFrame(() => report.keys.push([drawn, performance.now() - start]));
  };

  const watch = () => {
    canvas ??= find();
    if (canvas?.dataset.painted !== "sharp") return requestAnimationFrame(watch);
    report.first = performance.now();
    new MutationObserver(painted).observe(canvas, { attributes: true });
  };
  requestAnimationFrame(watch);

  addEventListener("keydown", (event) => {
    if ((event.key !== "ArrowRight" && event.key !== "1") || !canvas) return;
    expected = Math.max(expected, Number(canvas.dataset.index)) + 1;
    pressed.set(expected, event.timeStamp);
  }, true);

  report.take = () => {
    const { keys } = report;
    const missed = pressed.size;
    report.keys = [];
    pressed.clear();
    expected = 0;
    return { keys, missed };
  };
  /** Scroll `element` steadily for a while and give the time of each frame in milliseconds. */
  report.scroll = (element, pixelsPerFrame, milliseconds) =>
    new Promise((done) => {
      const times = [];
      let last = performance.now();
      const end = last + milliseconds;
      const frame = () => {
        const now = performance.now();
        times.push(now - last);
        last = now;
        element.scrollTop += pixelsPerFrame;
        if (now < end) requestAnimationFrame(frame);
        else done(times.slice(1));
      };
      requestAnimationFrame(frame);
    });
  const { send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.send = function (...body) {
    this.upload.addEventListener("load", () => (report.uploaded = performance.now()));
    return send.apply(this, body);
  };
  /** Milliseconds from the upload's last byte to the first image on the canvas. */
  report.openedAfter = () => report.first - report.uploaded;
})();
