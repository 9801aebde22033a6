import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { failureMessage, resolveUrl } from "../../../pages/_ui/components/shared/addresses.js";
import { openPage } from "../page.js";

beforeEach(openPage);

test("addresses are relative to the page, and filled in", () => {
  assert.equal(resolveUrl("api/{stack}/{index}", { stack: "s", index: 0 }), "http://host/app/api/s/0");
});

test("a name that is not given stays", () => {
  assert.equal(resolveUrl("a/{index}"), "http://host/app/a/%7Bindex%7D");
});

test("what is filled in is never taken for a pattern", () => {
  assert.equal(resolveUrl("a/{stack}", { stack: "$&{index}", index: 1 }), "http://host/app/a/$&%7Bindex%7D");
});

test("a failure is told in the API's own words, or with its status", async () => {
  assert.equal(await failureMessage(Response.json({ detail: "Full." }, { status: 507 })), "Full.");
  assert.match(await failureMessage(new Response("<html>", { status: 502 })), /502/);
});
