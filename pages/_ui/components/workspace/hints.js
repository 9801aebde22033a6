/* Three hints for the first stack of a browser: they go when they are closed, or when somebody has found the way. */
import { keepPreference, readPreference } from "../shared/preferences.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { WorkspaceElements } from "./elements.js" */

const MOVES = 5; // to other images, after which nobody needs them

export class Hints {
  listeners = new AbortController();
  moves = 0;

  /**
   * @param {WorkspaceElements} ref
   * @param {StackStore} store
   */
  constructor(ref, store) {
    this.ref = ref;
    ref.hints.hidden = readPreference("hints", "") === "seen";
    ref.stage.append(ref.hints);
    ref.closeHints.onclick = () => {
      this.close();
      ref.stage.focus();
    };
    store.addEventListener("current", () => this.moved(), { signal: this.listeners.signal });
  }

  remove() {
    this.listeners.abort();
  }

  moved() {
    this.moves += 1;
    if (this.moves >= MOVES) this.close();
  }

  close() {
    this.ref.hints.hidden = true;
    keepPreference("hints", "seen");
  }
}
