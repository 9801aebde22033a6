/* What lies over the image: a map on the part that the model saw, and the rest dimmed. */

/** @typedef {{ picture: HTMLCanvasElement, box: [number, number, number, number], opacity: number }} Layer */

const DIMMED = "rgb(0 0 0 / 60%)";

/**
 * Draw a layer where the image was painted: the context still has the transform of that, whose origin is the middle of
 * the image and whose unit is a pixel of it.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{ width: number, height: number }} image
 * @param {Layer} layer
 */
export function paintLayer(context, { width, height }, { picture, box, opacity }) {
  const [left, top] = [box[0] - width / 2, box[1] - height / 2];
  const [boxWidth, boxHeight] = [box[2] - box[0], box[3] - box[1]];
  context.fillStyle = DIMMED;
  context.beginPath();
  context.rect(-width / 2, -height / 2, width, height);
  context.rect(left, top, boxWidth, boxHeight);
  context.fill("evenodd");
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, left, top, boxWidth, boxHeight);
  context.globalAlpha = 1;
}
