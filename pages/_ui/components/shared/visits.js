/* The images a person has looked at, to go back and forth in; those that were only passed are none of them. */
import { History } from "./history.js";

export const VISIT_MS = 600; // how long an image must have stood

export class Visits {
  places = new History();
  since = 0;

  /** A person comes to an image by themselves. */
  arrive() {
    this.since = Date.now();
  }

  /**
   * A person goes on to another image.
   *
   * @param {number} from
   */
  leave(from) {
    if (Date.now() - this.since >= VISIT_MS) this.places.remember(String(from));
    this.arrive();
  }

  /**
   * The image looked at before; undefined where there is none.
   *
   * @param {number} now
   */
  back(now) {
    return this.go(this.places.undo(String(now)));
  }

  /**
   * The image that `back` came from; undefined where there is none.
   *
   * @param {number} now
   */
  forth(now) {
    return this.go(this.places.redo(String(now)));
  }

  /** @param {string | undefined} place */
  go(place) {
    this.arrive();
    return place === undefined ? undefined : Number(place);
  }
}
