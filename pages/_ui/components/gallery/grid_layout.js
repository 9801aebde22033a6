/* Where the cells of the gallery lie. Pure arithmetic in CSS pixels from the top left of the grid. */
export const GAP = 8;
const CAPTION_HEIGHT = 31; // below the thumbnail, with the borders: the name
const ANSWER_HEIGHT = 39; // and class and engine, once there are results
const LABEL_HEIGHT = 21; // or a label alone
const THUMBNAIL_ASPECT = 3 / 4; // height of the thumbnail box for its width

export class GridLayout {
  columns = 0; // none until the grid has a width
  cellWidth = 0;
  rowHeight = 1; // with the gap below it
  labelled = false; // whether captions are labels

  /**
   * Fill `width` with as many columns as fit, each at least `minimum` wide. True when anything moved.
   *
   * @param {number} width
   * @param {number} minimum
   * @param {boolean} answered
   */
  fit(width, minimum, answered) {
    const before = [this.columns, this.rowHeight].join();
    this.columns = Math.max(1, Math.floor((width + GAP) / (Math.min(minimum, width) + GAP)));
    this.cellWidth = (width - GAP * (this.columns - 1)) / this.columns;
    this.rowHeight = Math.round(this.cellWidth * THUMBNAIL_ASPECT) + CAPTION_HEIGHT + (answered ? this.answerHeight : 0) + GAP;
    return before !== [this.columns, this.rowHeight].join();
  }

  get answerHeight() {
    return this.labelled ? LABEL_HEIGHT : ANSWER_HEIGHT;
  }

  get cellHeight() {
    return this.rowHeight - GAP;
  }

  /** @param {number} count */
  height(count) {
    return Math.max(0, Math.ceil(count / this.columns) * this.rowHeight - GAP);
  }

  /**
   * Left and top of a cell.
   *
   * @param {number} place
   * @returns {[number, number]}
   */
  position(place) {
    return [(place % this.columns) * (this.cellWidth + GAP), Math.floor(place / this.columns) * this.rowHeight];
  }

  /**
   * Those of `shown`, the images in order, whose cells a rectangle touches.
   *
   * @param {number[]} shown
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   */
  touched(shown, left, top, right, bottom) {
    const firstColumn = Math.max(0, Math.ceil((left - this.cellWidth) / (this.cellWidth + GAP)));
    const lastColumn = Math.min(this.columns - 1, Math.floor(right / (this.cellWidth + GAP)));
    const firstRow = Math.max(0, Math.ceil((top - this.cellHeight) / this.rowHeight));
    const lastRow = Math.floor(bottom / this.rowHeight);
    const touched = [];
    for (let row = firstRow; row <= lastRow; row += 1) {
      touched.push(...shown.slice(row * this.columns + firstColumn, row * this.columns + lastColumn + 1));
    }
    return touched;
  }
}
