import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { linkedImage, showLink } from "../../../pages/_ui/components/shared/link.js";
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
