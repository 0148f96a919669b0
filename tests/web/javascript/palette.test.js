"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const path = require("node:path");

const palette = require(path.join(__dirname, "../../../src/conduit/web/static/palette.js"));

function colours(ranges) {
  const keyed = [["", ""], ...ranges.map((range, n) => [range, `${range} ${n}`])];
  const made = palette.assign(keyed, keyed.map((_, n) => 1000 - n));
  return keyed.slice(1).map(([, key]) => JSON.stringify(made.of(key)));
}

test("two modules of one owner have two colours, up to eighteen of them", () => {
  for (let count = 1; count <= 18; count += 1) {
    for (const owner of ["project", "library", "standard"]) {
      const made = colours(Array(count).fill(owner));
      assert.equal(new Set(made).size, count, `${count} of ${owner}`);
    }
  }
});

test("the fifty heaviest modules of a scheme have fifty colours", () => {
  assert.equal(new Set(colours(Array(50).fill("all"))).size, 50);
});

test("an owner's colours lie in its own part of the circle", () => {
  const keyed = [["", ""], ["project", "a"], ["library", "b"], ["standard", "c"]];
  const made = palette.assign(keyed, [0, 1, 1, 1]);
  assert.ok(made.of("a").hue < 70);
  assert.ok(made.of("b").hue >= 160 && made.of("b").hue <= 240);
  assert.ok(made.of("c").hue >= 255);
});

test("the order of equal weights does not change a colour", () => {
  const one = palette.assign([["", ""], ["all", "x"], ["all", "y"]], [0, 5, 5]);
  const other = palette.assign([["", ""], ["all", "y"], ["all", "x"]], [0, 5, 5]);
  assert.deepEqual([one.of("x"), one.of("y")], [other.of("x"), other.of("y")]);
});
