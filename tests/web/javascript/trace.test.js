"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const path = require("node:path");
const { install, fire } = require("./fake_dom.js");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
install({ viewer: "iframe", facts: "span", legend: "pre", "menu-show": "details", matched: "output" }, { title: "t", facts: ["2 events", "3ms"], legend: ["shop: worker"] });
const { make } = require(path.join(folder, "frame.js"));
document.getElementById("menu-show").append(make("summary", {}), make("div", { className: "items" }));
const trace = require(path.join(folder, "trace.js"));

test("Perfetto's settings keep what they hold and take the page's colours", () => {
  assert.deepStrictEqual(JSON.parse(trace.settings('{"a": 1, "theme": "light"}', true)), { a: 1, theme: "dark" });
  assert.deepStrictEqual(JSON.parse(trace.settings("damaged", false)), { theme: "light" });
  assert.deepStrictEqual(JSON.parse(trace.settings(null, false)), { theme: "light" });
});

test("the frame says what the trace holds, opens it, and gives it the keyboard", () => {
  require(path.join(folder, "start_trace.js"));
  assert.strictEqual(document.getElementById("facts").textContent, "2 events · 3ms");
  assert.strictEqual(document.getElementById("viewer").src, "perfetto/");
  fire(document.getElementById("viewer"), "load");
  assert.strictEqual(document.activeElement.id, "viewer");
});
