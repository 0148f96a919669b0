"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const path = require("node:path");
const { install, fire } = require("./fake_dom.js");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
install({ view: "main", search: "input", matched: "output" }, { title: "shop" });
const frame = require(path.join(folder, "frame.js"));
const { make } = frame;

test("text stays text, null and empty children are nothing, attributes and properties are told apart", () => {
  const made = make("div", { className: "a", "aria-label": "b", onclick: null }, "<b>", null, [false, "", ["c"]]);
  assert.strictEqual(made.textContent, "<b>c");
  assert.strictEqual(made.getAttribute("aria-label"), "b");
  assert.strictEqual(made.className, "a");
});

test("parameters are changed in a copy, and an empty value takes one away", () => {
  const before = new URLSearchParams("a=1&b=2");
  assert.strictEqual(String(frame.changed(before, { a: null, b: "3", c: "", d: "x y" })), "b=3&d=x+y");
  assert.strictEqual(String(before), "a=1&b=2");
  frame.replaceState(before, "z=9");
  assert.strictEqual(String(before), "z=9");
});

test("one thing is counted in the singular, thousands with commas", () => {
  assert.deepStrictEqual([frame.counted(1, "route"), frame.counted(0, "route"), frame.counted(5826, "route")], ["1 route", "0 routes", "5,826 routes"]);
});

test("a page with nothing says so, with a remedy where there is one", () => {
  assert.strictEqual(frame.empty("Nothing.").children.length, 1);
  assert.strictEqual(frame.empty("Nothing.", "Record.").textContent, "Nothing.Record.");
});

test("colours are kept, and what is painted is told", () => {
  let told = 0;
  frame.onColours(() => { told += 1; });
  frame.setTheme("dark");
  assert.deepStrictEqual([document.documentElement.dataset.theme, localStorage.getItem("conduit-theme"), frame.isDark(), told], ["dark", "dark", true, 1]);
  frame.setTheme("system");
  assert.strictEqual(document.documentElement.dataset.theme, undefined);
});

test("a table has a row for each list of cells, and takes rows that are made already", () => {
  const table = frame.table(["name", ""], [["a", "1"], make("tr", {}, make("td", {}, "b"))], { label: "Things" });
  assert.strictEqual(table.querySelectorAll("tbody tr").length, 2);
  assert.strictEqual(table.querySelector("thead").textContent, "namemark");
  assert.strictEqual(table.getAttribute("aria-label"), "Things");
});

test("the arrows lead from row to row, and from a link to the same link of the next row", () => {
  const rows = ["a", "b", "c"].map((text) => make("tr", { tabIndex: 0 }, make("td", {}, make("a", { href: "#" }, text)), make("td", {}, make("a", { href: "#" }, `${text}2`))));
  document.getElementById("view").replaceChildren(make("table", {}, make("tbody", {}, rows)));
  frame.moveInRows(fire(rows[0], "none", { key: "ArrowDown" }));
  assert.strictEqual(document.activeElement, rows[1]);
  frame.moveInRows(fire(rows[1].querySelectorAll("a")[1], "none", { key: "ArrowUp" }));
  assert.strictEqual(document.activeElement.textContent, "a2");
});

test("/ leads to the search box, ? to the keys, Escape closes a menu before the page hears of it", () => {
  const said = [];
  const menu = make("details", { className: "menu" }, make("summary", {}, "Show"));
  document.body.append(menu);
  frame.listen({ search: document.getElementById("search"), key: (event) => event.key === "x", escape: () => said.push("escape"), keys: () => [["x", "remove"]] });
  const press = (key, target = document.body) => fire(target, "keydown", { key });
  press("/");
  assert.strictEqual(document.activeElement.id, "search");
  assert.strictEqual(press("?", document.getElementById("search")).defaultPrevented, false);
  assert.strictEqual(press("x").defaultPrevented, true);
  menu.open = true;
  press("Escape");
  assert.deepStrictEqual([menu.open, said], [false, []]);
  press("Escape");
  assert.deepStrictEqual(said, ["escape"]);
  press("?");
  const dialog = document.getElementById("keys");
  assert.match(dialog.textContent, /search.*remove/);
  dialog.close();
  assert.strictEqual(document.getElementById("keys"), null);
});
