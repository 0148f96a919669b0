// The graph's boxes, lines and frames as shapes: [tag, attributes, text]. The page makes elements of them, a file markup.
// A colour that begins with @ is one of the page's variables: a file has its value.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryGraphPicture = (() => {
  const HEAD = 24, ROW = 16, LETTER = 6.4, MOST_LETTERS = 30;

  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const round = (number) => Math.round(number * 10) / 10;

  // The size of a box for its name and columns.
  function size(name, columns, widest) {
    const capitals = (name.match(/[A-Z]/g) || []).length;
    const letters = Math.max(name.length * 1.2 + capitals * 0.4 + 6, ...columns.map(([field, type, mark]) => field.length + type.length + mark.length + 5));
    return { width: round(Math.min(widest, Math.max(96, letters * LETTER + 14))), height: HEAD + columns.length * ROW + (columns.length ? 6 : 4) };
  }

  // A hue for each application, far from those of its neighbours in the alphabet.
  function hues(apps) {
    const sorted = [...new Set(apps)].filter(Boolean).sort();
    return new Map(sorted.map((app, number) => [app, Math.round((number * 137.5 + 205) % 360)]));
  }

  const frameColour = (hue) => (hue === undefined ? "@line" : `hsl(${hue} 45% 55%)`);

  function frames(clusters, hueOf) {
    return clusters.flatMap(({ app, x, y, width, height }) => [
      ["rect", { x: round(x), y: round(y), width: round(width), height: round(height), rx: 8, fill: "none", stroke: frameColour(hueOf.get(app)), "stroke-dasharray": "4 3" }],
      ["text", { x: round(x + 8), y: round(y + 14), "font-size": 11, fill: "@faint" }, cut(app, 40)],
    ]);
  }

  // `more` is the number of neighbours that are not shown, `opened` whether a click takes boxes away.
  function box({ x, y, width, height, name, app }, { columns, hue, more, opened, first, picked, onPath }) {
    const strong = picked || onPath;
    const shapes = [
      ["rect", { x, y, width, height, rx: 5, fill: "@ground", stroke: strong ? "@accent" : "@faint", "stroke-width": strong ? 2.5 : 1, class: "edge" }],
      ["rect", { x: x + 1, y: y + 1, width: 4, height: height - 2, rx: 2, fill: frameColour(hue) }],
      ["text", { x: x + 11, y: y + 16, "font-size": 13, "font-weight": first ? 700 : 600, fill: "@ink" }, cut(name, Math.floor((width - (more || opened ? 44 : 18)) / 7.4))],
    ];
    if (more || opened) shapes.push(["text", { x: x + width - 7, y: y + 16, "font-size": 11, "text-anchor": "end", fill: "@accent", class: "more" }, more ? `+${more}` : "−"]);
    if (columns.length) shapes.push(["path", { d: `M${x + 5} ${y + HEAD}H${x + width}`, stroke: "@line", fill: "none" }]);
    columns.forEach(([field, type, mark], row) => {
      const baseline = y + HEAD + (row + 1) * ROW - 3;
      const room = Math.floor((width - 18) / LETTER) - (mark ? 4 : 0);
      const kept = cut(type, Math.max(4, room - Math.min(field.length, room - 5) - 1));
      shapes.push(["text", { x: x + 11, y: baseline, "font-size": 11.5, fill: "@ink" }, cut(field, Math.max(5, room - kept.length - 1))]);
      shapes.push(["text", { x: x + width - 7, y: baseline, "font-size": 10.5, "text-anchor": "end", fill: "@faint" }, [kept, mark].filter(Boolean).join(" ")]);
    });
    return { title: [name, app && `of ${app}`].filter(Boolean).join(" "), shapes };
  }

  // Where each line leaves and enters: on the facing sides, spread by the height of the other end.
  function ports(lines, boxOf) {
    const sides = new Map(), found = lines.map(() => ({}));
    const add = (name, side, line, end, other) => {
      const key = `${side}${name}`;
      if (!sides.has(key)) sides.set(key, { name, side, ends: [] });
      sides.get(key).ends.push({ line, end, by: other });
    };
    lines.forEach((line, number) => {
      const start = boxOf(line.start), end = boxOf(line.end);
      const facing = start.column === end.column ? [1, 1] : start.column < end.column ? [1, -1] : [-1, 1];
      const middle = (one) => one.y + one.height / 2;
      add(line.start, facing[0], number, "start", middle(end));
      add(line.end, facing[1], number, "end", middle(start) + (start === end ? 1 : 0));
    });
    for (const { name, side, ends } of sides.values()) {
      const at = boxOf(name), step = Math.min(18, (at.height - 8) / ends.length);
      ends.sort((a, b) => a.by - b.by || a.line - b.line);
      ends.forEach(({ line, end }, n) => {
        found[line][end] = { x: at.x + (side > 0 ? at.width : 0), y: at.y + at.height / 2 + (n - (ends.length - 1) / 2) * step, side, crowd: ends.length, step };
      });
    }
    return found;
  }

  // The text of each line. Where lines between the same two boxes are too close for theirs, the first has all of them.
  function texts(lines, places) {
    const first = new Map(), found = lines.map((line) => line.text);
    lines.forEach((line, number) => {
      const { start, end } = places[number], at = start.crowd <= end.crowd ? start : end;
      const key = JSON.stringify([line.start, line.end]);
      if (at.step >= 11) return;
      if (!first.has(key)) { first.set(key, number); return; }
      found[first.get(key)] += `, ${line.text}`;
      found[number] = "";
    });
    return found;
  }

  function colourOf(line) { return line.onDelete === "cascade" ? "@grew" : line.inCycle ? "@mark" : "@faint"; }

  // The part of a line's end that says how many rows may stand there.
  function foot({ x, y, side }, isMany, isOptional) {
    const out = (distance) => round(x + side * distance);
    const d = isMany ? `M${out(9)} ${round(y)}L${x} ${round(y - 5)}M${out(9)} ${round(y)}L${x} ${round(y + 5)}` : `M${out(6)} ${round(y - 4.5)}V${round(y + 4.5)}`;
    return isOptional ? `${d}M${out(10)} ${round(y)}a3 3 0 1 0 ${side * 6} 0a3 3 0 1 0 ${-side * 6} 0` : d;
  }

  function lineShapes(line, { start, end }, { strong, faded, text = line.text }) {
    const reach = start.side === end.side ? 60 + Math.abs(start.y - end.y) / 8 : Math.max(50, Math.abs(end.x - start.x) / 2);
    const d = `M${round(start.x)} ${round(start.y)}C${round(start.x + start.side * reach)} ${round(start.y)} ${round(end.x + end.side * reach)} ${round(end.y)} ${round(end.x)} ${round(end.y)}`;
    const stroke = strong ? "@accent" : colourOf(line), opacity = faded ? 0.25 : 1;
    const dash = line.inCycle ? { "stroke-dasharray": "7 4" } : {};
    // The text stands at the end that has fewer lines, where texts do not meet.
    const at = start.crowd <= end.crowd ? start : end;
    const shapes = [
      ["path", { d, fill: "none", stroke, "stroke-width": strong ? 2.5 : 1.4, opacity, ...dash }],
      ["path", { d: foot(start, line.many || line.bothMany, true) + foot(end, line.bothMany, line.optional || line.bothMany), fill: "none", stroke, "stroke-width": 1.2, opacity }],
    ];
    if (text) {
      shapes.push(["text", { x: round(at.x + at.side * 18), y: round(at.y - 3), "font-size": 11, "text-anchor": at.side > 0 ? "start" : "end", fill: strong ? "@accent" : colourOf(line), opacity,
        stroke: "@ground", "stroke-width": 3, "paint-order": "stroke" }, cut(text, MOST_LETTERS)]);
    }
    return shapes;
  }

  // ── a file ──

  const escaped = (text) => String(text).replace(/[&<>"]/g, (each) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[each])
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "\ufffd"); // XML has no way to say these

  // `colours` gives the value of each variable; `groups` are lists of shapes with a title.
  function svgOf({ x, y, width, height }, title, groups, colours) {
    const valued = (value) => (typeof value === "string" && value.startsWith("@") ? colours[value.slice(1)] : value);
    const markup = ([tag, attributes, text]) => {
      const written = Object.entries(attributes).map(([name, value]) => ` ${name}="${escaped(valued(value))}"`).join("");
      return text === undefined ? `<${tag}${written}/>` : `<${tag}${written}>${escaped(text)}</${tag}>`;
    };
    const parts = groups.map((group) => `<g>${group.title ? `<title>${escaped(group.title)}</title>` : ""}${group.shapes.map(markup).join("")}</g>`);
    const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="${round(x)} ${round(y)} ${round(width)} ${round(height)}" font-family="system-ui, sans-serif">`
      + `<title>${escaped(title)}</title><rect x="${round(x)}" y="${round(y)}" width="100%" height="100%" fill="${escaped(colours.ground)}"/>\n${parts.join("\n")}\n</svg>\n`;
    return { text, width, height };
  }

  return { size, hues, frames, box, ports, texts, lineShapes, svgOf };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryGraphPicture;
