"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const tree = require("../../../src/conduit/web/static/flame_tree.js");

// all → a (10) → b (6) → a (4); all → c (5)
const content = {
  names: ["root", "a", "b", "c"], parents: [0, 0, 1, 2, 0], sources: [0, 1, 2, 1, 3], values: [0, 4, 2, 4, 5], negatives: null,
  hidden: [[2, 3, 1]],
};
const whole = { pivot: null, order: "heavy", zoom: { x: 0, scale: 1 }, width: 1000 };

test("a box is as wide as the samples below it", () => {
  const { boxes } = tree.layOut(tree.read(content), whole);
  const seen = boxes.map(({ source, row, x, share }) => [source, row, Number(x.toFixed(3)), Number(share.toFixed(3))]);
  assert.deepStrictEqual(seen.sort((p, q) => p[1] - q[1] || p[2] - q[2]), [[0, 0, 0, 1], [1, 1, 0, 0.667], [3, 1, 0.667, 0.333], [2, 2, 0, 0.4], [1, 3, 0, 0.267]]);
});

test("a pivot counts a recursive function once and has its callers above", () => {
  const { boxes } = tree.layOut(tree.read(content), { ...whole, pivot: 2 });
  assert.deepStrictEqual(boxes.map(({ source, row, total }) => [source, row, total]).sort((p, q) => p[1] - q[1]), [[1, -1, 6], [2, 0, 6], [1, 1, 4]]);
  assert.deepStrictEqual(tree.occurrences(tree.read(content), 1), [1]);
});

test("own and hidden values are those of all places of a box", () => {
  const read = tree.read(content);
  assert.strictEqual(tree.own(read, { nodes: [1], total: 10, kind: "callee" }), 4);
  assert.deepStrictEqual(tree.hiddenBelow(read, { nodes: [2], kind: "callee" }), { boxes: 3, value: 1 });
});

test("what a point covers is found, and beside the last box nothing is", () => {
  const { rows } = tree.layOut(tree.read(content), whole);
  assert.strictEqual(tree.boxAt(rows.get(1), 0.5).source, 1);
  assert.strictEqual(tree.boxAt(rows.get(1), 0.9).source, 3);
  assert.strictEqual(tree.boxAt(rows.get(2), 0.9), undefined);
});

test("zooming keeps the point under the pointer and stays inside the picture", () => {
  const zoom = tree.zoomAt({ x: 0, scale: 1 }, 0.25, 4);
  assert.strictEqual(zoom.x + 0.25 / zoom.scale, 0.25);
  assert.deepStrictEqual(tree.zoomAt(zoom, 0.9, 0.001), { x: 0, scale: 1 });
  assert.deepStrictEqual(tree.pan(zoom, 100), { x: 0.75, scale: 4 });
});

test("a subtree takes the place of what was below its node, and no total changes", () => {
  const part = { parents: [0, 0, 0], sources: [0, 1, 3], values: [1, 4, 1], negatives: null, hidden: [[1, 7, 2]] };
  const grafted = tree.graft(content, 2, part);
  assert.deepStrictEqual(grafted.parents, [0, 0, 1, 0, 2, 2]);
  assert.deepStrictEqual(grafted.sources, [0, 1, 2, 3, 1, 3]);
  assert.deepStrictEqual(grafted.hidden, [[4, 7, 2]]);
  assert.strictEqual(tree.read(grafted).total[0], tree.read(content).total[0]);
});

test("a name loses its package before its end", () => {
  assert.deepStrictEqual(tree.spellings("a.b.Class.method"), ["a.b.Class.method", "a.b.Class.method", "Class.method", "method"]);
  assert.deepStrictEqual(tree.spellings("a.b.C.run", ["b.C.run", "C.run"]), ["a.b.C.run", "b.C.run", "C.run"]);
  assert.strictEqual(tree.spellings("f.<locals>.<lambda>").at(-1), "<lambda>");
});
