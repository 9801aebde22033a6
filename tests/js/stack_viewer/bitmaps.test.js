import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ImageCache } from "../../../pages/_ui/components/stack_viewer/bitmaps.js";
import { settle } from "../page.js";

/** @type {Map<number, { priority?: string, answer: (response: Response | Error) => void }>} requests under way */
const requests = new Map();

beforeEach(() => {
  requests.clear();
  const fetch = (/** @type {string} */ url, /** @type {RequestInit} */ { signal, priority }) =>
    new Promise((resolve, reject) => {
      const index = Number(url);
      const answer = (/** @type {Response | Error} */ found) => {
        requests.delete(index);
        if (found instanceof Error) reject(found);
        else resolve(found);
      };
      signal?.addEventListener("abort", () => answer(new DOMException("given up", "AbortError")));
      requests.set(index, { priority, answer });
    });
  Object.assign(globalThis, { fetch });
});

/** A cache of images of 10 bytes each, and which of them have settled. */
function cacheOf({ budgetBytes = 1000, most = 100, concurrency = 2 } = {}) {
  /** @type {number[]} */
  const settled = [];
  const cache = new ImageCache({
    limits: { budgetBytes, most, concurrency },
    urlOf: String,
    bytesOf: () => 10,
    decode: async () => ({ bytes: 10 }),
    onSettled: (index) => settled.push(index),
  });
  return { cache, settled };
}

/** @param {number[]} indices */
async function arrive(...indices) {
  for (const index of indices) requests.get(index)?.answer(new Response());
  await settle();
}

test("the most urgent come first, a few at a time", async () => {
  const { cache, settled } = cacheOf();
  cache.want([5, 6, 4]);
  assert.deepEqual([...requests.keys()], [5, 6]);
  assert.deepEqual([requests.get(5)?.priority, requests.get(6)?.priority], ["high", "low"]);
  await arrive(5);
  assert.deepEqual([...requests.keys()], [6, 4]);
  assert.deepEqual(settled, [5]);
});

test("what is no longer wanted is given up, and what is here is not asked for again", async () => {
  const { cache } = cacheOf();
  cache.want([1, 2]);
  await arrive(1);
  cache.want([3, 1]);
  assert.deepEqual([...requests.keys()], [3]);
  await settle();
  assert.equal(cache.get(2), undefined);
  assert.equal(cache.get(1)?.bytes, 10);
});

test("no more is fetched ahead than half of the room, but always the image itself", () => {
  const { cache } = cacheOf({ budgetBytes: 40, concurrency: 9 });
  cache.want([1, 2, 3]);
  assert.deepEqual([...requests.keys()], [1, 2]);
  const { cache: tiny } = cacheOf({ budgetBytes: 5 });
  tiny.want([8]);
  assert.ok(requests.has(8));
});

test("the least recently used goes first, and never what is wanted", async () => {
  const { cache } = cacheOf({ most: 2 });
  for (const index of [1, 2]) {
    cache.want([index]);
    await arrive(index);
  }
  cache.get(1);
  cache.want([3]);
  await arrive(3);
  assert.deepEqual([1, 2, 3].map((index) => cache.get(index) !== undefined), [true, false, true]);
});

for (const [status, again] of /** @type {[number, boolean][]} */ ([[422, false], [503, true]])) {
  test(`a failure with status ${status} is told, and ${again ? "tried again" : "kept"}`, async () => {
    const { cache } = cacheOf();
    cache.want([1]);
    requests.get(1)?.answer(Response.json({ detail: "Too large." }, { status }));
    await settle();
    assert.equal(cache.get(1)?.error, "Too large.");
    cache.want([1]);
    assert.equal(requests.has(1), again);
  });
}

test("a lost connection and a broken image are told apart", async () => {
  const { cache } = cacheOf();
  cache.want([1, 2]);
  requests.get(1)?.answer(new TypeError("Failed to fetch"));
  requests.get(2)?.answer(new DOMException("", "InvalidStateError"));
  await settle();
  assert.match(cache.get(1)?.error ?? "", /connection/);
  assert.match(cache.get(2)?.error ?? "", /cannot decode/);
});

test("cleared, it holds and fetches nothing", async () => {
  const { cache } = cacheOf();
  cache.want([1, 2]);
  await arrive(1);
  cache.clear();
  await settle();
  assert.deepEqual([requests.size, cache.entries.size, cache.pending.size], [0, 0, 0]);
});
