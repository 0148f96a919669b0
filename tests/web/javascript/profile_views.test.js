"use strict";

// The profile page's scripts in their order over a small document, with the data that a single file holds.

const { test } = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { install, fire } = require("./fake_dom.js");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
const { scripts, data } = JSON.parse(fs.readFileSync(process.env.CASES, "utf8"));
const IDS = { view: "main", search: "input", matched: "output", refused: "span", "menu-refine": "details", "menu-show": "details", "menu-config": "details", "menu-save": "details", download: "a", facts: "span", notes: "section", legend: "pre", types: "nav", imports: "div", live: "div", errors: "div", filters: "div", strip: "section", tip: "div", context: "div", ask: "dialog", "ask-label": "label", "ask-text": "input", "ask-cancel": "button", about: "details" };
const { body } = install(IDS, data, "#top");
const { make } = require(path.join(folder, "frame.js"));
for (const id of ["menu-refine", "menu-show", "menu-config", "menu-save"]) document.getElementById(id).append(make("summary", {}, id), make("div", { className: "items" }));
document.getElementById("about").className = "about";
document.getElementById("about").append(make("h1", {}));
body.prepend(make("header", { className: "bar" }, make("div", { className: "menus" }), make("form", { className: "search" })));
for (const name of scripts) require(path.join(folder, name)); // the last one starts the page

const main = document.getElementById("view");
const { page } = Conduit;
const show = (view) => { location.hash = `#${view}`; main.replaceChildren(); page.views[view].draw(main, page.data.views[view]); return main; };

test("the page begins with the view of its address, its title and facts", () => {
  assert.strictEqual(document.documentElement.dataset.view, "top");
  assert.strictEqual(document.getElementById("facts").textContent, data.facts.join(" · "));
  assert.strictEqual(document.title, data.title);
});

test("Top lists every function, sorts by the heading clicked, and counts what a search matches", () => {
  show("top");
  const names = data.views.top.rows.map((row) => row.name);
  assert.strictEqual(main.querySelectorAll("tbody tr").length, names.length);
  main.querySelectorAll("th button").at(-1).click();
  assert.deepStrictEqual(main.querySelectorAll("tbody tr").map((row) => row.lastElementChild.nodes[0]), [...names].sort((a, b) => (a < b ? -1 : 1)));
  page.views.top.search(/fib/);
  assert.match(document.getElementById("matched").textContent, /^1 rows, 24.77% flat$/);
});

test("a row is picked by a click and by Space, and is in the address", () => {
  show("top");
  const [first, second] = main.querySelectorAll("tbody tr");
  first.click();
  assert.strictEqual(first.getAttribute("aria-selected"), "true");
  assert.match(decodeURIComponent(location.hash), /sel=\^/);
  assert.strictEqual(fire(second, "keydown", { key: " " }).defaultPrevented, true);
  assert.strictEqual(page.selected.size, 2);
  first.click(); second.click();
  assert.strictEqual(page.selected.size, 0);
});

test("Labels has a table for each label, Peek its lines, Source a listing for each function", () => {
  show("labels");
  assert.strictEqual(main.querySelectorAll(".facet").length, data.views.labels.facets.length + (data.views.labels.top ? 1 : 0) || main.querySelectorAll(".empty").length - 1);
  show("peek");
  assert.ok(main.textContent.includes(data.views.peek.lines[3][0]));
  show("source");
  assert.strictEqual(main.querySelectorAll("section.function").length, data.views.source.functions.length);
  for (const row of main.querySelectorAll("tr.hot")) assert.ok(Number(row.style["--heat"]) > 0);
});

test("the flame graph has its table with own and whole amounts, and a hovered row marks its boxes", () => {
  show("flamegraph");
  const table = main.querySelectorAll("table.functions tbody tr");
  assert.strictEqual(table.length, data.views.flamegraph.rows.length);
  assert.ok(table.some((row) => /510ms.*zlib.compress/.test(row.textContent)));
  assert.doesNotThrow(() => { fire(table[0], "pointerenter"); fire(table[0], "pointerleave"); });
});

const two = { before: "1s", after: "3s", change: "+2s", percent: "+200%", value: 2, p: "0.01", moved: true, each: [[1, 1], [3, 3]] };
const still = { before: "1s", after: "1s", change: "0", percent: "0%", value: 0, p: "0.9", moved: false, each: [[1], [1]] };
const slight = { ...two, value: 1, change: "+1s", p: "0.4", moved: false };
const compared = { keys: ["flat", "cum"], rows: [{ name: "still", function: "still", flat: still, cum: still }, { name: "slight", function: "slight", flat: slight, cum: slight }, { name: "grew /srv/a/b/c.py", function: "grew", flat: two, cum: two }], before: "2s", after: "4s", change: "+2s", normalised: false,
  repeats: { before: 4, after: 4, tested: { flat: 2, cum: 2 }, moved: { flat: 1, cum: 1 }, canTell: true, needed: { flat: 0, cum: 0 } } };

test("Changes puts first what moved, leaves out what is as it was, says how it was tested, and shows it alone on request", () => {
  main.replaceChildren();
  page.views.changes.draw(main, compared);
  const names = () => main.querySelectorAll("tbody tr").map((row) => row.lastElementChild.title);
  assert.deepStrictEqual(names(), ["grew /srv/a/b/c.py", "slight"]);
  assert.match(main.textContent, /1 of 2 functions moved beyond chance/);
  main.querySelectorAll("button").find((one) => one.textContent === "Only what moved").click();
  assert.deepStrictEqual(names(), ["grew /srv/a/b/c.py"]);
});

test("Growth lists lines with their callers, and a search counts them", () => {
  main.replaceChildren();
  page.views.growth.draw(main, { profiles: 3, over: "2s", total: "5kB", count: 2, rows: [{ name: "keep", grown: "+4kB", rate: "2kB/s", held: "4kB", objects: "+9", steady: true, steps: "every step", value: 4, place: "a.py:3", callers: ["main"] }, { name: "other", grown: "+1kB", rate: "1kB/s", held: "1kB", objects: "+1", steady: false, steps: "1 of 2 steps", value: 1, place: "a.py:9", callers: [] }] });
  assert.match(main.querySelectorAll("tbody tr")[0].textContent, /called by main/);
  page.views.growth.search(/^keep$/);
  assert.strictEqual(document.getElementById("matched").textContent, "1 rows");
});

test("the drawer of a file shows the lines that the file holds", async () => {
  const name = data.views.source.functions[0].name;
  const drawer = Conduit.sourceDrawer({ tree: () => ({ names: [name], files: [data.views.source.functions[0].file] }), folds: () => false, closed: () => {} });
  drawer.open = true;
  await drawer.show(0);
  assert.match(drawer.element.textContent, /flat/);
});
