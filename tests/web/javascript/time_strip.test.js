"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const strip = require("../../../src/conduit/web/static/time_strip.js");

test("a drag is a range of seconds inside the strip, and a press that hardly moves is none", () => {
  assert.deepStrictEqual(strip.rangeOf(0.5, 0.25, 8), [2, 4]);
  assert.deepStrictEqual(strip.rangeOf(-1, 2, 8), [0, 8]);
  assert.strictEqual(strip.rangeOf(0.5, 0.502, 8), null);
});

test("the largest amount of all threads is the darkest, and nothing is empty", () => {
  assert.deepStrictEqual(strip.shades([{ amounts: [0, 5] }, { amounts: [10, 0] }]), [[0, 0.575], [1, 0]]);
});
