"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const { readFileSync } = require("node:fs");
const data = require("../../../src/conduit/web/static/history_data.js");

const cases = JSON.parse(readFileSync(process.env.CASES, "utf8"));

test("two commits have the p-value and the difference that benchstat prints", () => {
  for (const { old, fresh, p, before, after, delta, text } of cases.pairs) {
    const found = data.uTest(old, fresh);
    if (p === null) assert.strictEqual(found, null);
    else assert.ok(Math.abs(found - p) <= 1e-9 * Math.max(1, p) + 1e-12, `${found} for ${p}: ${old} against ${fresh}`);
    const told = data.compare(old, fresh, before, after);
    assert.deepStrictEqual([told.delta, told.test], [delta, text]);
  }
});

test("a part of a name is a parameter if it is a number or has a label", () => {
  const found = (name) => data.parameters(name).map(({ label, text, value }) => [label, text, value]);
  assert.deepStrictEqual(found("benchmarks/bench_x:Sort/n=1k/kind=random-8"), [["n", "1k", 1000], ["kind", "random", null]]);
  assert.deepStrictEqual(found("shop:Load/500-2"), [["part 1", "500", 500]]);
  assert.deepStrictEqual(found("shop:Load/Cold-2"), []);
  assert.deepStrictEqual(found("10/20:Load-2"), []);
});

test("series that differ in one parameter are a family in the order of its values", () => {
  const series = (benchmark, unit = "sec/op") => ({ benchmark, unit, machine: "m", python: "3.13" });
  const all = [series("a:Sort/n=1000/kind=x-2"), series("a:Sort/n=20/kind=x-2"), series("a:Sort/n=20/kind=y-2"), series("a:Sort/n=5/kind=x-4"), series("a:Sort/n=5/kind=x-2", "B/op"), series("b:Sort/n=7/kind=x-2")];
  const [byN, byKind] = data.families(all, 1);
  assert.deepStrictEqual([byN.label, byN.numeric, byN.members.map(({ number }) => number)], ["n", true, [1, 0]]);
  assert.deepStrictEqual([byKind.label, byKind.numeric, byKind.members.map(({ text }) => text)], ["kind", false, ["x", "y"]]);
  assert.deepStrictEqual(data.families(all, 5), []);
});

test("values of a parameter lie by their logarithm where they span a factor of 20", () => {
  const spread = (...values) => data.spread({ numeric: true, members: values.map((value) => ({ value })) }).map((share) => Math.round(share * 100));
  assert.deepStrictEqual(spread(1, 10, 100), [0, 50, 100]);
  assert.deepStrictEqual(spread(10, 20, 30), [0, 50, 100]);
  assert.deepStrictEqual(spread(0, 10, 1000), [0, 1, 100]);
});

test("a logarithmic scale has round numbers over all of it", () => {
  assert.deepStrictEqual(data.logTicks(10, 1500, 6).map((value) => Math.round(value)), [10, 20, 50, 100, 200, 500, 1000]);
  assert.deepStrictEqual(data.logTicks(10, 20, 5), data.ticks(10, 20, 5));
});
