/* Draws images on the canvas of the stage, in parts of equal size side by side. */
import { paintLayer } from "./map_layer.js";

/** @import { Layer } from "./map_layer.js" */
/** @import { Viewport } from "./viewport.js" */

export class Painter {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Viewport} viewport
   */
  constructor(canvas, viewport) {
    this.canvas = canvas;
    this.viewport = viewport;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  /**
   * The image, and what lies over it.
   *
   * @param {ImageBitmap | HTMLCanvasElement} bitmap
   * @param {Layer | null} layer
   * @param {number} pane its number, from the left
   * @param {{ width: number, height: number }} image its size in pixels
   */
  paint(bitmap, layer, pane, image) {
    const { context, viewport } = this;
    const density = window.devicePixelRatio || 1;
    const left = pane * viewport.stage.width;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(left * density, 0, viewport.stage.width * density, this.canvas.height);
    context.clip();
    viewport.paint(context, bitmap, density, left, image);
    if (layer) paintLayer(context, image, layer);
    context.restore();
  }

  clear() {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
