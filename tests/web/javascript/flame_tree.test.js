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
  assert.strictEqual(tree.own(read, { nodes: [2], total: 6, kind: "callee" }), 1); // 6, less 4 in its callee and 1 in those left out
  assert.deepStrictEqual(tree.hiddenBelow(read, { nodes: [2], kind: "callee" }), { boxes: 3, value: 1 });
});

test("a function's own value and total count what it took inside itself", () => {
  const read = tree.read(content);
  assert.strictEqual(tree.ownInAll(read, 1), 8); // 4 in its outer place, 4 in its inner one
  assert.deepStrictEqual([...tree.wholes(read, [1, 2, 3])], [[1, 10], [2, 6], [3, 5]]);
  for (const source of [1, 2, 3]) assert.strictEqual(tree.wholeOf(read, source), tree.wholes(read, [source]).get(source));
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

const flameTree = tree;

// A stack of `names` over two leaves; `owners` says whose each is.
function chained(names, owner, spent = 0) {
  const parents = [0], sources = [0], values = [0], all = ["root"], owners = ["runtime"];
  const add = (parent, name, value) => {
    if (!all.includes(name)) { all.push(name); owners.push(name.startsWith("mine") ? "project" : owner); }
    parents.push(parent); sources.push(all.indexOf(name)); values.push(value);
    return parents.length - 1;
  };
  let at = add(0, "mine_main", 0);
  for (const name of names) at = add(at, name, spent);
  add(at, "mine_left", 500); add(at, "mine_right", 500);
  return flameTree.read({ parents, sources, values, names: all, owners });
}

const drawn = (tree, folds = () => true, pivot = null) => flameTree.layOut(tree, { pivot, order: "heavy", zoom: { x: 0, scale: 1 }, width: 1000, folds });
const numbered = (count, prefix = "lib") => Array.from({ length: count }, (_, n) => `${prefix}_${n}`);

test("a chain in which nothing branches and nothing is spent becomes one row that holds its frames", () => {
  const laid = drawn(chained(numbered(10), "library"));
  const chain = laid.boxes.find((box) => box.frames);
  assert.equal(chain.frames.length, 9, "the last frame, where the paths part, stays");
  assert.equal(chain.share, 1);
  assert.equal(laid.deepest, 4);
  assert.equal(laid.folded, 9);
  assert.equal(drawn(chained(numbered(10), "library"), () => false).deepest, 12);
});

test("a chain that is unfolded has all its rows, and a short one is not folded", () => {
  const tree = chained(numbered(10), "library");
  const first = drawn(tree).boxes.find((box) => box.frames).nodes[0];
  assert.ok(!drawn(tree, (one) => one.nodes[0] !== first).boxes.some((box) => box.frames), "the rest of it does not fold again");
  assert.ok(!drawn(chained(numbered(4), "library")).boxes.some((box) => box.frames));
});

test("where something is spent, a chain ends", () => {
  assert.ok(!drawn(chained(numbered(10), "library", 50)).boxes.some((box) => box.frames));
});

test("the project's own frames fold only in long chains and in recursion, and not with others'", () => {
  assert.ok(!drawn(chained(numbered(7, "mine"), "library")).boxes.some((box) => box.frames));
  const recursion = drawn(chained(["mine_f", "mine_g", "mine_f", "mine_g", "mine_f", "mine_g"], "library"));
  assert.equal(recursion.boxes.find((box) => box.frames).frames.length, 5);
  const mixed = drawn(chained([...numbered(6, "lib"), "mine_view", ...numbered(6, "other")], "library"));
  assert.equal(mixed.boxes.filter((box) => box.frames).length, 2);
  assert.ok(mixed.boxes.some((box) => !box.frames && mixed && box.kind === "callee" && box.row === 3));
});

test("callers of a pivot fold as well, and the value of a chain is its first frame's", () => {
  const tree = chained(numbered(10), "library");
  const laid = drawn(tree, () => true, tree.names.indexOf("mine_left"));
  const chain = laid.boxes.find((box) => box.frames);
  assert.equal(chain.kind, "caller");
  assert.equal(chain.total, 500);
});

test("both sides of a comparison fold the same frames, also where one side alone would fold more", () => {
  const parents = [0, 0], sources = [0, 1], values = [0, 0], negatives = [0, 0], names = ["root", "mine_main"];
  const add = (parent, name, after, before) => {
    names.push(name); parents.push(parent); sources.push(names.length - 1); values.push(after); negatives.push(before);
    return parents.length - 1;
  };
  let at = 1;
  for (const name of numbered(6)) at = add(at, name, 0, 0);
  add(at, "branch_only_before", 0, 400); // of the older side's stacks a part ends here
  for (const name of numbered(6, "deep")) at = add(at, name, 0, 0);
  add(at, "leaf", 500, 100);
  const read = flameTree.read({ parents, sources, values, negatives, names, owners: names.map((name) => (name.startsWith("mine") ? "project" : "library")), difference: true });
  const [before, after] = ["shrunk", "grown"].map((which) => drawn(flameTree.side(read, which)).boxes.filter((box) => box.frames));
  assert.deepStrictEqual(after.map((box) => [box.row, box.frames.map((one) => one.source)]), before.map((box) => [box.row, box.frames.map((one) => one.source)]));
  assert.deepStrictEqual(after.map((box) => box.frames.length), [5, 6]);
});
