"use strict";

// The registry page's scripts in their order over a small document, with the data of the shop among 300 resources.

const { test } = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { install, fire } = require("./fake_dom.js");

const folder = path.join(__dirname, "../../../src/conduit/web/static");
const { scripts, data } = JSON.parse(fs.readFileSync(process.env.CASES, "utf8"));
install({ view: "main", tabs: "nav", "search-form": "form", search: "input", matched: "output", facts: "span", legend: "pre", errors: "div", "menu-show": "details", about: "details" }, data);
const { make } = require(path.join(folder, "frame.js"));
document.getElementById("menu-show").append(make("summary", {}), make("div", { className: "items" }));
for (const name of scripts) require(path.join(folder, name)); // the last one starts the page

const main = document.getElementById("view");
const { registry } = Conduit;
const show = (state) => { registry.setState(state); return main; };
const texts = (selector) => main.querySelectorAll(selector).map((one) => one.textContent);

test("the first view counts what there is, and the tabs name the views that have something to show", () => {
  assert.match(document.getElementById("facts").textContent, /^300 resources, .* 6,000 routes, 1 task$/);
  assert.deepStrictEqual(document.getElementById("tabs").children.map((one) => one.textContent), ["Find", "Resources", "Routes", "Guards", "Tasks", "Graph"]);
});

test("Find shows the best first, and Enter follows the chosen one", () => {
  show({ view: "find", q: "ordln" });
  assert.strictEqual(main.querySelector(".hit-row").querySelector(".hit-name").textContent, "OrderLine");
  assert.strictEqual(registry.views.find.searchKey({ key: "ArrowUp" }), true);
  assert.match(main.querySelector(".hit-row").getAttribute("href"), /name=OrderLine/);
});

test("the list of resources is sorted by numbers from the largest, by texts from the first letter", () => {
  show({ view: "resource", sort: "referred to by" });
  assert.strictEqual(texts("tbody tr td:first-child".split(" td")[0])[0].startsWith("Book"), true);
  show({ view: "resource", sort: "-name" });
  assert.ok(texts("tbody tr")[0].startsWith("Vote"));
});

test("a resource has its fields, who refers to it, and the chain of its deletion", () => {
  show({ view: "resource", name: "Author" });
  const text = main.textContent;
  for (const part of ["A writer of books.", "slugify", "min_length", "Book", "Review", "deleted"]) assert.ok(text.includes(part), part);
});

test("routes are filtered by words and by the groups and columns of the matrix", () => {
  show({ view: "routes", q: "POST without auth", all: null });
  assert.match(document.getElementById("route-count").textContent, /^1 of 6,000 routes$/);
  show({ view: "routes", in: "app:shop", without: "IsAuthenticated", kind: "write" });
  assert.match(document.getElementById("route-count").textContent, /^1 of /);
  show({ view: "route", route: "POST /api/authors/" });
  assert.ok(main.textContent.includes("IsAdminUser"));
});

test("the matrix marks the route that is not like its group, and its numbers lead to the routes", () => {
  show({ view: "guards" });
  const row = main.querySelectorAll("table.matrix tbody tr").find((one) => one.textContent.startsWith("shop"));
  assert.match(row.querySelector("a.lacking").getAttribute("href"), /without=/);
  assert.ok(texts(".outliers summary").includes("1 of 6 routes of shop has no IsAuthenticated"));
});

test("tasks, sources and what is not in the document are shown or told", async () => {
  show({ view: "tasks" });
  assert.ok(main.textContent.includes("every 30 s"));
  main.replaceChildren();
  await registry.views.source.draw(main, new URLSearchParams("file=0&line=4"));
  assert.match(main.textContent, data.excerpts ? /class Author/ : /holds no source/);
  show({ view: "resource", name: "Nothing" });
  assert.ok(main.textContent.includes("no resource Nothing"));
});

test("the graph has a box for the resource and for its neighbours, which Enter opens", () => {
  show({ view: "graph", name: "Book" });
  const names = main.querySelectorAll("g.node").map((one) => one.dataset.name);
  assert.deepStrictEqual([...names].sort(), ["Author", "Book", "OrderLine", "Review"]);
  const review = main.querySelectorAll("g.node").find((one) => one.dataset.name === "Review");
  fire(review, "keydown", { key: "Enter" });
  assert.ok(decodeURIComponent(location.hash).includes("Vote"));
});
