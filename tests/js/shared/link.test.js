import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { linkedArrangement, linkedImage, showLink } from "../../../pages/_ui/components/shared/link.js";
import { openPage } from "../page.js";

beforeEach(openPage);

test("an address leads to the image it was made for", () => {
  showLink("tag", 7);
  assert.equal(location.search, "?stack=tag&image=8");
  assert.equal(linkedImage("tag", 10), 7);
});

for (const search of ["", "?stack=other&image=3", "?stack=tag", "?stack=tag&image=0", "?stack=tag&image=11",
  "?stack=tag&image=1.5", "?stack=tag&image=x", "?stack=tag&image=-1"]) {
  test(`an address that means nothing here leads nowhere: ${search}`, () => {
    location.search = search;
    assert.equal(linkedImage("tag", 10), undefined);
  });
}

test("a stack without a tag leaves the address alone, and other parameters stay", () => {
  location.search = "?embed=true";
  showLink("", 3);
  assert.equal(location.search, "?embed=true");
  assert.equal(linkedImage("", 10), undefined);
  showLink("tag", 3);
  assert.equal(location.search, "?embed=true&stack=tag&image=4");
});

test("an address carries what the gallery filters and sorts by, of its own stack only", () => {
  showLink("tag", 0, { name: "é&=", class: "cat", sort: "-confidence" });
  assert.deepEqual(linkedArrangement("tag"), { name: "é&=", class: "cat", sort: "-confidence" });
  assert.equal(linkedArrangement("other"), undefined);
  showLink("tag", 4); // moving on takes nothing away
  assert.deepEqual(linkedArrangement("tag"), { name: "é&=", class: "cat", sort: "-confidence" });
  showLink("tag", 4, { class: "dog" });
  assert.deepEqual(linkedArrangement("tag"), { class: "dog" });
  showLink("other", 0);
  assert.deepEqual(linkedArrangement("other"), {}, "another stack's filters");
});

test("an address made by a stranger is cut to what a field may hold", () => {
  location.search = `?stack=tag&name=${"x".repeat(5000)}&evil=1`;
  const { name, ...others } = linkedArrangement("tag") ?? {};
  assert.equal(name?.length, 200);
  assert.deepEqual(others, {});
});
