/*
 * Where the image lies on the stage: scale, pan and orientation. Pure arithmetic in CSS pixels; a scale of 1
 * shows one image pixel on one CSS pixel. It survives moving to another image.
 */
import { clamp } from "../shared/numbers.js";

/** @typedef {[number, number, number, number]} Orientation columns (a, b), (c, d), as in CanvasRenderingContext2D.transform */
/** @typedef {{ x: number, y: number }} Reach how far the image may be off centre, each way */

const MIN_SCALE = 0.05;
const MAX_SCALE = 32;
const SMOOTH_BELOW = 2; // enlarged further than this, single pixels are shown sharp

/** @type {Orientation} */
const UPRIGHT = [1, 0, 0, 1];
/** @type {Orientation} */
export const TURN_RIGHT = [0, 1, -1, 0];
/** @type {Orientation} */
export const TURN_LEFT = [0, -1, 1, 0];
/** @type {Orientation} */
export const FLIP_HORIZONTAL = [-1, 0, 0, 1];
/** @type {Orientation} */
export const FLIP_VERTICAL = [1, 0, 0, -1];

export class Viewport {
  stage = { width: 1, height: 1 };
  image = { width: 1, height: 1 };
  orientation = UPRIGHT;
  fitted = true;
  scale = 1;
  panX = 0;
  panY = 0;

  reset() {
    this.orientation = UPRIGHT;
    this.fit();
  }

  get isReset() {
    return this.fitted && this.orientation.join() === UPRIGHT.join();
  }

  /** What {@link restore} takes. */
  get state() {
    const { fitted, scale, panX, panY, orientation } = this;
    return { fitted, scale, panX, panY, orientation };
  }

  /**
   * The view as it was; anything that makes no sense is left as it is.
   *
   * @param {Partial<Viewport["state"]> | null} state
   */
  restore(state) {
    const { fitted, scale, panX, panY, orientation } = state ?? {};
    const turned = [UPRIGHT, TURN_RIGHT, TURN_LEFT, [-1, 0, 0, -1]].map(String);
    const mirrored = [FLIP_HORIZONTAL, FLIP_VERTICAL, [0, 1, 1, 0], [0, -1, -1, 0]].map(String);
    if (orientation && [...turned, ...mirrored].includes(String(orientation))) this.orientation = orientation;
    this.fitted = fitted !== false;
    if (!this.fitted && [scale, panX, panY].every(Number.isFinite)) {
      this.scale = clamp(Number(scale), MIN_SCALE, MAX_SCALE);
      [this.panX, this.panY] = [Number(panX), Number(panY)];
    }
    this.settle(this.reach);
  }

  /** Size of the image as it stands, after turning. */
  get turned() {
    const { width, height } = this.image;
    return this.orientation[0] === 0 ? { width: height, height: width } : { width, height };
  }

  get fitScale() {
    const { width, height } = this.turned;
    return clamp(Math.min(this.stage.width / width, this.stage.height / height), 0.001, MAX_SCALE);
  }

  get pannable() {
    const { width, height } = this.turned;
    return width * this.scale > this.stage.width + 0.5 || height * this.scale > this.stage.height + 0.5;
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  setStage(width, height) {
    this.stage = { width: Math.max(1, width), height: Math.max(1, height) };
    this.settle(this.room);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  setImage(width, height) {
    this.image = { width: Math.max(1, width), height: Math.max(1, height) };
    this.settle(this.reach);
  }

  fit() {
    this.fitted = true;
    this.settle(this.room);
  }

  /**
   * Zoom to `scale`, keeping the image point under (x, y), measured from the centre of the stage. On the way
   * out the image comes back to the middle as far as there is room.
   *
   * @param {number} scale
   */
  zoomTo(scale, x = 0, y = 0) {
    const target = clamp(scale, Math.min(MIN_SCALE, this.fitScale), MAX_SCALE);
    const ratio = target / this.scale;
    this.panX = x - (x - this.panX) * ratio;
    this.panY = y - (y - this.panY) * ratio;
    this.scale = target;
    this.fitted = false;
    this.settle(ratio < 1 ? this.room : this.reach);
  }

  /**
   * Move the image, never further off the stage than it is already.
   *
   * @param {number} dx
   * @param {number} dy
   */
  panBy(dx, dy) {
    const limit = { x: Math.max(this.room.x, Math.abs(this.panX)), y: Math.max(this.room.y, Math.abs(this.panY)) };
    this.panX += dx;
    this.panY += dy;
    this.settle(limit);
  }

  /**
   * Turn or mirror what is seen: the new step comes after those before it.
   *
   * @param {Orientation} step
   */
  orient([a, b, c, d]) {
    const [e, f, g, h] = this.orientation;
    // Adding 0 makes the 0 of a -0.
    this.orientation = [a * e + c * f + 0, b * e + d * f + 0, a * g + c * h + 0, b * g + d * h + 0];
    [this.panX, this.panY] = [a * this.panX + c * this.panY, b * this.panX + d * this.panY];
    this.settle(this.room);
  }

  /**
   * How far the image may be off centre while it still covers the stage; nothing where it is smaller.
   *
   * @returns {Reach}
   */
  get room() {
    const { width, height } = this.turned;
    return {
      x: Math.max(0, (width * this.scale - this.stage.width) / 2),
      y: Math.max(0, (height * this.scale - this.stage.height) / 2),
    };
  }

  /**
   * How far it may be off centre while the middle of the stage is still on the image.
   *
   * @returns {Reach}
   */
  get reach() {
    const { width, height } = this.turned;
    return { x: (width * this.scale) / 2, y: (height * this.scale) / 2 };
  }

  /**
   * The point of the image, in its pixels, that lies at (x, y) from the centre of the stage.
   *
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  imagePoint(x, y) {
    const [a, b, c, d] = this.orientation; // its inverse is its transpose
    const [dx, dy] = [(x - this.panX) / this.scale, (y - this.panY) / this.scale];
    return [a * dx + b * dy + this.image.width / 2, c * dx + d * dy + this.image.height / 2];
  }

  /** @param {Reach} limit */
  settle(limit) {
    if (this.fitted) {
      this.scale = this.fitScale;
      this.panX = 0;
      this.panY = 0;
      return;
    }
    this.panX = clamp(this.panX, -limit.x, limit.x);
    this.panY = clamp(this.panY, -limit.y, limit.y);
  }

  /**
   * Draw `bitmap` (the image itself or a smaller stand-in) on a part of a canvas, of stage size times `density`.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {ImageBitmap | HTMLCanvasElement} bitmap
   * @param {number} density
   * @param {number} [left] where the part begins, in CSS pixels
   * @param {{ width: number, height: number }} [image] its size, where it is another than the one on show
   */
  paint(context, bitmap, density, left = 0, image = this.image) {
    const { width, height } = image;
    const [a, b, c, d] = this.orientation.map((value) => value * this.scale * density);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(left * density, 0, context.canvas.width, context.canvas.height);
    const originX = (left + this.stage.width / 2 + this.panX) * density;
    const originY = (this.stage.height / 2 + this.panY) * density;
    context.setTransform(a, b, c, d, originX, originY);
    context.imageSmoothingEnabled = bitmap.width < width || this.scale * density <= SMOOTH_BELOW;
    context.imageSmoothingQuality = this.scale < 1 ? "medium" : "low";
    context.fillStyle = "#fff"; // what the model sees behind transparent pixels
    context.fillRect(-width / 2, -height / 2, width, height);
    context.drawImage(bitmap, -width / 2, -height / 2, width, height);
  }
}
