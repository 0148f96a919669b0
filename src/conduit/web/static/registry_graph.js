// The Graph view: a resource and its neighbours, grown and shrunk by click, never all at once.
"use strict";

Conduit.registry.views.graph = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SMALLEST = 0.15, LARGEST = 3; // pixels for a unit of the drawing
  const Model = Conduit.registryGraphModel, Layout = Conduit.registryGraphLayout, Picture = Conduit.registryGraphPicture;
  const COLUMNS = { none: "Names", keys: "Keys", all: "All fields" };
  let graph = null, layout = null, look = null, now = null;

  // ── what the address says ──

  function read(state) {
    graph ??= Model.createGraph(Conduit.registry.model);
    const name = graph.has(state.get("name")) ? state.get("name") : "";
    const from = graph.has(state.get("from")) ? state.get("from") : "", to = graph.has(state.get("to")) ? state.get("to") : "";
    const ways = from && to ? Model.paths(graph, from, to) : { found: [], complete: true };
    const way = ways.found[Number(state.get("way")) || 0] || ways.found[0] || [];
    let shown = Model.read(graph, state.get("show"));
    let left = 0;
    if (!shown.length && name) ({ shown, left } = Model.grown(graph, [name], name));
    else if (name && !shown.includes(name)) ({ shown, left } = Model.added(shown, [name]));
    if (way.length) ({ shown, left } = Model.added(shown.length ? shown : [], way));
    const columns = Object.hasOwn(COLUMNS, state.get("columns")) ? state.get("columns") : "keys";
    return { name: name || way[0] || shown[0] || "", shown, left, columns, from, to, ways, way };
  }

  function go(changes, options) { Conduit.registry.setState(changes, options); }
  const show = (shown, more = {}) => go({ show: Model.written(shown), ...more });

  // A click on a box shows its next neighbours; where all are shown, it takes away what came with the box.
  function toggle(name) {
    const { shown } = now;
    if (Model.hidden(graph, shown, name).length) {
      const grown = Model.grown(graph, shown, name);
      if (grown.shown.length === shown.length) { say(`${Model.MOST} boxes are as many as can be read: remove some, or choose "Only this".`); return; }
      show(grown.shown, { name });
    } else if (now.name !== name || !Model.branch(graph, shown, name).size) go({ name, show: Model.written(shown) });
    else show(Model.shrunk(graph, shown, name), { name });
  }

  const remove = (name) => { const rest = Model.without(graph, now.shown, name); if (rest.length < now.shown.length) show(rest, { name: rest[0], from: null, to: null, way: null }); };
  const only = (name) => show(Model.grown(graph, [name], name).shown, { name, from: null, to: null, way: null });
  const collapse = (name) => show(Model.shrunk(graph, now.shown, name), { name });
  const say = (text) => { const note = document.getElementById("graph-note"); if (note) note.textContent = text; };

  function cascade(name) {
    const reached = Conduit.registry.model.deletion(name).filter((one) => one.onDelete === "cascade").map((one) => one.resource);
    const { shown, left } = Model.added([name], reached.filter(graph.has));
    show(shown, { name, from: null, to: null, way: null });
    if (!reached.length) say(`Deleting a row of ${name} deletes no other rows.`);
    else if (left) say(`${left} more resources lose rows; the picture has room for ${Model.MOST}.`);
  }

  // ── the picture ──

  function arrange() {
    const wanted = now.shown.map((name) => ({ name, app: graph.appOf(name), ...Picture.size(name, graph.columns(name, now.columns), Layout.WIDEST) }));
    const known = layout && now.shown.some((name) => layout.boxes.has(name));
    if (!known) { layout = Layout.create(); look = null; }
    const before = new Set(layout.boxes.keys());
    Layout.update(layout, wanted, graph.sideOf);
    return now.shown.filter((name) => !before.has(name));
  }

  // Groups of shapes, back to front: frames, lines, boxes.
  function scene() {
    const hueOf = Picture.hues(graph.names.map(graph.appOf));
    const boxOf = (name) => { const box = layout.boxes.get(name); return { ...box, x: Layout.left(box) }; };
    const lines = graph.drawn(now.shown, now.name);
    const ports = Picture.ports(lines, boxOf);
    const texts = Picture.texts(lines, ports);
    const onWay = new Set(now.way.slice(1).flatMap((name, at) => [`${now.way[at]}\n${name}`, `${name}\n${now.way[at]}`]));
    const groups = [{ kind: "frames", shapes: Picture.frames(Layout.clusters(layout), hueOf) }];
    lines.forEach((line, number) => {
      const strong = onWay.has(`${line.start}\n${line.end}`);
      const touches = line.start === now.name || line.end === now.name;
      groups.push({ kind: "line", line, strong, touches, title: `${line.start}.${line.text} → ${line.end}`, shapes: Picture.lineShapes(line, ports[number], { strong, faded: Boolean(now.way.length) && !strong, text: texts[number] }) });
    });
    for (const name of now.shown) {
      const more = Model.hidden(graph, now.shown, name).length;
      const opened = !more && Model.branch(graph, now.shown, name).size > 0;
      const drawn = Picture.box(boxOf(name), { columns: graph.columns(name, now.columns), hue: hueOf.get(graph.appOf(name)), more, opened, first: name === now.shown[0], picked: name === now.name, onPath: now.way.includes(name) });
      groups.push({ kind: "box", name, more, opened, ...drawn });
    }
    return groups;
  }

  function element(tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, typeof value === "string" && value.startsWith("@") ? `var(--${value.slice(1)})` : value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function drawing(groups) {
    const svg = element("svg", { id: "graph-drawing", role: "group", "aria-label": "Graph of resources" });
    for (const group of groups) {
      const made = element("g", { class: group.kind === "box" ? "node" : group.kind });
      if (group.kind === "line") {
        made.append(element("title", {}, group.title));
        made.dataset.start = group.line.start; made.dataset.end = group.line.end;
        if (group.line.onDelete) made.dataset.onDelete = group.line.onDelete;
        if (group.line.inCycle) made.classList.add("cyclic");
        if (group.strong) made.classList.add("way");
      }
      if (group.kind === "box") {
        made.id = `graph-box-${graph.order.get(group.name)}`;
        made.dataset.name = group.name;
        made.setAttribute("tabindex", 0);
        made.setAttribute("role", "button"); // its text is its name
        made.setAttribute("aria-description", `${group.title}: ${group.more ? `${group.more} neighbours not shown` : group.opened ? "all neighbours shown" : "no other neighbours"}`);
        if (group.more || group.opened) made.setAttribute("aria-expanded", String(!group.more));
        if (group.name === now.name) made.classList.add("picked");
      }
      made.append(...group.shapes.map(([tag, attributes, text]) => element(tag, attributes, text)));
      svg.append(made);
    }
    return svg;
  }

  // ── looking at it ──

  // The drawing is twice as large as its frame. While it is moved or zoomed, the browser moves what it has painted, and
  // paints again when the hand rests: painting takes several frames' time.
  const SETTLE_MS = 140, PAINT_MS = 110; // until it is painted after the last move; the least time between two paintings
  const svg = () => document.getElementById("graph-drawing");
  let size = { width: 50, height: 50 }, painted = null, paintedAt = 0, resting = 0;

  function measure() {
    const { clientWidth, clientHeight } = svg().parentElement;
    size = { width: Math.max(clientWidth, 50), height: Math.max(clientHeight, 50) };
  }

  const frameSize = () => size;

  function paint() {
    window.clearTimeout(resting);
    if (!svg()) return;
    const { width, height } = size, { x, y, scale } = look;
    painted = { ...look };
    paintedAt = performance.now();
    svg().setAttribute("viewBox", `${x - width / scale / 2} ${y - height / scale / 2} ${(2 * width) / scale} ${(2 * height) / scale}`);
    svg().style.transform = "";
  }

  function apply() {
    const { width, height } = size, ratio = look.scale / painted.scale;
    const dx = look.scale * (painted.x - look.x), dy = look.scale * (painted.y - look.y);
    // Past the painted edge, or too coarse: paint, but not in every frame, since a bare edge for a moment is better than
    // a picture that stands still.
    const inside = dx - (ratio * width) / 2 < 1 && dx + 1.5 * ratio * width > width - 1 && dy - (ratio * height) / 2 < 1 && dy + 1.5 * ratio * height > height - 1;
    const isDue = !inside || ratio > 2.5;
    if (isDue && performance.now() - paintedAt > PAINT_MS) { paint(); return; }
    svg().style.transform = `translate(${((1 - ratio) * width) / 2 + dx}px, ${((1 - ratio) * height) / 2 + dy}px) scale(${ratio})`;
    window.clearTimeout(resting);
    resting = window.setTimeout(paint, isDue ? PAINT_MS : SETTLE_MS);
  }

  function fit(smallest = SMALLEST) {
    const area = Layout.extent(layout), { width, height } = frameSize();
    const scale = Math.max(smallest, Math.min(1.1, width / area.width, height / area.height));
    look = { scale, x: area.x + (area.width - width / scale) / 2, y: area.y + (area.height - height / scale) / 2 };
  }

  // Of a picture that is too large to be read as a whole, the part around its first box.
  function firstLook() {
    fit();
    if (look.scale >= 0.5) return;
    const box = layout.boxes.get(now.name) || [...layout.boxes.values()][0], { width, height } = frameSize();
    look = { scale: 0.6, x: box.column * Layout.PITCH - width / 1.2, y: box.y + box.height / 2 - height / 1.2 };
  }

  // New boxes out of sight: the view is widened just enough, the picture itself does not move.
  function include(names) {
    const { width, height } = frameSize();
    let left = look.x, top = look.y, right = look.x + width / look.scale, bottom = look.y + height / look.scale;
    for (const name of names) {
      const box = layout.boxes.get(name), x = Layout.left(box);
      left = Math.min(left, x - 20); right = Math.max(right, x + box.width + 20);
      top = Math.min(top, box.y - 34); bottom = Math.max(bottom, box.y + box.height + 20);
    }
    const scale = Math.min(look.scale, width / (right - left), height / (bottom - top));
    if (scale === look.scale && left === look.x && top === look.y) return;
    look = { scale: Math.max(scale, 0.3), x: left, y: top };
  }

  function zoom(factor, sx = 0.5, sy = 0.5) {
    const { width, height } = frameSize();
    const scale = Math.min(LARGEST, Math.max(SMALLEST, look.scale * factor));
    look = { scale, x: look.x + (width / look.scale - width / scale) * sx, y: look.y + (height / look.scale - height / scale) * sy };
    apply();
  }

  function pan(dx, dy) { look.x += dx / look.scale; look.y += dy / look.scale; apply(); }

  function listen(frame) {
    const held = new Map();
    let moved = false, apart = 0;
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      const area = frame.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 400), (event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height);
    }, { passive: false });
    frame.addEventListener("pointerdown", (event) => { if (!held.size) moved = false; held.set(event.pointerId, event); apart = 0; });
    frame.addEventListener("pointermove", (event) => {
      const last = held.get(event.pointerId);
      if (!last || !event.buttons) return;
      if (!moved && Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) < 4) return;
      moved = true;
      if (held.size === 2) {
        held.set(event.pointerId, event);
        const [one, other] = [...held.values()];
        const distance = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        if (apart) zoom(distance / apart);
        apart = distance;
        return;
      }
      pan(last.clientX - event.clientX, last.clientY - event.clientY);
      held.set(event.pointerId, event);
      frame.classList.add("dragging");
    });
    const release = (event) => { held.delete(event.pointerId); frame.classList.remove("dragging"); };
    frame.addEventListener("pointerup", release);
    frame.addEventListener("pointerleave", release);
    frame.addEventListener("pointercancel", release);
    frame.addEventListener("click", (event) => {
      const name = event.target.closest("g.node")?.dataset.name;
      if (moved || !name) return;
      if (event.shiftKey && name !== now.name) go({ from: now.name, to: name, way: null, name, show: Model.written(now.shown) });
      else toggle(name);
    });
    frame.addEventListener("keydown", onKey);
    new ResizeObserver(() => { if (frame.isConnected && look) { measure(); paint(); } }).observe(frame);
  }

  const focused = () => document.activeElement?.closest?.("g.node")?.dataset.name || now.name;

  function onKey(event) {
    if (event.key === "Enter" || event.key === " ") {
      const name = event.target.closest("g.node")?.dataset.name;
      if (name) { event.preventDefault(); event.stopPropagation(); toggle(name); }
    }
  }

  // The arrow keys lead to the nearest box in their direction; with Shift they move the picture.
  function arrow(dx, dy) {
    return (event) => {
      if (!now?.shown.length) return;
      if (event.shiftKey) { pan(dx * 80, dy * 80); return; }
      const at = layout.boxes.get(focused());
      const middle = (box) => [box.column * Layout.PITCH, box.y + box.height / 2];
      const [x, y] = middle(at);
      let best = null;
      for (const box of layout.boxes.values()) {
        const [bx, by] = middle(box), along = (bx - x) * dx + (by - y) * dy, across = Math.abs((bx - x) * dy + (by - y) * dx);
        if (box === at || along <= 0) continue;
        const cost = along + across * 2;
        if (!best || cost < best.cost) best = { cost, name: box.name };
      }
      if (!best) return;
      include([best.name]);
      apply();
      document.getElementById(`graph-box-${graph.order.get(best.name)}`).focus();
    };
  }

  const keys = {
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => { fit(); apply(); },
    ArrowLeft: arrow(-1, 0), ArrowRight: arrow(1, 0), ArrowUp: arrow(0, -1), ArrowDown: arrow(0, 1),
    o: () => { window.location.hash = Conduit.registry.addressOf("resource", { name: focused() }); },
    x: () => remove(focused()), Delete: () => remove(focused()),
  };

  // ── files ──

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["ground", "panel", "line", "ink", "faint", "accent", "grew", "mark"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  const picture = () => Picture.svgOf(Layout.extent(layout), `Resources around ${now.name}`, scene(), colours());

  function saveText(text, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = name;
    link.click();
  }

  function saves(make) {
    const { picture: pictured, toMermaid, toDot } = Conduit.registryGraphExport;
    const name = now.name.replace(/[^\w.-]+/g, "_");
    const ways = {
      SVG: () => Conduit.exporting.saveSvg(picture(), `${name}.svg`),
      PNG: () => Conduit.exporting.savePng(picture(), `${name}.png`),
      Mermaid: () => saveText(toMermaid(pictured(graph, now.shown, now.columns)), `${name}.mmd`),
      DOT: () => saveText(toDot(pictured(graph, now.shown, now.columns)), `${name}.dot`),
    };
    return make("span", { className: "scales", role: "group", "aria-label": "Save the picture" }, "Save ",
      Object.entries(ways).map(([text, save]) => make("button", { type: "button", className: "actions", onclick: save }, text)));
  }

  // ── the controls ──

  function names(make) {
    return make("datalist", { id: "graph-names" }, graph.names.map((name) => make("option", { value: name })));
  }

  function field(make, label, id, value, choose) {
    const input = make("input", { id, value, autocomplete: "off", spellcheck: false });
    input.setAttribute("list", "graph-names");
    const chosen = () => { if (graph.has(input.value)) choose(input.value); else if (!input.value && value) choose(null); };
    input.addEventListener("change", chosen);
    return make("label", {}, `${label} `, input);
  }

  function controls(make, link) {
    const { name, columns } = now;
    const button = (text, act, title) => make("button", { type: "button", className: "actions", onclick: act, title }, text);
    const selected = make("span", { className: "scales", role: "group", "aria-label": `Selected: ${name}` }, make("strong", {}, link("resource", name)),
      button("Only this", () => only(name), "this resource and its neighbours"),
      button("Shrink", () => collapse(name), "take away what came with this resource"),
      now.shown[0] === name ? null : button("Remove", () => remove(name), "x"),
      button("Cascades", () => cascade(name), "everything that loses rows when a row of this resource is deleted"));
    const sizes = make("span", { className: "scales", role: "group", "aria-label": "Fields" }, Object.entries(COLUMNS).map(([key, text]) =>
      make("button", { type: "button", id: `graph-columns-${key}`, className: "key switch", "aria-pressed": String(key === columns), onclick: () => go({ columns: key, name, show: Model.written(now.shown) }) }, text)));
    const looks = make("span", { className: "scales", role: "group", "aria-label": "Zoom" },
      button("−", () => zoom(0.8), "zoom out: -"), button("+", () => zoom(1.25), "zoom in: +"), button("Fit", () => { fit(); apply(); }, "all of it: 0"));
    const path = make("span", { className: "scales graph-path" },
      field(make, "Path from", "graph-from", now.from || name, (from) => go({ from, to: now.to || null, way: null, show: Model.written(now.shown) })),
      field(make, "to", "graph-to", now.to, (to) => go({ from: now.from || name, to, way: null, show: Model.written(now.shown) })));
    return make("div", { className: "controls" }, selected, sizes, looks, path, saves(make), names(make));
  }

  function ways(make, address) {
    if (!now.from || !now.to) return null;
    if (!now.ways.found.length) return make("p", { className: "explain" }, now.from === now.to ? "Both are the same resource." : `${now.from} is not connected with ${now.to}.`);
    return make("ol", { className: "ways", "aria-label": `Paths from ${now.from} to ${now.to}` },
      now.ways.found.map((names_, number) => make("li", {}, make("a", { href: address({ way: number || null }), "aria-current": names_ === now.way ? "true" : null }, names_.join(" → ")))),
      make("li", { className: "none" }, make("a", { href: address({ from: null, to: null, way: null, show: Model.written(now.shown) }) }, "no path")));
  }

  function cycles(make, address) {
    if (!graph.cycles.length) return make("p", {}, "No resources depend on each other in a cycle.");
    return make("ul", { className: "ways" }, graph.cycles.map(({ path }) =>
      make("li", {}, make("a", { href: address({ view: "graph", name: path[0], show: Model.written([...new Set(path)]) }) }, path.join(" → ")))));
  }

  // Without a resource: where to begin.
  function begin(main, { make, address, counted }) {
    const most = graph.byDegree().filter((name) => graph.degree(name)).slice(0, 24);
    main.append(make("p", { className: "explain" }, "The graph begins with one resource and grows by click. Choose one here or in Find."));
    if (!most.length) { main.append(make("p", {}, "No resource is related to another one.")); return; }
    main.append(make("h2", {}, "Most connected"), make("div", { className: "tiles" }, most.map((name) =>
      make("a", { className: "tile", href: address({ view: "graph", name }) }, make("span", { className: "tile-name" }, name),
        make("span", { className: "tile-facts" }, [graph.appOf(name), counted(graph.degree(name), "neighbour")].filter(Boolean).join(", "))))),
      make("h2", {}, "Cycles"), cycles(make, address));
  }

  function draw(main, state, registry) {
    const { make, link, address } = registry;
    now = read(state);
    if (!now.shown.length) { layout = null; begin(main, registry); return; }
    const added = arrange();
    const frame = make("div", { className: "registry-graph", tabIndex: 0, role: "region", "aria-label": "Graph" });
    frame.append(drawing(scene()));
    const total = graph.drawn(now.shown, now.name).length;
    main.append(controls(make, link), ways(make, address) || "",
      make("p", { className: "explain" },
        make("span", {}, `${registry.counted(now.shown.length, "resource")}, ${registry.counted(total, "line")}`),
        make("span", {}, make("span", { className: "swatch graph-cascade" }), "deleted with it"),
        make("span", {}, make("span", { className: "swatch graph-cycle" }), "part of a cycle"),
        make("details", { className: "help" }, make("summary", { title: "Help", "aria-label": "Help" }, "?"),
          make("p", {}, "Click a box to show its neighbours, again to take them away. What it depends on stands to its right. Shift and click: the path from the selected box. Drag to move, scroll to zoom."),
          make("p", {}, make("kbd", {}, "arrows"), " next box, with Shift move, ", make("kbd", {}, "Enter"), " open or close, ", make("kbd", {}, "+ − 0"), " zoom, ", make("kbd", {}, "o"), " all about it, ", make("kbd", {}, "x"), " remove")),
        make("output", { id: "graph-note" }, now.left ? `${now.left} more do not fit: ${Model.MOST} boxes are as many as can be read.` : "")),
      frame);
    measure();
    if (!look) firstLook();
    else if (added.length) include(added);
    paint();
    listen(frame);
  }

  return { title: "Graph", order: 40, draw, keys, shows: (model) => model.resources.length > 0 };
})();
