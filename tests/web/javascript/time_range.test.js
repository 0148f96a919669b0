"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const range = require("../../../src/conduit/web/static/time_range.js");

test("a range covers the parts that it touches, and at least one", () => {
  assert.deepStrictEqual(range.partsOf([0, 8], 8, 4), [0, 4]);
  assert.deepStrictEqual(range.partsOf([2, 4], 8, 4), [1, 2]);
  assert.deepStrictEqual(range.partsOf([2.5, 4.1], 8, 4), [1, 3]);
  assert.deepStrictEqual(range.partsOf([3, 3], 8, 4), [1, 2]);
});

// root → thread(3) → main(1) → work(2) → main(1): recursion
const parents = [0, 0, 1, 2, 3], sources = [0, 3, 1, 2, 1], values = [0, 0, 1, 10, 100];

test("a recursive function counts once, with all that is below its outermost call", () => {
  assert.deepStrictEqual(range.rowsOf(parents, sources, values), [[1, 101, 111], [2, 10, 110], [3, 0, 111]]);
});

const content = {
  parents: [0], values: [111], total: 111, threadSources: [3],
  byTime: { parents, sources, values, untimed: 2, threads: ["thread a"], parts: 4, samples: [0, 2, 1, 1, 3, 10, 3, 4, 100] },
};

test("a range has the values of its parts, and no rows of threads out of the order of time", () => {
  const made = range.applied(content, { range: [2, 8], inOrder: false, seconds: 8 });
  assert.deepStrictEqual(made.values, [0, 0, 0, 10, 100]);
  assert.deepStrictEqual(made.parents, [0, 0, 0, 2, 3]);
  assert.strictEqual(made.total, 110);
  assert.deepStrictEqual(made.rows, [[1, 100, 110], [2, 10, 110]]);
  assert.strictEqual(made.untimed, 2);
});

test("in order of time threads have rows, and without either the content is what it was", () => {
  const made = range.applied(content, { range: null, inOrder: true, seconds: 8 });
  assert.deepStrictEqual([made.parents, made.values, made.inOrder], [parents, values, true]);
  assert.strictEqual(range.applied(content, { range: null, inOrder: false, seconds: 8 }), content);
});
