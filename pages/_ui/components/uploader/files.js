/*
 * What a person drops, pastes or chooses: files and folders, as one list of files with the paths they lie in.
 */

/**
 * A file, and its path: the folders that were dropped, then its name.
 *
 * @typedef {{ file: File, path: string }} Found
 */

/** Thrown where there are more files than may be sent. */
export class TooMany extends Error {}

/**
 * The files of a drop or a paste. To be called while the event is handled: afterwards the browser forgets them.
 *
 * @param {DataTransfer} transfer
 * @param {number} most
 * @returns {Promise<Found[]>} rejects with TooMany
 */
export async function filesOf(transfer, most) {
  const entries = Array.from(transfer.items ?? []).map((item) => item.webkitGetAsEntry?.());
  const files = listed(transfer.files);
  // Without folders the list is all there is; what is pasted has no entries.
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  return walk(/** @type {FileSystemEntry[]} */ (entries.filter((entry) => entry)), most);
}

/**
 * @param {Iterable<File>} files
 * @returns {Found[]}
 */
export function listed(files) {
  return Array.from(files, (file) => ({ file, path: file.name }));
}

/**
 * All files below some entries. Hidden folders are not looked into: one name stands for each of them.
 *
 * @param {FileSystemEntry[]} waiting
 * @param {number} most
 * @returns {Promise<Found[]>}
 */
async function walk(waiting, most) {
  /** @type {Found[]} */
  const found = [];
  let seen = 0;
  for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
    if ((seen += 1) > most) throw new TooMany();
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isDirectory && entry.name.startsWith(".")) found.push({ file: new File([], entry.name), path });
    else if (entry.isDirectory) waiting.push(...(await children(/** @type {FileSystemDirectoryEntry} */ (entry))));
    else found.push({ file: await fileOf(/** @type {FileSystemFileEntry} */ (entry)), path });
  }
  return found;
}

/** @param {FileSystemDirectoryEntry} folder */
async function children(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    // A hundred at a time.
    const some = await new Promise(
      (/** @type {(entries: FileSystemEntry[]) => void} */ done, failed) => reader.readEntries(done, failed),
    );
    if (!some.length) return all;
    all.push(...some);
  }
}

/**
 * @param {FileSystemFileEntry} entry
 * @returns {Promise<File>}
 */
function fileOf(entry) {
  return new Promise((done, failed) => entry.file(done, failed));
}

/**
 * @param {string} name
 * @param {string[]} endings in lower case
 */
export function endsWith(name, endings) {
  const lower = name.toLowerCase();
  return endings.some((ending) => lower.endsWith(ending));
}

/**
 * Whether a name does not say what a file is: it has no ending, or a number for one, as of many medical files.
 *
 * @param {string} path
 */
export function saysNothing(path) {
  return /(^|\/)[^./]+$|[^./]\.\d+$/.test(path);
}

/**
 * One form with all files. Of those that are not wanted only the names are sent: they are listed as left out.
 *
 * @param {Found[]} found
 * @param {(path: string) => boolean} isWanted
 */
export function formOf(found, isWanted) {
  const form = new FormData();
  for (const { file, path } of found) form.append("file", isWanted(path) ? file : new Blob([]), path);
  return form;
}

/**
 * What to call them while they are sent: the file, the folder they all lie in, or their number.
 *
 * @param {Found[]} found
 */
export function titleOf(found) {
  if (found.length === 1) return found[0].path;
  const [folder, ...others] = new Set(found.map(({ path }) => (path.includes("/") ? path.split("/")[0] : "")));
  return folder && !others.length ? folder : `${found.length.toLocaleString("en")} files`;
}
