/* Whose image it is: asked for by a press, for the image on show alone, and gone with it. Nothing of it is kept. */
import { NO_ANSWER, failureMessage, resolveUrl } from "../shared/addresses.js";

/** @import { StackStore } from "../shared/store.js" */
/** @import { ViewerElements } from "./elements.js" */

const NOTHING = "The file says nothing of a patient.";

export class PatientPanel {
  /** @type {number | undefined} the image that was asked about */
  index;

  /**
   * @param {Pick<ViewerElements, "patient" | "patientFacts">} ref
   * @param {StackStore} store
   */
  constructor(ref, store) {
    this.ref = ref;
    this.store = store;
    ref.patient.onclick = () => (this.index === undefined ? this.ask() : this.close());
    this.close();
  }

  /** Another image, or another stack: what is on show is about neither. */
  show() {
    if (this.index !== this.store.current) this.close();
    this.ref.patient.hidden = !this.store.patientUrl;
  }

  close() {
    this.index = undefined;
    this.ref.patientFacts.hidden = true;
    this.ref.patientFacts.replaceChildren();
    this.ref.patient.setAttribute("aria-pressed", "false");
  }

  async ask() {
    const index = this.store.current;
    this.index = index;
    this.ref.patient.setAttribute("aria-pressed", "true");
    /** @type {[string, string][]} */
    let facts;
    try {
      const response = await fetch(resolveUrl(this.store.patientUrl, { index }), { cache: "no-store" });
      if (!response.ok) throw new Error(await failureMessage(response));
      /** @type {{ facts: { name: string, value: string }[] }} */
      const found = await response.json();
      facts = found.facts.length ? found.facts.map(({ name, value }) => [name, value]) : [["", NOTHING]];
    } catch (error) {
      facts = [["", error instanceof TypeError ? NO_ANSWER : /** @type {Error} */ (error).message]];
    }
    if (this.index !== index) return; // closed, or about another image by now
    this.ref.patientFacts.replaceChildren(...facts.map(([name, value]) => line(name, value)));
    this.ref.patientFacts.hidden = false;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function line(name, value) {
  const row = document.createElement("div");
  const [term, description] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  description.textContent = value;
  row.append(term, description);
  return row;
}
