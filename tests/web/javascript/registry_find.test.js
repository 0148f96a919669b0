"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
const { createModel } = require(path.join(folder, "registry_model.js"));
const { createIndex, find, KINDS } = require(path.join(folder, "registry_find.js"));
const { data } = JSON.parse(fs.readFileSync(process.env.CASES, "utf8"));
const index = createIndex(createModel(data));

const first = (text, options) => {
  const { hits } = find(index, text, options);
  return hits.length ? `${hits[0].entry.kind} ${hits[0].entry.name}` : null;
};

test("the whole name comes before longer ones, parts of words find them, case does not matter", () => {
  assert.equal(first("book"), "resource Book");
  assert.equal(first("BOOK"), "resource Book");
  assert.equal(first("ordln"), "resource OrderLine");
  assert.equal(first("author.name"), "field Author.name");
  assert.equal(first("colour_217"), "field Thing217.colour_217");
  assert.equal(first("POST /api/rev"), "route POST /api/reviews/");
  assert.equal(first("isadm"), "guard IsAdminUser");
  assert.equal(first("newsl"), "task shop.send_newsletter");
  assert.equal(first("ReviewView.post"), "handler shop.views:ReviewView.post");
});

test("every kind can be asked for alone, and is counted whichever is asked for", () => {
  for (const kind of KINDS) assert.ok(find(index, "o", { kind }).hits.every(({ entry }) => entry.kind === kind));
  assert.deepEqual(find(index, "book").counts, find(index, "book", { kind: "route" }).counts);
});

test("all words must be there, in any order, and letters strewn over a name are no match", () => {
  assert.equal(first("name author"), "field Author.name");
  assert.equal(first("author zzz"), null);
  assert.equal(first("zqxj"), null);
  assert.equal(find(index, "").total, 0);
});

test("the marks are the letters that were typed", () => {
  const { hits } = find(index, "ordln");
  assert.equal(hits[0].marks.map((at) => hits[0].entry.lower[at]).join(""), "ordln");
});
