// Run by tests/web/test_javascript.py, which writes the right texts, made by Python, into CASES.
"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const { readFileSync } = require("node:fs");
const units = require("../../../src/conduit/web/static/units.js");

const cases = JSON.parse(readFileSync(process.env.CASES, "utf-8"));

test("an amount has the text that Python gives it", () => {
  for (const { value, amounts, text } of cases.amounts) assert.strictEqual(units.amount(value, amounts), text, `${value} ${amounts.default}`);
});

test("a share has the text that Python gives it", () => {
  for (const { value, total, text } of cases.shares) assert.strictEqual(units.percent(value, total), text, `${value} of ${total}`);
});
