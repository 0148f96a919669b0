// What the graph shows as Mermaid and DOT: the same text as `conduit introspect diagram` prints for the same resources.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryGraphExport = (() => {
  const CASCADE = "#c62828", CYCLE = "#7b1fa2";

  // Entities in document order with their columns, and the lines among them.
  function picture(graph, shown, which) {
    const names = [...shown].sort((a, b) => graph.order.get(a) - graph.order.get(b));
    return { entities: names.map((name) => ({ name, app: graph.appOf(name), columns: graph.columns(name, which) })), lines: graph.between(shown) };
  }

  function toMermaid({ entities, lines }) {
    const rows = ["erDiagram"];
    for (const { name, columns } of entities) {
      rows.push(`  ${erName(name)}${columns.length ? " {" : ""}`);
      for (const [field, type, mark] of columns) rows.push(`    ${erWord(type)} ${erWord(field)} ${mark}`.trimEnd());
      if (columns.length) rows.push("  }");
    }
    for (const line of lines) {
      const left = line.many || line.bothMany ? "}o" : "|o";
      const right = line.bothMany ? "o{" : line.optional ? "o|" : "||";
      rows.push(`  ${erName(line.start)} ${left}--${right} ${erName(line.end)} : "${line.text.replaceAll('"', "'")}"`);
    }
    return `${rows.join("\n")}\n`;
  }

  const erName = (name) => `"${name.replace(/["%\\]/g, "_")}"`;

  function erWord(text) {
    const word = text.replace(/[^A-Za-z0-9_]+/g, "_").replace(/^_+|_+$/g, "") || "unknown";
    return /^[A-Za-z]/.test(word) ? word : `_${word}`;
  }

  function toDot({ entities, lines }) {
    const rows = ["digraph {", "  graph [rankdir=LR];", '  node [shape=plaintext, fontname="Helvetica", fontsize=10];',
      '  edge [fontname="Helvetica", fontsize=8, color="#666666"];'];
    const groups = new Map();
    for (const entity of entities) {
      if (!groups.has(entity.app)) groups.set(entity.app, []);
      groups.get(entity.app).push(entity);
    }
    [...groups].forEach(([app, members], number) => {
      const nodes = members.map((entity) => `${quoted(entity.name)} [label=<${table(entity)}>];`);
      if (!app) rows.push(...nodes.map((node) => `  ${node}`));
      else rows.push(`  subgraph cluster_${number} {`, `    label=${quoted(app)}; color=gray80; fontname="Helvetica"; fontsize=11;`, ...nodes.map((node) => `    ${node}`), "  }");
    });
    rows.push(...lines.map(dotLine));
    const legend = [
      lines.some((line) => line.onDelete === "cascade") && "red: deleted with it",
      lines.some((line) => line.inCycle) && "violet: part of a cycle",
    ].filter(Boolean).join("; ");
    if (legend) rows.push(`  label=${quoted(legend)}; labelloc=b; fontname="Helvetica"; fontsize=9;`);
    return `${[...rows, "}"].join("\n")}\n`;
  }

  function table({ name, columns }) {
    const rows = columns.map(([field, type, mark]) => `<tr><td align="left">${html(field)}${mark ? ` <i>${mark}</i>` : ""}</td><td align="left">${html(type) || "?"}</td></tr>`);
    return `<table border="0" cellborder="1" cellspacing="0"><tr><td bgcolor="#dde6f0" colspan="2"><b>${html(name)}</b></td></tr>${rows.join("")}</table>`;
  }

  function dotLine(line) {
    const tail = line.many || line.bothMany ? "crowodot" : "teeodot";
    const head = line.bothMany ? "crowodot" : line.optional ? "teeodot" : "teetee";
    const colours = [...(line.onDelete === "cascade" ? [CASCADE] : []), ...(line.inCycle ? [CYCLE] : [])];
    const colour = colours.length ? `, color="${colours.join(":")}", fontcolor="${colours[0]}"` : "";
    return `  ${quoted(line.start)} -> ${quoted(line.end)} [label=${quoted(line.text)}, arrowtail=${tail}, arrowhead=${head}, dir=both${colour}];`;
  }

  const quoted = (text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", " ")}"`;
  const html = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

  return { picture, toMermaid, toDot };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryGraphExport;
