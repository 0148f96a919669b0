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
  assert.ok(made.of("b").hue >= 150 && made.of("b").hue <= 240);
  assert.ok(made.of("c").hue >= 255);
});

test("the colours of two owners are farther apart than half a right angle, however many packages each has", () => {
  const owners = ["project", "library", "standard"];
  const keyed = [["", ""], ...owners.flatMap((owner) => Array.from({ length: 40 }, (_, n) => [owner, `${owner} ${n}`]))];
  const made = palette.assign(keyed, keyed.map((_, n) => n));
  const hues = (owner) => keyed.slice(1).filter(([range]) => range === owner).map(([, key]) => made.of(key).hue);
  for (const one of owners) for (const other of owners) {
    if (one === other) continue;
    for (const a of hues(one)) for (const b of hues(other)) assert.ok(Math.min(Math.abs(a - b), 360 - Math.abs(a - b)) > 45, `${one} ${a}, ${other} ${b}`);
  }
});

test("a group keeps its colour in a second recording, whatever came before it or grew", () => {
  const given = new Map();
  const first = palette.assign([["", ""], ["library", "django"], ["library", "asgiref"]], [0, 9, 1], given);
  const second = palette.assign([["", ""], ["library", "new"], ["library", "asgiref"], ["library", "django"]], [0, 90, 5, 1], given);
  for (const name of ["django", "asgiref"]) assert.deepEqual(second.of(name), first.of(name), name);
  assert.notDeepEqual(second.of("new"), first.of("django"));
  assert.notDeepEqual(second.of("new"), first.of("asgiref"));
});

test("the order of equal weights does not change a colour", () => {
  const one = palette.assign([["", ""], ["all", "x"], ["all", "y"]], [0, 5, 5]);
  const other = palette.assign([["", ""], ["all", "y"], ["all", "x"]], [0, 5, 5]);
  assert.deepEqual([one.of("x"), one.of("y")], [other.of("x"), other.of("y")]);
});
