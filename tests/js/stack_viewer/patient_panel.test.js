import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { StackStore } from "../../../pages/_ui/components/shared/store.js";
import { PatientPanel } from "../../../pages/_ui/components/stack_viewer/patient_panel.js";
import { answers, asked, openPage, settle, viewData } from "../page.js";

/** An element as far as the panel needs one. */
class Element {
  hidden = false;
  textContent = "";
  /** @type {Element[]} */
  children = [];
  /** @type {Record<string, string>} */
  attributes = {};
  onclick = () => {};

  /** @param {Element[]} children */
  replaceChildren(...children) {
    this.children = children;
  }

  /** @param {Element[]} children */
  append(...children) {
    this.children.push(...children);
  }

  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  /** @returns {string} */
  get text() {
    return this.textContent + this.children.map((child) => child.text).join(" ");
  }
}

/** @type {Element} */
let button;
/** @type {Element} */
let facts;
/** @type {PatientPanel} */
let panel;
/** @type {StackStore} */
let store;

beforeEach(() => {
  openPage();
  Object.assign(globalThis.document, { createElement: () => new Element() });
  answers.set("http://host/app/images/0/patient", { facts: [{ name: "Patient ID", value: "<b>4711</b>" }] });
  answers.set("http://host/app/images/1/patient", { facts: [] });
  [button, facts] = [new Element(), new Element()];
  store = new StackStore("abc");
  store.update(viewData({ patient_url: "images/{index}/patient" }));
  panel = new PatientPanel(/** @type {any} */ ({ patient: button, patientFacts: facts }), store);
  panel.show();
  asked.length = 0;
});

test("nobody is asked before a press, and what is said is text", async () => {
  assert.deepEqual([button.hidden, facts.hidden, asked], [false, true, []]);
  button.onclick();
  await settle();
  assert.deepEqual([facts.hidden, facts.text], [false, "Patient ID <b>4711</b>"]);
  assert.equal(button.attributes["aria-pressed"], "true");
  button.onclick();
  assert.deepEqual([facts.hidden, facts.text], [true, ""]);
});

test("with the image goes what was said of it, also what is still on its way", async () => {
  button.onclick();
  store.setCurrent(1);
  panel.show();
  await settle();
  assert.deepEqual([facts.hidden, facts.text, button.attributes["aria-pressed"]], [true, "", "false"]);
  button.onclick();
  await settle();
  assert.match(facts.text, /says nothing of a patient/);
  store.setCurrent(2);
  panel.show();
  assert.equal(facts.text, "");
});

test("where it is not told there is no button", () => {
  store.update(viewData({ patient_url: "" }));
  panel.show();
  assert.equal(button.hidden, true);
});
