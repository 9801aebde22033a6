/* The store of each stack: coming back to a page finds its stack as it was left. */
import { StackStore } from "./store.js";

const KEPT_STORES = 4; // older stacks are forgotten

/** @type {Map<string, StackStore>} */
const stores = new Map();

/** @param {string} stackId */
export function storeOf(stackId) {
  let store = stores.get(stackId);
  if (!store) {
    store = new StackStore(stackId);
    stores.set(stackId, store);
    for (const [id, other] of stores) {
      if (stores.size > KEPT_STORES && other !== store && other.components.size === 0) stores.delete(id);
    }
  }
  return store;
}
