"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const path = require("node:path");
const { install, fire } = require("./fake_dom.js");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
install({ view: "main", matched: "output" }, {});
const { make } = require(path.join(folder, "frame.js"));
const rowsOf = require(path.join(folder, "rows.js"));

function page() {
  const selected = new Set(), said = [], menus = [];
  return { selected, said, menus, pick: (name, on) => (on ? selected.add(name) : selected.delete(name)), matched: (text) => said.push(text), openContext: (event, name) => menus.push(name) };
}

test("a click, Enter and Space pick a row, other keys do not, the other button opens its menu", () => {
  const shown = page(), line = rowsOf(shown).pickable(make("tr", {}), "work");
  line.click();
  assert.deepStrictEqual([[...shown.selected], line.classList.contains("picked"), line.getAttribute("aria-selected")], [["work"], true, "true"]);
  fire(line, "keydown", { key: "Enter" });
  assert.strictEqual(line.getAttribute("aria-selected"), "false");
  assert.strictEqual(fire(line, "keydown", { key: "a" }).defaultPrevented, false);
  fire(line, "contextmenu");
  assert.deepStrictEqual(shown.menus, ["work"]);
});

test("a click beside a link and Enter follow it, Space picks the row", () => {
  const shown = page(), clicks = [], link = make("a", { onclick: () => clicks.push("link") }), cell = make("td", {});
  const line = rowsOf(shown).leading(make("tr", {}, cell), "work", link);
  cell.click();
  fire(line, "keydown", { key: "Enter" });
  assert.deepStrictEqual([clicks, [...shown.selected]], [["link", "link"], []]);
  fire(line, "keydown", { key: " " });
  assert.deepStrictEqual([...shown.selected], ["work"]);
  fire(line, "contextmenu");
  assert.deepStrictEqual(shown.menus, ["work"]);
});

test("a search fills the rows anew and counts those that match; without one nothing is said", () => {
  const shown = page(), body = make("tbody", {});
  document.getElementById("view").append(make("table", {}, body));
  const fill = (regexp) => body.replaceChildren(...["ab", "b", "c"].map((name) => make("tr", { className: regexp?.test(name) ? "hit" : "" }, name)));
  const search = rowsOf(shown).searching({ body: () => body, fill });
  search(/b/);
  search(null);
  assert.deepStrictEqual(shown.said, ["2 rows", ""]);
});

test("a search before the view is drawn does nothing", () => {
  const shown = page();
  rowsOf(shown).searching({ body: () => undefined, fill: () => assert.fail() })(/b/);
  assert.deepStrictEqual(shown.said, []);
});
