// Run by tests/web/registry/test_registry_graph.py, which writes documents, paths and texts, made by Python, into CASES.
"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const { readFileSync } = require("node:fs");
const folder = "../../../src/conduit/web/static/";
const Model = require(`${folder}registry_graph_model.js`);
const Layout = require(`${folder}registry_graph_layout.js`);
const Picture = require(`${folder}registry_graph_picture.js`);
const Export = require(`${folder}registry_graph_export.js`);

const cases = JSON.parse(readFileSync(process.env.CASES, "utf-8"));

function graphOf(data) {
  const resources = data.resources.map((one) => ({ fields: [], app: "", ...one }));
  return Model.createGraph({ data, resources, byName: new Map(resources.map((one) => [one.name, one])) });
}

// A resource R0 with `count` neighbours R1…, in applications of ten; each Rn has a leaf Ln.
function star(count) {
  const resources = [{ name: "R0", app: "a0" }];
  const lines = [];
  for (let n = 1; n <= count; n += 1) {
    resources.push({ name: `R${n}`, app: `a${Math.floor(n / 10)}` }, { name: `L${n}`, app: "leaves" });
    lines.push([resources.length - 2, 0, "hub", 1, "cascade"], [resources.length - 1, resources.length - 2, "of", 1, ""]);
  }
  return graphOf({ resources, graph: { lines, marks: resources.map(() => ""), cycles: [] } });
}

const boxesOf = (graph, shown, columns = "keys") => shown.map((name) => ({ name, app: graph.appOf(name), ...Picture.size(name, graph.columns(name, columns), Layout.WIDEST) }));
const sideIn = (graph) => (name, other) => (!graph.near.get(name).has(other) ? 0 : graph.dependsOn(name, other) ? -1 : 1);
const positions = (layout) => new Map([...layout.boxes].map(([name, box]) => [name, [box.column, box.y]]));

function overlaps(layout) {
  const boxes = [...layout.boxes.values()], found = [];
  boxes.forEach((a, at) => boxes.slice(at + 1).forEach((b) => {
    if (a.column === b.column && a.y < b.y + b.height && b.y < a.y + a.height) found.push([a.name, b.name]);
  }));
  return found;
}

test("Mermaid and DOT are what the command prints for the same resources", () => {
  assert.ok(cases.texts.length);
  for (const { document, shown, columns, mermaid, dot } of cases.texts) {
    const graph = graphOf(cases.documents[document]);
    const picture = Export.picture(graph, shown, columns);
    assert.strictEqual(Export.toMermaid(picture), mermaid);
    assert.strictEqual(Export.toDot(picture), dot);
  }
});

test("a deletion by type and key is drawn to the picked box, and leads to no neighbours", () => {
  const resources = ["Place", "Tag", "Shelf"].map((name) => ({ name }));
  const links = { Place: [["Tag", "tags", "cascade", 0], ["Shelf", "place", "cascade", 0], ["Place", "parent", "cascade", 0]], Shelf: [["Tag", "notes", "set_null", 0]] };
  const graph = graphOf({ resources, deletion: { links }, graph: { lines: [[2, 0, "place", 1, "cascade"]], marks: ["", "", ""], cycles: [] } });
  assert.deepStrictEqual(graph.neighbours("Place"), ["Shelf"]);
  assert.deepStrictEqual(graph.drawn(["Place", "Tag", "Shelf"], "Place").map((line) => `${line.start} ${line.text} ${line.end}`), ["Shelf place (cascade) Place", "Tag tags (cascade) Place"]);
  assert.deepStrictEqual(graph.drawn(["Place", "Tag"], "Tag"), []);
  assert.deepStrictEqual(graph.drawn(["Tag", "Shelf"], "Shelf"), []);
  assert.deepStrictEqual([graph.sideOf("Tag", "Place"), graph.sideOf("Place", "Tag"), graph.sideOf("Tag", "Shelf")], [-1, 1, 0]);
  assert.strictEqual(graph.between(["Place", "Tag"]).length, 0);
});

test("paths are those of the command", () => {
  assert.ok(cases.paths.length);
  for (const { document, start, end, depth, most, found, complete } of cases.paths) {
    assert.deepStrictEqual(Model.paths(graphOf(cases.documents[document]), start, end, { depth, most }), { found, complete });
  }
});

test("a click adds twelve neighbours, the next click the others, and shrinking takes them away", () => {
  const graph = star(20);
  const once = Model.grown(graph, ["R0"], "R0");
  assert.deepStrictEqual([once.shown.length, once.left], [13, 0]);
  const twice = Model.grown(graph, once.shown, "R0");
  assert.strictEqual(twice.shown.length, 21);
  assert.deepStrictEqual(Model.hidden(graph, twice.shown, "R0"), []);
  const further = Model.grown(graph, twice.shown, "R3").shown;
  assert.deepStrictEqual(further.slice(21), ["L3"]);
  assert.deepStrictEqual(Model.shrunk(graph, further, "R3"), twice.shown);
  assert.deepStrictEqual(Model.shrunk(graph, further, "R0"), ["R0"]);
  assert.ok(!Model.without(graph, further, "R3").some((name) => name === "R3" || name === "L3"));
  assert.deepStrictEqual(Model.without(graph, further, "R0"), further);
});

test("no more boxes are shown than can be read, and how many were left out is said", () => {
  const graph = star(100);
  let shown = ["R0"], left = 0;
  for (let n = 0; n < 9; n += 1) ({ shown, left } = Model.grown(graph, shown, "R0"));
  assert.deepStrictEqual([shown.length, left], [Model.MOST, 12]);
});

test("no box moves while the graph grows and shrinks, and none covers another", () => {
  const graph = star(40), layout = Layout.create();
  let shown = ["R0"];
  const at = new Map();
  for (const name of ["R0", "R0", "R3", "R5", "R0", "R9"]) {
    shown = Model.grown(graph, shown, name).shown;
    Layout.update(layout, boxesOf(graph, shown), sideIn(graph));
    for (const [one, position] of positions(layout)) { if (at.has(one)) assert.deepStrictEqual(position, at.get(one), one); at.set(one, position); }
    assert.deepStrictEqual(overlaps(layout), []);
  }
  shown = Model.shrunk(graph, shown, "R3");
  Layout.update(layout, boxesOf(graph, shown), sideIn(graph));
  assert.strictEqual(layout.boxes.size, shown.length);
  for (const [one, position] of positions(layout)) assert.deepStrictEqual(position, at.get(one));
});

test("what a resource depends on stands to its right, and its dependents to its left", () => {
  const graph = star(3), layout = Layout.create();
  const shown = Model.grown(graph, Model.grown(graph, ["R1"], "R1").shown, "R0").shown;
  Layout.update(layout, boxesOf(graph, shown), sideIn(graph));
  const column = (name) => layout.boxes.get(name).column;
  assert.ok(column("R0") > column("R1") && column("L1") < column("R1") && column("R2") < column("R0"));
});

test("boxes of one application stand in one frame that holds no other box", () => {
  const graph = star(12), layout = Layout.create();
  Layout.update(layout, boxesOf(graph, Model.grown(graph, ["R0"], "R0").shown), sideIn(graph));
  const frames = Layout.clusters(layout);
  assert.deepStrictEqual(frames.map(({ app }) => app).sort(), ["a0", "a0", "a1"]);
  for (const { app, x, y, width, height } of frames) {
    for (const box of layout.boxes.values()) {
      const inside = Layout.left(box) >= x && Layout.left(box) + box.width <= x + width && box.y >= y && box.y + box.height <= y + height;
      const outside = Layout.left(box) >= x + width || Layout.left(box) + box.width <= x || box.y >= y + height || box.y + box.height <= y;
      assert.ok(inside ? box.app === app : outside, `${box.name} and the frame of ${app}`);
    }
  }
});

test("other fields in the boxes keep the order of every column and cover nothing", () => {
  const graph = graphOf(cases.documents.library), layout = Layout.create();
  const shown = Model.grown(graph, ["Book"], "Book").shown;
  Layout.update(layout, boxesOf(graph, shown, "none"), sideIn(graph));
  const order = (layout_) => [...layout_.boxes.values()].sort((a, b) => a.column - b.column || a.y - b.y).map((box) => box.name);
  const before = order(layout);
  Layout.update(layout, boxesOf(graph, shown, "all"), sideIn(graph));
  assert.deepStrictEqual(order(layout), before);
  assert.deepStrictEqual(overlaps(layout), []);
});

test("an address brings back the boxes of any name, and passes over those that are gone", () => {
  const resources = ["a,b", "100%", "ü", "plain"].map((name) => ({ name }));
  const graph = graphOf({ resources, graph: { lines: [], marks: resources.map(() => ""), cycles: [] } });
  const written = new URLSearchParams({ show: Model.written(graph.names) }).toString();
  assert.deepStrictEqual(Model.read(graph, new URLSearchParams(written).get("show")), graph.names);
  assert.deepStrictEqual(Model.read(graph, "plain,gone,plain,%"), ["plain"]);
});

test("a saved picture is markup with values for its colours", () => {
  const shapes = [["text", { x: 1, y: 2, fill: "@ink" }, 'a<b>&"\u0001'], ["path", { d: "M0 0", stroke: "@grew" }]];
  const { text } = Picture.svgOf({ x: 0, y: 0, width: 10, height: 10 }, "R & S", [{ title: "t<", shapes }], { ink: "#111111", grew: "#cc0000", ground: "#ffffff" });
  assert.ok(text.includes("a&lt;b&gt;&amp;&quot;\ufffd") && text.includes('stroke="#cc0000"') && text.includes("<title>R &amp; S</title>"));
  assert.ok(!text.includes("@"));
});
