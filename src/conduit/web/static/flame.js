// The flame graph. Each box is a function in one context; a box's width is its share, the boxes below it are what it
// called, and the part of its width that nothing stands under is its own.
//
// The tree arrives as columns (parent, source, value of the samples that end there), parents before children.
// A box stands for a *group* of tree nodes with the same source, so that the normal picture (every group has one
// node) and the pivot (all the places of a function at once) are drawn by the same code. Groups are opened only as
// far as they are wide enough to see.
"use strict";

Conduit.page.views.flamegraph = (() => {
  const { make, data } = Conduit.page;
  const { amount, percent } = Conduit.units;
  const ROW = 20;
  const NARROWEST = 2.5; // pixels: a thinner box cannot be seen or hit
  const MOST_BOXES = 12000;

  let tree, groups, order, pivot, zoom, boxes, pattern, picked, area, detail, glow, separator, hits;
  let drawn, spellings; // key of a box → its element; source → the ways to write its name, longest first

  // ── the tree ──

  function readTree(content) {
    const count = content.parents.length;
    const total = new Float64Array(count), grown = new Float64Array(count), shrunk = new Float64Array(count);
    for (let n = 0; n < count; n += 1) {
      const value = content.values[n];
      total[n] = Math.abs(value);
      if (value >= 0) grown[n] = value; else shrunk[n] = -value;
      if (content.negatives) { shrunk[n] = content.negatives[n]; total[n] = grown[n] + shrunk[n]; }
    }
    const first = new Int32Array(count).fill(-1), next = new Int32Array(count).fill(-1);
    for (let n = count - 1; n > 0; n -= 1) {
      const parent = content.parents[n];
      total[parent] += total[n]; grown[parent] += grown[n]; shrunk[parent] += shrunk[n];
      next[n] = first[parent]; first[parent] = n;
    }
    return { ...content, count, total, grown, shrunk, first, next };
  }

  const differs = () => Boolean(tree.difference);

  function group(source, nodes) {
    let total = 0, grown = 0, shrunk = 0;
    for (const node of nodes) { total += tree.total[node]; grown += tree.grown[node]; shrunk += tree.shrunk[node]; }
    return { source, nodes, total, grown, shrunk };
  }

  function bySource(nodes) {
    const found = new Map();
    for (const node of nodes) {
      const list = found.get(tree.sources[node]);
      if (list) list.push(node); else found.set(tree.sources[node], [node]);
    }
    const made = [...found].map(([source, members]) => group(source, members));
    if (order === "recorded") return made;
    return made.sort((a, b) => b.total - a.total || (tree.names[a.source] < tree.names[b.source] ? -1 : 1));
  }

  function callees(parent) {
    const children = [];
    for (const node of parent.nodes) for (let child = tree.first[node]; child >= 0; child = tree.next[child]) children.push(child);
    return bySource(children);
  }

  // Callers of the pivot: the groups' nodes step towards the root, but the value stays that of the pivot's nodes.
  function callers(below) {
    const found = new Map();
    below.nodes.forEach((node, n) => {
      const parent = tree.parents[node];
      if (parent <= 0) return;
      const source = tree.sources[parent];
      let entry = found.get(source);
      if (!entry) found.set(source, (entry = { source, nodes: [], weights: [], total: 0, grown: 0, shrunk: 0 }));
      const weight = below.weights ? below.weights[n] : node;
      entry.nodes.push(parent); entry.weights.push(weight);
      entry.total += tree.total[weight]; entry.grown += tree.grown[weight]; entry.shrunk += tree.shrunk[weight];
    });
    return [...found.values()].sort((a, b) => b.total - a.total);
  }

  // Every outermost place of a function: a recursive one counts once.
  function placesOf(source) {
    const inside = new Uint8Array(tree.count), places = [];
    for (let n = 1; n < tree.count; n += 1) {
      if (inside[tree.parents[n]]) { inside[n] = 1; continue; }
      if (tree.sources[n] === source) { inside[n] = 1; places.push(n); }
    }
    return places;
  }

  // ── layout: boxes with x and width in shares of the picture ──

  function layOut() {
    const width = Math.max(area.clientWidth, 200), found = [];
    let deepest = 0, highest = 0, cut = false;
    const place = (one, x, share, row, kind) => {
      if (found.length >= MOST_BOXES) { cut = true; return false; }
      const left = (x - zoom.x) * zoom.scale, wide = share * zoom.scale;
      if (wide * width < NARROWEST || left > 1 || left + wide < 0) return false;
      found.push({ ...one, x, share, row, kind });
      return true;
    };
    const stack = [];
    const base = pivot === null ? group(0, [0]) : group(pivot, placesOf(pivot));
    const whole = base.total || 1;
    const open = (one, x, row, next, kind, step) => {
      if (place(one, x, one.total / whole, row, kind)) stack.push([one, x, row, next, kind, step]);
    };
    open(base, 0, 0, callees, pivot === null ? "root" : "pivot", 1);
    if (pivot !== null) stack.push([base, 0, 0, callers, "caller", -1]);
    while (stack.length) {
      const [one, start, row, next, kind, step] = stack.pop();
      deepest = Math.max(deepest, row); highest = Math.min(highest, row);
      let x = start;
      for (const child of next(one)) {
        open(child, x, row + step, next, kind === "caller" ? "caller" : "callee", step);
        x += child.total / whole;
      }
    }
    return { boxes: found, deepest, highest, cut, whole };
  }

  // ── drawing ──

  function hue(name) {
    const module = tree.modules[name];
    let hash = 2166136261;
    for (const letter of module) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
    return ((hash >>> 0) % 360);
  }

  function label(source, pixels) {
    const room = Math.floor((pixels - 8) / 6.6);
    if (room < 3) return "";
    let texts = spellings.get(source);
    if (!texts) spellings.set(source, (texts = shorter(nameOf(source))));
    for (const text of texts) if (text.length <= room) return text;
    return `${texts.at(-1).slice(0, room - 1)}…`;
  }

  // A long name loses its package first: `a.b.Class.method` → `Class.method` → `method`.
  function shorter(name) {
    const parts = name.split(/\.(?![^<(]*[>)])|::/);
    const last = name.split("/").at(-1);
    return [name, last, parts.slice(-2).join("."), parts.at(-1)];
  }

  const nameOf = (source) => (source === 0 ? "all" : tree.names[source]);

  function describe(box) {
    const share = `${amount(box.total, tree.amounts)} (${percent(box.total, tree.total[0])})`;
    if (!differs()) return share;
    if (!tree.hasBase) {
      const net = box.grown - box.shrunk;
      return `${net < 0 ? "−" : "+"}${amount(Math.abs(net), tree.amounts)}`;
    }
    const after = amount(box.grown, tree.amounts), before = amount(box.shrunk, tree.amounts);
    const change = box.shrunk ? `, ${box.grown >= box.shrunk ? "+" : "−"}${Math.round((100 * Math.abs(box.grown - box.shrunk)) / box.shrunk)}%` : ", new";
    return `${before} → ${after}${change}`;
  }

  function own(box) {
    if (box.kind === "caller") return 0;
    let rest = box.total;
    for (const node of box.nodes) for (let child = tree.first[node]; child >= 0; child = tree.next[child]) rest -= tree.total[child];
    return rest;
  }

  // While the picture only moves, a box keeps its element: what a wheel's notch changes is where it stands.
  function drawBox(box, width, top) {
    const left = Math.max(0, (box.x - zoom.x) * zoom.scale), right = Math.min(1, (box.x + box.share - zoom.x) * zoom.scale);
    const pixels = (right - left) * width;
    const key = `${box.kind} ${box.row} ${box.nodes[0]}`;
    const kept = drawn.get(key);
    const element = kept || makeBox(box);
    box.left = left * width; box.width = Math.max(1, pixels - 1); box.top = (box.row + top) * ROW;
    element.style.left = `${box.left}px`;
    element.style.width = `${box.width}px`;
    element.style.top = `${box.top}px`;
    write(element, label(box.source, pixels));
    box.element = element;
    element.box = box;
    return [key, element];
  }

  function write(element, text) {
    const span = element.querySelector(".text");
    if (!text) span?.remove();
    else if (!span) element.append(make("span", { className: "text" }, text));
    else if (span.textContent !== text) span.textContent = text;
  }

  function makeBox(box) {
    const element = make("button", { type: "button", className: "box", tabIndex: -1 });
    element.setAttribute("aria-label", `${nameOf(box.source)}: ${describe(box)}`);
    if (box.source === 0) element.classList.add("root");
    else if (differs()) element.classList.add("diff");
    else element.style.setProperty("--hue", hue(box.source));
    if (box.kind === "pivot") element.classList.add("pivot");
    if (differs() && box.source !== 0) element.append(drawDelta(box));
    return element;
  }

  // The coloured part is the net change's share of the box.
  function drawDelta(box) {
    const delta = make("span", { className: `delta ${box.grown >= box.shrunk ? "grew" : "shrank"}` });
    delta.style.width = `${(100 * Math.abs(box.grown - box.shrunk)) / (box.total || 1)}%`;
    return delta;
  }

  function clear() {
    drawn = new Map();
    area.replaceChildren(glow);
  }

  function redraw() {
    const width = area.clientWidth;
    const laid = layOut();
    boxes = laid.boxes;
    const top = -laid.highest + (pivot === null ? 0 : 1);
    const now = new Map(boxes.map((box) => drawBox(box, width, box.kind === "caller" ? top - 1 : top)));
    for (const [key, element] of drawn) if (!now.has(key)) element.remove();
    const elements = [...now].filter(([key]) => !drawn.has(key)).map(([, element]) => element);
    drawn = now;
    separator?.remove();
    if (pivot !== null) {
      separator = make("div", { className: "separator" }, `${describe(boxes[0])} of ${amount(tree.total[0], tree.amounts)} — callers above, callees below`);
      separator.style.top = `${(top - 1) * ROW}px`;
      elements.push(separator);
    }
    area.style.height = `${(laid.deepest + top + 1) * ROW}px`;
    glow.before(...elements);
    if (boxes[0]) boxes[0].element.tabIndex = 0;
    area.dataset.cut = laid.cut ? "yes" : "";
    markHits();
    point(null);
  }

  function showDetail(box) {
    const one = box || boxes[0];
    if (!one) return;
    detail.firstElementChild.textContent = nameOf(one.source) + (tree.files[one.source] ? `  ${tree.files[one.source]}` : "");
    const self = own(one);
    detail.lastElementChild.textContent = (self > 0 && !differs() ? `self ${amount(self, tree.amounts)} │ ` : "") + describe(one);
  }

  // One sheet that moves over the box under the pointer. A box that changed itself would have thousands painted again.
  function point(box) {
    showDetail(box);
    glow.style.transform = box ? `translate(${box.left}px, ${box.top}px) scaleX(${box.width})` : "scaleX(0)";
  }

  // ── search ──

  function markHits() {
    area.classList.toggle("searching", Boolean(pattern));
    for (const box of boxes) box.element.classList.toggle("hit", Boolean(pattern) && box.source !== 0 && hits[box.source] === 1);
  }

  // The share of all samples that have a match anywhere on their stack: each counts once.
  function matchedTotal() {
    let sum = 0;
    const inside = new Uint8Array(tree.count);
    for (let n = 1; n < tree.count; n += 1) {
      if (inside[tree.parents[n]]) inside[n] = 1;
      else if (hits[tree.sources[n]]) { inside[n] = 1; sum += tree.total[n]; }
    }
    return sum;
  }

  function search(regexp) {
    pattern = regexp;
    hits = Uint8Array.from(tree.names, (name) => (regexp && regexp.test(name) ? 1 : 0));
    markHits();
    Conduit.page.matched(regexp ? `${percent(matchedTotal(), tree.total[0])} matched` : "");
  }

  function enter() {
    const widest = boxes.filter((box) => box.source !== 0 && hits[box.source]).sort((a, b) => b.total - a.total)[0];
    if (!widest) return false;
    pivotOn(widest.source);
    return true;
  }

  // ── moving ──

  function pivotOn(source) {
    pivot = source === 0 ? null : source;
    clear();
    zoom = { x: 0, scale: 1 };
    Conduit.page.note({ p: pivot === null ? null : Conduit.page.exactly([tree.names[source]]) });
    redraw();
    document.querySelector(".box.pivot, .box.root")?.focus({ preventScroll: true });
  }

  function zoomAt(share, factor) {
    const scale = Math.min(4000, Math.max(1, zoom.scale * factor));
    const fixed = zoom.x + share / zoom.scale;
    zoom = { scale, x: Math.min(1 - 1 / scale, Math.max(0, fixed - share / scale)) };
    schedule();
  }

  let waiting = 0;
  function schedule() { if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; redraw(); }); }

  const boxAt = (event) => event.target.closest?.(".box")?.box;

  function onKey(event) {
    const here = boxAt(event);
    if (!here) return;
    if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      const { left, top } = here.element.getBoundingClientRect();
      openMenu(Object.assign(event, {}), here, left, top);
      return;
    }
    if (event.key === "+" || event.key === "-") { zoomAt(0.5, event.key === "+" ? 1.5 : 1 / 1.5); return; }
    const target = neighbour(here, event.key);
    if (!target) return;
    event.preventDefault();
    target.element.focus();
  }

  function neighbour(here, key) {
    const middle = here.x + here.share / 2;
    if (key === "ArrowDown" || key === "ArrowUp") {
      const row = here.row + (key === "ArrowDown" ? 1 : -1);
      const candidates = boxes.filter((box) => box.row === row);
      const covering = candidates.find((box) => box.x <= middle && middle <= box.x + box.share);
      return covering || candidates.filter((box) => box.x >= here.x && box.x < here.x + here.share).sort((a, b) => b.total - a.total)[0];
    }
    const level = boxes.filter((box) => box.row === here.row).sort((a, b) => a.x - b.x);
    const at = level.indexOf(here);
    return key === "ArrowRight" ? level[at + 1] : key === "ArrowLeft" ? level[at - 1] : null;
  }

  function openMenu(event, box, x, y) {
    if (!box || box.source === 0) return;
    const position = { preventDefault: () => event.preventDefault(), clientX: x, clientY: y };
    Conduit.page.openContext(position, tree.names[box.source].replace(/:\d+$/, ""), [["Pivot here", () => pivotOn(box.source)]]);
  }

  function listen() {
    area.addEventListener("click", (event) => { const box = boxAt(event); if (box) pivotOn(box.source); });
    area.addEventListener("contextmenu", (event) => openMenu(event, boxAt(event), event.clientX, event.clientY));
    area.addEventListener("mouseover", (event) => point(boxAt(event)));
    area.addEventListener("mouseleave", () => point(null));
    area.addEventListener("focusin", (event) => showDetail(boxAt(event)));
    area.addEventListener("keydown", onKey);
    area.addEventListener("wheel", (event) => {
      if (event.shiftKey) return;
      event.preventDefault();
      const box = area.getBoundingClientRect();
      zoomAt((event.clientX - box.left) / box.width, Math.exp(-event.deltaY / 300));
    }, { passive: false });
  }

  let resize = null;

  function draw(main, content) {
    if (!content.values.length || !content.total) {
      main.append(Conduit.page.empty("No samples to draw.", data.remedy));
      return;
    }
    tree = readTree(content);
    order = Conduit.page.state.get("order") || "heavy";
    pivot = pivotFromAddress();
    zoom = { x: 0, scale: 1 };
    picked = null; pattern = null; hits = new Uint8Array(tree.names.length);
    detail = make("div", { className: "detail" }, make("span", { className: "name" }), make("span", { className: "numbers" }));
    area = make("div", { className: "flame", role: "group", "aria-label": "Flame graph" });
    glow = make("div", { className: "glow" });
    main.append(explain(content), detail, area);
    spellings = new Map();
    clear();
    listen();
    redraw();
    resize?.disconnect();
    let width = area.clientWidth;
    resize = new ResizeObserver(() => { if (area.clientWidth !== width) { width = area.clientWidth; schedule(); } });
    resize.observe(area);
  }

  function pivotFromAddress() {
    const wanted = Conduit.page.state.get("p");
    if (!wanted) return null;
    let regexp;
    try { regexp = new RegExp(wanted); } catch { return null; }
    const source = tree.names.findIndex((name, n) => n > 0 && regexp.test(name));
    return source > 0 ? source : null;
  }

  function explain(content) {
    const width = content.difference
      ? "its width is how much it changed or held in all, the part in red is what it grew by, in green what it shrank by"
      : `its width is its share of ${content.type}`;
    const text = make("p", { className: "explain" },
      `Each box is a function: ${width}; below it stands what it called. `,
      order === "heavy" ? "Left is heavier, not earlier. " : "Boxes stand in the order of the file. ",
      "Click a box for its callers and callees, scroll to zoom (with Shift: to move), right-click for more; ",
      make("kbd", {}, "/"), " searches, ", make("kbd", {}, "Esc"), " goes back. ");
    const other = order === "heavy" ? ["recorded", "Order of the file"] : ["heavy", "Heaviest first"];
    text.append(make("a", { href: Conduit.page.address("flamegraph", { order: other[0] === "heavy" ? null : other[0] }) }, other[1]));
    if (content.pruned) {
      text.append(make("span", { className: "pruned" }, ` ${content.pruned.nodes} boxes under ${percent(content.pruned.below, content.total)}, and what stands below them, are left out of this picture; focus on a function to see its own.`));
    }
    return text;
  }

  function escape() {
    if (zoom.scale > 1) { zoom = { x: 0, scale: 1 }; redraw(); }
    else if (pivot !== null) pivotOn(0);
  }

  return { draw, search, enter, escape };
})();
