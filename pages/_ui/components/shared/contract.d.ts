/* Made from contract.py; docs/development.md says how. */

export interface Contract {
  ViewData?: ViewData;
  ViewReport?: ViewReport;
  UploaderData?: UploaderData;
  UploadReport?: UploadReport;
  ImageColumns?: ImageColumns;
  AnswerColumns?: AnswerColumns;
  ImageAnswers?: ImageAnswers;
  TeachingColumns?: TeachingColumns;
  LabelAction?: LabelAction;
  AlikeImages?: AlikeImages;
}
/**
 * What Python sends to a viewer or a gallery. Addresses are relative to the page.
 */
export interface ViewData {
  /**
   * id of the stack
   */
  stack: string;
  /**
   * another one than before makes the browser take `current` and `selected`
   */
  version: number;
  /**
   * position of the image on show, from 0
   */
  current: number;
  /**
   * positions of the selected images as ascending ranges, `0-2,7`
   */
  selected: string;
  /**
   * images in the stack
   */
  count: number;
  /**
   * answers with ImageColumns
   */
  index_url: string;
  /**
   * with `{index}`
   */
  image_url: string;
  /**
   * with `{index}`
   */
  thumbnail_url: string;
  /**
   * with `{index}`
   */
  values_url: string;
  /**
   * with `{index}`; empty, nobody can ask where a network looked
   */
  explanation_url: string;
  /**
   * with `{index}`; empty, nobody is told whose images these are
   */
  patient_url: string;
  /**
   * answers with AnswerColumns; empty while there are none
   */
  results_url: string;
  /**
   * with `{index}`, answers with ImageAnswers; empty while there are none
   */
  answer_url: string;
  /**
   * answers with TeachingColumns, takes LabelAction; empty without Label mode
   */
  teaching_url: string;
  /**
   * with `{index}`, answers with AlikeImages; empty without Label mode
   */
  alike_url: string;
  /**
   * of what is there now: the browser asks where it knows another one
   */
  teaching_revision: number;
  /**
   * names the stack in the address of the page; empty, the address is left alone
   */
  tag: string;
  /**
   * CSS pixels of the part that shows images; 0, all there is room for
   */
  height: number;
  /**
   * whether this component tells Python about changes
   */
  reports: boolean;
}
/**
 * What the browser reports as the state `view`: fields as in ViewData.
 */
export interface ViewReport {
  stack: string;
  version: number;
  current: number;
  selected: string;
  /**
   * revision of labels and suggestions on show: Python draws what goes with it
   */
  taught?: number;
}
/**
 * What Python sends to the upload field.
 */
export interface UploaderData {
  /**
   * only a button
   */
  compact: boolean;
  button: string;
  invitation: string;
  hint: string;
  /**
   * what is said while a file is held over the page
   */
  drop: string;
  /**
   * of the names of files that are taken, in lower case
   */
  endings: string[];
  media_type: string;
  /**
   * most bytes of a file
   */
  limit: number;
  refusals: Refusals;
  /**
   * where a file is posted
   */
  url: string;
  /**
   * without, files are sent as they are, one after the other
   */
  several?: Several | null;
  /**
   * without `several`, so many files may come at once
   */
  together?: number;
  /**
   * what a new stack's page needs first; with `{stack}`
   */
  prefetch: string[];
  /**
   * reports that Python has taken: with another number the field is free again
   */
  received?: number;
}
/**
 * The sentences for what is refused before it is sent.
 */
export interface Refusals {
  several: string;
  wrong_kind: string;
  too_large: string;
}
/**
 * How a field takes several files as one: chosen, dropped, also in folders, or pasted.
 */
export interface Several {
  /**
   * so many files
   */
  most: number;
  /**
   * endings of the names of files that are sent alone, in lower case
   */
  archives: string[];
  /**
   * what the file dialog offers beside the endings
   */
  media_types: string[];
  too_many: string;
  unreadable: string;
}
/**
 * What the browser reports as the trigger `event`: the id of the new stack or files, or why there is none.
 */
export interface UploadReport {
  stack?: string | null;
  files?: string[] | null;
  error?: string | null;
  /**
   * of labels that were taken: lines about other files
   */
  unknown_files?: number | null;
}
/**
 * A stack's images column by column, each as long as the stack: small, and fast to read, for thousands of them.
 */
export interface ImageColumns {
  names: string[];
  /**
   * pixels
   */
  widths: number[];
  /**
   * pixels
   */
  heights: number[];
  /**
   * bytes of the file that the image is in, of which it may be one frame
   */
  file_sizes: number[];
  /**
   * the kinds of image that occur
   */
  kinds: PixelKind[];
  /**
   * of each image, its place in `kinds`
   */
  kind: number[];
  /**
   * place of each image in the natural order of names; null where the stack stands in it
   */
  name_ranks?: number[] | null;
}
/**
 * A kind of image: what its samples are, and how its file wants them to be shown.
 */
export interface PixelKind {
  bit_depth: number;
  /**
   * such as `grey` or `RGB`
   */
  colour: string;
  /**
   * 255, 65535 where the file has 16 bits, or what another type can have
   */
  highest: number;
  /**
   * for people, such as `16-bit grey`
   */
  description: string;
  /**
   * as the file offers them; it is shown in the first
   */
  windows?: DisplayWindow[];
  /**
   * whether the file's low values are white
   */
  inverted?: boolean;
  /**
   * of the values, such as `HU`; empty where the file does not say
   */
  unit?: string;
  /**
   * of the whole stack, where such images are scaled by it
   */
  range?: DisplayWindow | null;
}
/**
 * Values shown black and white.
 */
export interface DisplayWindow {
  low: number;
  high: number;
}
/**
 * What has been recognised in a stack, column by column. The engine of the first run leads in captions.
 */
export interface AnswerColumns {
  /**
   * the classes that occur
   */
  labels: string[];
  runs: AnswerRun[];
}
/**
 * What one engine with one model has answered; the columns are equally long.
 */
export interface AnswerRun {
  /**
   * its title
   */
  engine: string;
  /**
   * as requests name it
   */
  engine_name: string;
  model: string;
  /**
   * positions in the stack
   */
  images: number[];
  /**
   * of each image, the place of its first class in `labels`
   */
  classes: number[];
  /**
   * softmax probability of that class, 0..1
   */
  confidences: number[];
  /**
   * whether confidences say how often such answers are right
   */
  calibrated: boolean;
  /**
   * share of known images that are less like those the model was taught on, 0..1; or null
   */
  known_scores: number[] | null;
  /**
   * of `known_scores`, below which an image shows none of the classes
   */
  threshold: number;
}
/**
 * The latest answer of each engine for one image; none where nothing has been recognised.
 */
export interface ImageAnswers {
  answers: TopAnswer[];
}
/**
 * What one engine says of an image, the most probable class first; none, and ``error``, where it cannot be read.
 */
export interface TopAnswer {
  /**
   * its title
   */
  engine: string;
  /**
   * as requests name it
   */
  engine_name: string;
  model: string;
  /**
   * the 5 best at most
   */
  classes: string[];
  /**
   * softmax probability of each, 0..1
   */
  confidences: number[];
  /**
   * whether confidences say how often such answers are right
   */
  calibrated: boolean;
  /**
   * whether the image shows one of the classes; null where nobody can tell
   */
  known: boolean | null;
  /**
   * share of known images that are less like those the model was taught on, 0..1; or null
   */
  known_score: number | null;
  /**
   * why there is no answer, as a sentence
   */
  error: string | null;
}
/**
 * Labels and suggestions of a stack, column by column; small, and fast to read, for thousands of images.
 */
export interface TeachingColumns {
  /**
   * changes with everything in here but `saved`, `pending` and `note`
   */
  revision: number;
  /**
   * of the labels
   */
  version: number;
  /**
   * version of the labels that a person has in a file; 0, none
   */
  saved: number;
  /**
   * whether more is being learned: ask again
   */
  pending: boolean;
  /**
   * what is going on, or went wrong; empty otherwise
   */
  note: string;
  classes: string[];
  /**
   * positions of labelled images
   */
  images: number[];
  /**
   * of each, the place of its class in `classes`
   */
  labels: number[];
  /**
   * positions of unlabelled images that have a suggestion
   */
  suggested: number[];
  /**
   * of each, the place of its class in `classes`; -1 for none of these
   */
  suggestions: number[];
  /**
   * of each, what the suggestion's softmax output is, in percent
   */
  shares: number[];
  /**
   * unlabelled images, what teaches most first
   */
  queue: number[];
  can_undo: boolean;
  can_redo: boolean;
}
/**
 * One thing a person does.
 */
export interface LabelAction {
  do?: "label" | "undo" | "redo";
  /**
   * positions of the images to label
   */
  images?: number[];
  /**
   * their class; null takes it away
   */
  label?: string | null;
}
/**
 * Images like one of the stack.
 */
export interface AlikeImages {
  /**
   * positions of images without a label, the most similar first
   */
  images: number[];
}
