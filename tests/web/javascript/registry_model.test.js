"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const { createModel, filterRoutes, pathTree, guardMatrix, writes } = require(path.join(__dirname, "../../../src/conduit/web/static/registry_model.js"));
const { documents } = JSON.parse(fs.readFileSync(process.env.CASES, "utf8"));
const models = documents.map(({ data }) => createModel(data));
const large = models.at(-1);

function chainOf(effects, number) {
  const chain = [];
  for (let at = number; at >= 0; at = effects[at].parent) chain.unshift(effects[at].resource);
  return chain;
}

test("a deletion reaches what `introspect impact` says, by the same chains", () => {
  documents.forEach(({ deletions }, at) => {
    for (const [name, wanted] of Object.entries(deletions)) {
      const effects = models[at].deletion(name);
      assert.deepEqual(effects.map((one, number) => [one.resource, one.relationship, one.onDelete, chainOf(effects, number)]), wanted, name);
    }
  });
});

const paths = (wanted) => filterRoutes(large, wanted).map((route) => `${route.method} ${route.path}`);

test("missing things are found by words and by choices alike", () => {
  const open = ["POST /api/reviews/"];
  assert.deepEqual(paths({ q: "POST without auth" }), open);
  assert.deepEqual(paths({ method: "POST", missing: "auth" }), open);
  assert.deepEqual(paths({ q: "write without auth" }), open);
  assert.deepEqual(paths({ q: "POST without IsAdminUser in shop" }), ["POST /api/books/", "POST /api/reviews/"]);
  assert.deepEqual(paths({ q: "POST with IsAdminUser" }), ["POST /api/authors/"]);
  assert.deepEqual(paths({ q: "POST no csrf" }), []);
});

test("routes are filtered by path, handler, application, resource and guard, each alone and together", () => {
  assert.deepEqual(paths({ path: "/api/books*", method: "GET" }), ["GET /api/books/"]);
  assert.deepEqual(paths({ handler: "shop.views:ReviewView*" }), ["POST /api/reviews/"]);
  assert.equal(paths({ app: "things" }).length, 6000 - 9);
  assert.equal(paths({ resource: "Author" }).length, 2);
  assert.equal(paths({ resource: "Author", all: "1" }).length, 3); // the framework's own too
  assert.deepEqual(paths({ guard: "IsAdminUser" }), ["POST /api/authors/"]);
  assert.equal(paths({ guard: "IsAuthenticated", app: "shop", kind: "write" }).length, 5);
});

test("the tree of paths holds every route once and joins parts without a choice", () => {
  const root = pathTree(large.routes);
  const count = (node) => node.routes.length + node.children.reduce((sum, child) => sum + count(child), 0);
  assert.equal(count(root), large.routes.length);
  assert.equal(root.count, large.routes.length);
  const admin = root.children.find((node) => node.part.startsWith("/admin"));
  assert.equal(admin.part, "/admin/shop/");
  const api = root.children.find((node) => node.part === "/api");
  assert.equal(api.open, 2);
  const strip = (node) => [node.prefix, ...node.children.flatMap(strip)];
  assert.equal(new Set(strip(root)).size, strip(root).length);
});

test("one route without the guard of its group is an outlier", () => {
  const { rows, outliers, guards } = guardMatrix(large.routes.filter((route) => writes(route) && route.app === "shop"), "app");
  assert.equal(guards[0].name, "IsAuthenticated");
  assert.equal(rows[0].cells[0].count, 5);
  assert.deepEqual(outliers.find((one) => one.guard === "IsAuthenticated").outliers.map((route) => route.path), ["/api/reviews/"]);
  assert.deepEqual(guardMatrix(large.routes.filter((route) => route.app === "things"), "app").outliers, []);
});

test("names of a document that are names of the language are names like others", () => {
  for (const name of ["constructor", "__proto__", "toString"]) {
    assert.deepEqual(large.deletion(name), []);
    assert.deepEqual(filterRoutes(large, { missing: name }).length, filterRoutes(large, {}).length);
  }
});
