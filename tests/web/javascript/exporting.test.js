"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const { svgOf } = require("../../../src/conduit/web/static/exporting.js");

test("a picture is an SVG of its boxes, and names full of markup stay text", () => {
  const box = { x: 1, y: 2, width: 30.123, height: 19, fill: "hsl(1 2% 3%)", ink: "#000", label: '<b>&"', title: "a\u0001<script>", faded: true };
  const { text, width } = svgOf({ width: 100, height: 40, ground: "#fff", title: "x", boxes: [box] });
  assert.equal(width, 100);
  assert.match(text, /width="30.12"/);
  assert.match(text, /&lt;b&gt;&amp;&quot;/);
  assert.ok(!text.includes("<script>") && !text.includes("\u0001"));
  assert.match(text, /opacity="0.3"/);
});
