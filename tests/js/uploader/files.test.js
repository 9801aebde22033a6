import assert from "node:assert/strict";
import { test } from "node:test";

import { TooMany, endsWith, filesOf, formOf, listed, saysNothing, titleOf } from "../../../pages/_ui/components/uploader/files.js";

/** @import { Found } from "../../../pages/_ui/components/uploader/files.js" */

/**
 * A folder as browsers hand it over: at most two entries at a time.
 *
 * @param {string} fullPath
 * @param {unknown[]} children
 */
function folder(fullPath, children) {
  const reader = () => {
    const left = [...children];
    return { readEntries: (/** @type {(entries: unknown[]) => void} */ done) => done(left.splice(0, 2)) };
  };
  return { isDirectory: true, fullPath, name: fullPath.split("/").at(-1), createReader: reader };
}

/** @param {string} fullPath */
function file(fullPath) {
  const name = String(fullPath.split("/").at(-1));
  return { isDirectory: false, fullPath, name, file: (/** @type {(one: File) => void} */ done) => done(new File(["x"], name)) };
}

/**
 * @param {unknown[]} entries
 * @param {File[]} files
 */
function transfer(entries, files = []) {
  const items = entries.map((entry) => ({ webkitGetAsEntry: () => entry }));
  return /** @type {DataTransfer} */ (/** @type {unknown} */ ({ items, files }));
}

/** @param {Found[]} found */
const paths = (found) => found.map(({ path }) => path).sort();

const SUMMER = folder("/summer", [
  file("/summer/a.png"),
  file("/summer/b.png"),
  folder("/summer/deep", [file("/summer/deep/c.png"), folder("/summer/deep/empty", [])]),
  folder("/summer/.git", [file("/summer/.git/d.png")]),
  file("/summer/e.txt"),
]);

test("a folder is all files in it, with their paths; hidden folders are names alone", async () => {
  const found = await filesOf(transfer([SUMMER, file("/f.png")]), 100);
  assert.deepEqual(paths(found), [
    "f.png",
    "summer/.git",
    "summer/a.png",
    "summer/b.png",
    "summer/deep/c.png",
    "summer/e.txt",
  ]);
  assert.equal(found.find(({ path }) => path === "summer/.git")?.file.size, 0);
});

test("without a folder the list of files is taken as it is, as where there are no entries", async () => {
  const files = [new File(["x"], "a.png"), new File(["x"], "b.png")];
  assert.deepEqual(paths(await filesOf(transfer([file("/a.png"), file("/b.png")], files), 100)), ["a.png", "b.png"]);
  assert.deepEqual(paths(await filesOf(transfer([null], files), 100)), ["a.png", "b.png"]);
  const bare = /** @type {DataTransfer} */ (/** @type {unknown} */ ({ files }));
  assert.deepEqual(paths(await filesOf(bare, 100)), ["a.png", "b.png"]);
});

test("looking into folders ends where there are too many", async () => {
  await assert.rejects(filesOf(transfer([SUMMER]), 4), TooMany);
  let asked = 0;
  const endless = (/** @type {string} */ path) => ({
    isDirectory: true,
    fullPath: path,
    name: "x",
    createReader: () => {
      asked += 1;
      const left = [endless(`${path}/x`)];
      return { readEntries: (/** @type {(entries: unknown[]) => void} */ done) => done(left.splice(0)) };
    },
  });
  await assert.rejects(filesOf(transfer([endless("/x")]), 50), TooMany);
  assert.ok(asked <= 50);
});

test("a folder that cannot be read is an error and not an empty one", async () => {
  const reader = {
    readEntries: (/** @type {unknown} */ _, /** @type {(error: Error) => void} */ failed) => failed(new Error("no")),
  };
  await assert.rejects(filesOf(transfer([{ ...folder("/x", []), createReader: () => reader }]), 50), /no/);
});

test("a form has every name, and the bytes of what is wanted", async () => {
  const found = [new File(["image"], "a.png"), new File(["long text"], "b.txt")].map((one) => ({ file: one, path: `x/${one.name}` }));
  const parts = /** @type {File[]} */ (formOf(found, (path) => endsWith(path, [".png"])).getAll("file"));
  assert.deepEqual(
    parts.map(({ name, size }) => [name, size]),
    [
      ["x/a.png", 5],
      ["x/b.txt", 0],
    ],
  );
});

test("endings are told whatever their case", () => {
  assert.ok(endsWith("A.Tar.GZ", [".zip", ".tar.gz"]));
  assert.ok(!endsWith("a.gz", [".zip", ".tar.gz"]));
  assert.ok(!endsWith("zip", [".zip"]));
});

test("files are called by what they have in common", () => {
  const named = (/** @type {string[]} */ ...names) => titleOf(names.map((path) => ({ file: new File([], path), path })));
  assert.equal(named("a.png"), "a.png");
  assert.equal(named("x/a.png", "x/y/b.png"), "x");
  assert.equal(named("x/a.png", "y/b.png"), "2 files");
  assert.equal(named("x/a.png", "b.png"), "2 files");
  assert.equal(listed([new File([], "a.png")])[0].path, "a.png");
});

test("a name without an ending, or with a number for one, does not say what a file is", () => {
  for (const name of ["IM0001", "a/IM0001", "a.b/IM0001", "1.2.840.10008.7", "scan.0042"]) assert.ok(saysNothing(name), name);
  for (const name of ["a.png", "a/b.txt", ".hidden", "a/.5", "a.7z", "a/b/", ""]) assert.ok(!saysNothing(name), name);
});
