/* What was before, and what was undone: a list of texts to go back and forth in. */
const MOST = 100;

export class History {
  /** @type {string[]} */
  before = [];
  /** @type {string[]} the last one undone at the end */
  after = [];

  /** @param {string} now as it is before it changes */
  remember(now) {
    this.before = [...this.before.slice(1 - MOST), now];
    this.after = [];
  }

  forget() {
    this.before = [];
    this.after = [];
  }

  /**
   * What it was before; undefined where nothing is.
   *
   * @param {string} now
   */
  undo(now) {
    if (this.before.length > 0) this.after.push(now);
    return this.before.pop();
  }

  /**
   * What it was before that was undone.
   *
   * @param {string} now
   */
  redo(now) {
    if (this.after.length > 0) this.before.push(now);
    return this.after.pop();
  }
}
