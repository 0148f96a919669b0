// The call graph: Graphviz's drawing where the server has it, our own layout otherwise. Drag to move, scroll to zoom.
"use strict";

Conduit.page.views.graph = (() => {
  const { make, pick, selected } = Conduit.page;
  const SVG = "http://www.w3.org/2000/svg";
  const ALLOWED = new Set(["svg", "g", "title", "polygon", "polyline", "path", "ellipse", "rect", "text", "tspan", "line", "defs", "marker"]);
  const SMALLEST = 0.5; // pixels for a unit of the drawing, below which its text cannot be read
  let frame, drawing, names, box;

  function shape(tag, attributes, ...children) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Only shapes and text of the drawing are taken over; links, scripts and handlers have no way in.
  function taken(element) {
    const copy = document.createElementNS(SVG, element.localName);
    for (const { name, value } of element.attributes) {
      if (!/^on|href|style|xmlns/i.test(name)) copy.setAttribute(name, value);
    }
    for (const child of element.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) copy.append(child.textContent);
      else if (child.nodeType === Node.ELEMENT_NODE) {
        if (ALLOWED.has(child.localName)) copy.append(taken(child));
        else if (child.localName === "a") copy.append(...taken(child).childNodes);
      }
    }
    return copy;
  }

  function fromGraphviz(text) {
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    const svg = taken(parsed);
    for (const node of svg.querySelectorAll("g.node")) {
      const name = names[node.querySelector("title")?.textContent];
      if (name) prepare(node, name);
    }
    for (const title of svg.querySelectorAll("title")) title.remove();
    return svg;
  }

  function prepare(node, name) {
    node.dataset.name = name;
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    // Its text is its accessible name: name, own amount, amount with callees.
  }

  // ── our own drawing ──

  function fromLayout(content) {
    const nodes = content.nodes.map((node) => {
      const font = 9 + 11 * Math.sqrt(Math.abs(node.flatShare));
      const lines = [...node.lines, node.flatText];
      return { ...node, font, lines, width: Math.max(60, Math.max(...lines.map((line) => line.length)) * font * 0.62 + 14), height: lines.length * font * 1.25 + 10 };
    });
    const { at, width, height } = Conduit.layout.layered(nodes, content.edges);
    const svg = shape("svg", { viewBox: `-10 -10 ${width + 20} ${height + 20}` });
    svg.append(shape("defs", {}, shape("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }, shape("path", { d: "M0 0 L8 4 L0 8 z", fill: "#666" }))));
    const sheet = shape("g", {});
    for (const edge of content.edges) sheet.append(...drawEdge(edge, nodes, at));
    nodes.forEach((node, n) => sheet.append(drawNode(node, at[n])));
    svg.append(sheet);
    return svg;
  }

  function drawNode(node, { x, y }) {
    const shade = Math.min(1, Math.abs(node.cumShare));
    const fill = node.flatShare < 0 || node.cumShare < 0 ? `hsl(140 40% ${95 - 25 * shade}%)` : `hsl(18 ${30 + 45 * shade}% ${95 - 22 * shade}%)`;
    const group = shape("g", { class: "node" }, shape("rect", { x, y, width: node.width, height: node.height, rx: 4, fill, stroke: "#666" }));
    node.lines.forEach((line, n) => {
      const text = shape("text", { x: x + node.width / 2, y: y + 4 + node.font * 1.2 * (n + 0.85), "font-size": node.font, "text-anchor": "middle", fill: "#14171a", "font-family": "sans-serif" });
      text.textContent = line;
      group.append(text);
    });
    prepare(group, node.name);
    return group;
  }

  function drawEdge(edge, nodes, at) {
    const from = { x: at[edge.from].x + nodes[edge.from].width / 2, y: at[edge.from].y + nodes[edge.from].height };
    const to = { x: at[edge.to].x + nodes[edge.to].width / 2, y: at[edge.to].y };
    const bend = Math.max(30, Math.abs(to.y - from.y) / 2);
    const self = edge.from === edge.to;
    const d = self
      ? `M${from.x} ${from.y} c 60 40 60 -${nodes[edge.from].height + 40} 0 -${nodes[edge.from].height}`
      : `M${from.x} ${from.y} C${from.x} ${from.y + bend} ${to.x} ${to.y - bend} ${to.x} ${to.y}`;
    const line = shape("path", { d, fill: "none", stroke: "#666", "stroke-width": 1 + 4 * Math.abs(edge.share), "stroke-dasharray": edge.residual ? "4 3" : "", "marker-end": "url(#arrow)" });
    const text = shape("text", { x: (from.x + to.x) / 2 + 4, y: (from.y + to.y) / 2, "font-size": 10, fill: "#444", "font-family": "sans-serif" });
    text.textContent = edge.text;
    return [line, text];
  }

  // ── looking at it ──

  function look() { drawing.setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`); }

  // Where the program starts, as a share of the drawing's width: the largest box of the first row, below which the layouts
  // draw the heaviest chain straight down.
  function start() {
    const whole = drawing.getBoundingClientRect(), view = drawing.viewBox.baseVal;
    const nodes = [...frame.querySelectorAll("g.node")].map((node) => node.getBoundingClientRect()).sort((a, b) => a.top - b.top);
    const first = nodes.filter(({ top }) => top < nodes[0].bottom).sort((a, b) => b.width * b.height - a.width * a.height)[0];
    const scale = Math.min(whole.width / view.width, whole.height / view.height); // all of it is on show, in the middle
    return first ? (first.left + first.width / 2 - whole.left - (whole.width - view.width * scale) / 2) / (view.width * scale) : 0.5;
  }

  // All of it where that can be read; of a larger drawing the top, where the program starts.
  function firstLook(view) {
    const { clientWidth: width, clientHeight: height } = frame;
    const scale = Math.min(width / view.width, height / view.height);
    if (scale >= SMALLEST) return { x: view.x, y: view.y, width: view.width, height: view.height };
    const least = view.x, most = view.x + Math.max(0, view.width - width / SMALLEST);
    const x = view.x + start() * view.width - width / SMALLEST / 2;
    return { x: view.width < width / SMALLEST ? view.x + (view.width - width / SMALLEST) / 2 : Math.min(most, Math.max(least, x)), y: view.y, width: width / SMALLEST, height: height / SMALLEST };
  }

  function zoom(factor, sx = 0.5, sy = 0.5) {
    const width = box.width / factor, height = box.height / factor;
    box = { x: box.x + (box.width - width) * sx, y: box.y + (box.height - height) * sy, width, height };
    look();
  }

  function listen() {
    let held = null, moved = false;
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      const area = frame.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 400), (event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height);
    }, { passive: false });
    frame.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY }; moved = false; });
    frame.addEventListener("pointermove", (event) => {
      if (!held || !event.buttons) return;
      const scale = Math.max(box.width / frame.clientWidth, box.height / frame.clientHeight);
      if (Math.hypot(event.clientX - held.x, event.clientY - held.y) < 3 && !moved) return;
      moved = true;
      box.x -= (event.clientX - held.x) * scale; box.y -= (event.clientY - held.y) * scale;
      held = { x: event.clientX, y: event.clientY };
      look();
    });
    frame.addEventListener("pointerup", () => { held = null; });
    frame.addEventListener("click", (event) => { if (!moved) choose(event.target.closest("g.node")); });
    frame.addEventListener("contextmenu", (event) => {
      const node = event.target.closest("g.node");
      if (node?.dataset.name) Conduit.page.openContext(event, node.dataset.name, [], node);
    });
    frame.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(event.target.closest("g.node")); }
      else if (event.key === "+") zoom(1.3);
      else if (event.key === "-") zoom(1 / 1.3);
    });
  }

  function choose(node) {
    if (!node?.dataset.name) return;
    pick(node.dataset.name, !selected.has(node.dataset.name));
    mark();
  }

  function mark() {
    for (const node of frame.querySelectorAll("g.node[data-name]")) {
      node.classList.toggle("picked", selected.has(node.dataset.name));
      node.setAttribute("aria-pressed", selected.has(node.dataset.name));
    }
  }

  // Labels that have one value would hang the same box on every function; the reader can ask for them.
  function constant(labels) {
    const { address, state, data } = Conduit.page;
    if (data.file || (!labels?.length && state.get("tags") !== "t")) return "";
    const shown = state.get("tags") === "t";
    return make("span", {}, shown ? "" : `Left out, since all samples have it: ${labels.join(", ")}. `, make("a", { href: address("graph", { tags: shown ? null : "t" }) }, shown ? "Leave out labels with one value" : "Show it"));
  }

  function draw(main, content) {
    names = content.names || {};
    if (!content.svg && !content.nodes?.length) { main.append(Conduit.page.empty("No function is left to draw.", Conduit.page.data.remedy)); return; }
    drawing = content.svg ? fromGraphviz(content.svg) : fromLayout(content);
    drawing.removeAttribute("width"); drawing.removeAttribute("height");
    drawing.setAttribute("role", "group"); drawing.setAttribute("aria-label", "Call graph");
    frame = make("div", { className: "graph" }, drawing);
    main.append(make("p", { className: "explain" }, content.note, " An arrow leads from a function to what it called; a bigger box did more itself. Drag to move, scroll to zoom, click to select.", constant(content.constantLabels)), frame);
    Conduit.page.restore(Object.values(names));
    mark();
    box = firstLook(drawing.viewBox.baseVal);
    look();
    listen();
  }

  function search(regexp) {
    let found = 0;
    for (const node of frame?.querySelectorAll("g.node") || []) {
      const hit = Boolean(regexp) && regexp.test(node.dataset.name || "");
      node.classList.toggle("hit", hit);
      found += hit;
    }
    Conduit.page.matched(regexp ? `${found} boxes` : "");
  }

  // The part on show, as a drawing of its own.
  function picture() {
    const copy = drawing.cloneNode(true);
    copy.setAttribute("xmlns", SVG);
    copy.setAttribute("width", frame.clientWidth); copy.setAttribute("height", frame.clientHeight);
    return { text: new XMLSerializer().serializeToString(copy), width: frame.clientWidth, height: frame.clientHeight };
  }

  return { draw, search, picture };
})();
