"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { install } = require("./fake_dom.js");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
const cases = () => JSON.parse(fs.readFileSync(process.env.CASES, "utf8")).data; // decoding fills the data in place
const data = cases();
const Data = require(path.join(folder, "history_data.js"));

test("values, intervals and commits are those that were written", () => {
  const found = Data.decode(data.series[0], data.commit_sets);
  assert.strictEqual(found.values.length, 120);
  assert.ok(Math.abs(Data.high(found, 0) / found.values[0] - 1.02) < 1e-4);
  assert.ok(Math.abs(Data.low(found, 0) / found.values[0] - 0.99) < 1e-4);
  assert.deepStrictEqual([...found.commits.slice(0, 3)], [0, 1, 2]);
});

test("marks are round and inside, columns keep the lowest and highest, levels are medians", () => {
  assert.deepStrictEqual(Data.ticks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  const { lows, highs } = Data.envelope(Float32Array.from([1, 9, 5, 7]), 2);
  assert.deepStrictEqual([...lows, ...highs], [1, 5, 9, 7]);
  assert.deepStrictEqual(Data.levels(Float32Array.from([1, 3, 2, 8, 9]), [3]), [[0, 2, 2], [3, 4, 8.5]]);
  assert.strictEqual(Data.percent(-0.051), "−5.10%");
});

test("the page lists what moved first, says what it holds, and narrows by the filter", () => {
  const ids = { view: "main", "axes": "div", "comparison-tests": "div", "comparison-tests-body": "div", overview: "section", one: "section", filter: "input", unit: "select", "only-steps": "input", matched: "output", back: "a", "one-name": "h2", "one-facts": "p", chart: "canvas", under: "output", steps: "div", "steps-body": "tbody", comparison: "div", "comparison-title": "h3", "comparison-hint": "p", "comparison-command": "code", "comparison-text": "pre", "comparison-facts": "table", "comparison-body": "tbody", "menu-show": "details", facts: "span", legend: "pre" };
  install(ids, cases());
  const { make } = require(path.join(folder, "frame.js"));
  document.getElementById("menu-show").append(make("summary", {}), make("div", { className: "items" }));
  require(path.join(folder, "history.js"));
  const tiles = () => document.querySelectorAll(".tile").map((tile) => tile.textContent);
  assert.strictEqual(tiles().length, 3);
  assert.match(tiles()[0], /^shop:Slower-2.*\+20/);
  assert.match(document.getElementById("facts").textContent, /^3 series · 120 commits · 2026-01-01 to /);
  document.getElementById("filter").value = "steady";
  for (const act of document.getElementById("filter").listeners.get("input")) act();
  assert.strictEqual(tiles().length, 1);
  assert.strictEqual(document.getElementById("matched").textContent, "1 of 3");
  document.querySelector(".tile").click();
  assert.strictEqual(document.getElementById("one-name").textContent, "shop:Steady-2");
  assert.match(location.hash, /series=shop/);
});
