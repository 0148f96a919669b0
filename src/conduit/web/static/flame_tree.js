// The flame graph's tree and its layout: no drawing, no page.
//
// The tree arrives as columns (parent, source, value of the samples that end there), parents before children. A box
// stands for a *group* of tree nodes with the same source, so that the normal picture (every group has one node) and the
// pivot (all occurrences of a function at once) are laid out by the same code. Groups are opened only as far as they
// are wide enough to see.
"use strict";

globalThis.Conduit ??= {};

Conduit.flameTree = (() => {
  const NARROWEST = 0.7; // pixels: a thinner box cannot be seen
  const MAX_BOXES = 40000;

  function read(content) {
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
    const hidden = new Map((content.hidden || []).map(([node, boxes, value]) => [node, { boxes, value }]));
    return { ...content, count, total, grown, shrunk, first, next, hidden };
  }

  function group(tree, source, nodes) {
    let total = 0, grown = 0, shrunk = 0;
    let weight = 0; // what decides the order: two sides of a comparison have one order
    for (const node of nodes) { weight += (tree.weight || tree.total)[node]; total += tree.total[node]; grown += tree.grown[node]; shrunk += tree.shrunk[node]; }
    return { source, nodes, total, grown, shrunk, weight };
  }

  function callees(tree, parent, order) {
    if (tree.inOrder && parent.nodes.length === 1) { // one after the other: what comes again later is another box
      const made = [];
      for (let child = tree.first[parent.nodes[0]]; child >= 0; child = tree.next[child]) made.push(group(tree, tree.sources[child], [child]));
      return made;
    }
    const found = new Map();
    for (const node of parent.nodes) {
      for (let child = tree.first[node]; child >= 0; child = tree.next[child]) {
        const list = found.get(tree.sources[child]);
        if (list) list.push(child); else found.set(tree.sources[child], [child]);
      }
    }
    const made = [...found].map(([source, members]) => group(tree, source, members));
    if (order === "recorded") return made;
    return made.sort((a, b) => b.weight - a.weight || (tree.names[a.source] < tree.names[b.source] ? -1 : 1));
  }

  // Callers of the pivot: the groups' nodes step towards the root, but the value stays that of the pivot's nodes.
  function callers(tree, below) {
    const found = new Map();
    below.nodes.forEach((node, n) => {
      const parent = tree.parents[node];
      if (parent <= 0) return;
      const source = tree.sources[parent];
      let entry = found.get(source);
      if (!entry) found.set(source, (entry = { source, nodes: [], weights: [], total: 0, grown: 0, shrunk: 0, weight: 0 }));
      const weight = below.weights ? below.weights[n] : node;
      entry.nodes.push(parent); entry.weights.push(weight);
      entry.weight += (tree.weight || tree.total)[weight];
      entry.total += tree.total[weight]; entry.grown += tree.grown[weight]; entry.shrunk += tree.shrunk[weight];
    });
    return [...found.values()].sort((a, b) => b.weight - a.weight);
  }

  // Every outermost occurrence of a function: a recursive one counts once.
  function occurrences(tree, source) {
    const inside = new Uint8Array(tree.count), nodes = [];
    for (let n = 1; n < tree.count; n += 1) {
      if (inside[tree.parents[n]]) { inside[n] = 1; continue; }
      if (tree.sources[n] === source) { inside[n] = 1; nodes.push(n); }
    }
    return nodes;
  }

  // The totals of several functions, each by its outermost occurrences. A map: source → total.
  function wholes(tree, sources) {
    const sums = new Map(sources.map((source) => [source, 0]));
    if (!sources.length) return sums;
    const above = new Array(tree.count).fill(null); // the wanted functions on the way to each node, innermost first
    for (let n = 1; n < tree.count; n += 1) {
      const source = tree.sources[n], before = above[tree.parents[n]];
      above[n] = before;
      if (!sums.has(source)) continue;
      let one = before;
      while (one && one.source !== source) one = one.before;
      if (one) continue;
      sums.set(source, sums.get(source) + tree.total[n]);
      above[n] = { source, before };
    }
    return sums;
  }

  // One side of a comparison as a tree of its own: "grown" is after, "shrunk" before. The order is that of both.
  function side(tree, which) {
    const zeros = new Float64Array(tree.count);
    return { ...tree, total: tree[which], grown: tree[which], shrunk: zeros, weight: tree.total, difference: false, hidden: new Map() };
  }

  // The total of a picture: that of all, or of all occurrences of its pivot.
  function wholeOf(tree, pivot) {
    return (pivot === null ? [0] : occurrences(tree, pivot)).reduce((sum, node) => sum + tree.total[node], 0);
  }

  // Two layouts as one, whose boxes know which picture (`pane`) they stand in.
  function inStep(layouts) {
    const rows = new Map(), panes = layouts.map(({ rows: own }, pane) => {
      for (const [row, boxes] of own) {
        for (const box of boxes) box.pane = pane;
        rows.set(row, [...(rows.get(row) || []), ...boxes]);
      }
      return own;
    });
    return { boxes: layouts.flatMap(({ boxes }) => boxes), rows, panes, deepest: Math.max(...layouts.map(({ deepest }) => deepest)),
      highest: Math.min(...layouts.map(({ highest }) => highest)), cut: layouts.some(({ cut }) => cut), folded: Math.max(...layouts.map(({ folded }) => folded)) };
  }

  // The value that no callee of a box accounts for; those that the server left out are callees as well.
  function own(tree, box) {
    if (box.kind === "caller") return 0;
    if (box.frames) return box.frames.reduce((sum, one) => sum + own(tree, one), 0);
    let rest = box.total - hiddenBelow(tree, box).value;
    for (const node of box.nodes) for (let child = tree.first[node]; child >= 0; child = tree.next[child]) rest -= tree.total[child];
    return rest;
  }

  // The same of a function in all of its places, also of those inside itself.
  function ownInAll(tree, source) {
    let sum = 0;
    for (let n = 1; n < tree.count; n += 1) if (tree.sources[n] === source) sum += own(tree, { nodes: [n], total: tree.total[n] });
    return sum;
  }

  // The boxes below a box that the server left out, and their value.
  function hiddenBelow(tree, box) {
    let boxes = 0, value = 0;
    if (box.kind === "caller") return { boxes, value };
    for (const node of (box.frames?.at(-1) || box).nodes) {
      const some = tree.hidden.get(node);
      if (some) { boxes += some.boxes; value += some.value; }
    }
    return { boxes, value };
  }

  // ── chains ──

  const LONG = { others: 4, project: 8, recursion: 4 }; // frames, from which on a run becomes one row
  const PASSED_ON = 0.99, IN_ALL = 0.97; // of a box's total: what its one heavy callee has

  // The frames from `first` on that only lead to the next: nothing branches, next to nothing is spent. All of one
  // kind, the project's own or not, so that a function of the reader's is not hidden among a framework's. The last box
  // of a chain, where paths part or end, is not in it. Empty where there are too few to fold. Goes by `weight`, which both
  // sides of a comparison share, so that two pictures fold the same frames.
  function chainFrom(tree, first, next) {
    if (tree.inOrder && tree.parents[first.nodes[0]] === 0) return []; // a thread's row
    const mine = (box) => (tree.owners?.[box.source] ?? "project") === "project";
    const run = [], sources = new Set(), kind = mine(first);
    let one = first;
    for (;;) {
      const heavy = heaviest(next(one));
      if (!heavy || heavy.weight < PASSED_ON * one.weight || heavy.weight < IN_ALL * first.weight || mine(one) !== kind) break;
      run.push(one); sources.add(one.source);
      one = heavy;
    }
    const long = sources.size <= 2 && run.length > 2 ? LONG.recursion : kind ? LONG.project : LONG.others;
    return run.length >= long ? run : [];
  }

  function heaviest(boxes) {
    let found = null;
    for (const box of boxes) if (!found || box.weight > found.weight) found = box;
    return found;
  }

  // Boxes with x and width in shares of the whole picture, for a window of `width` pixels that shows
  // `1 / zoom.scale` of it from `zoom.x` on. Rows of callers are negative. With `folds`, a function that tells whether
  // a group's chain is to be folded, a chain is one box of its own kind: `frames` holds the groups that it stands for.
  function layOut(tree, { pivot, order, zoom, width, folds = null, scale = null }) {
    const boxes = [], rows = new Map();
    let deepest = 0, highest = 0, cut = false, folded = 0;
    const base = pivot === null ? group(tree, 0, [0]) : group(tree, pivot, occurrences(tree, pivot));
    const whole = scale || base.total || 1;
    const add = (one, x, row, kind, frames = null) => {
      if (boxes.length >= MAX_BOXES) { cut = true; return false; }
      const share = one.total / whole;
      const left = (x - zoom.x) * zoom.scale, wide = share * zoom.scale;
      if (wide * width < NARROWEST || left > 1 || left + wide < 0) return false;
      const box = { ...one, x, share, row, kind, frames };
      boxes.push(box);
      if (!rows.has(row)) rows.set(row, []);
      rows.get(row).push(box);
      deepest = Math.max(deepest, row); highest = Math.min(highest, row);
      return true;
    };
    const below = (one) => (one.below ??= callees(tree, one, order));
    const above = (one) => (one.above ??= callers(tree, one));
    const shown = new Set(); // frames of chains that the reader has unfolded
    const stack = [];
    if (add(base, 0, 0, pivot === null ? "root" : "pivot")) {
      stack.push([base, 0, 0, false]);
      if (pivot !== null) stack.push([base, 0, 0, true]);
    }
    while (stack.length) {
      const [one, start, row, up] = stack.pop();
      let x = start;
      for (const child of (up ? above : below)(one)) {
        const next = row + (up ? -1 : 1);
        let chain = folds && !shown.has(child) ? chainFrom(tree, child, up ? above : below) : [];
        if (chain.length && !folds(child)) { chain.forEach((each) => shown.add(each)); chain = []; }
        if (add(child, x, next, up ? "caller" : "callee", chain.length ? chain : null)) stack.push([chain.at(-1) || child, x, next, up]);
        folded += chain.length;
        x += child.total / whole;
      }
    }
    for (const row of rows.values()) row.sort((a, b) => a.x - b.x);
    return { boxes, rows, deepest, highest, cut, folded };
  }

  // The box of a row that covers `x` (a share of the whole picture), or undefined.
  function boxAt(row, x) {
    let low = 0, high = row.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1, box = row[middle];
      if (x < box.x) high = middle - 1;
      else if (x > box.x + box.share) low = middle + 1;
      else return box;
    }
    return undefined;
  }

  function zoomAt(zoom, share, factor) {
    const scale = Math.min(1e6, Math.max(1, zoom.scale * factor));
    const fixed = zoom.x + share / zoom.scale;
    return { scale, x: Math.min(1 - 1 / scale, Math.max(0, fixed - share / scale)) };
  }

  function pan(zoom, share) {
    return { scale: zoom.scale, x: Math.min(1 - 1 / zoom.scale, Math.max(0, zoom.x + share / zoom.scale)) };
  }

  // Where boxes are lines, a name ends with its line, and perhaps the column: `shop.total:18`, `shop.total:18:4`.
  const PLACE = /(?::\d+){1,2}$/;
  const bare = (name) => name.replace(PLACE, "");
  const placeOf = (name) => PLACE.exec(name)?.[0] ?? "";
  // The same of an expression for one name: ^shop\.total:18$.
  const bareExpression = (expression) => expression.replace(/\$$/, "").replace(PLACE, "") + (expression.endsWith("$") ? "$" : "");

  // Spellings of a name, longest first; a long one loses its package: `a.b.Class.method` → `Class.method` → `method`.
  // `short` are those that the server found to be unambiguous, where it knows.
  function spellings(name, short) {
    if (short?.length) return [name, ...short];
    const parts = name.split(/\.(?![^<(]*[>)])|::/);
    return [name, name.split("/").at(-1), parts.slice(-2).join("."), parts.at(-1)];
  }

  // Replaces everything below `node` by a subtree that the server sent, whose node 0 stands for `node`.
  function graft(content, node, part) {
    const gone = new Uint8Array(content.parents.length), number = new Int32Array(content.parents.length);
    const made = { ...content, parents: [], sources: [], values: [], negatives: content.negatives ? [] : null, hidden: [] };
    const add = (parent, from, n) => {
      made.parents.push(parent); made.sources.push(from.sources[n]); made.values.push(from.values[n]);
      if (made.negatives) made.negatives.push(from.negatives ? from.negatives[n] : 0);
      return made.parents.length - 1;
    };
    for (let n = 0; n < content.parents.length; n += 1) {
      const parent = content.parents[n];
      if (n > 0 && (gone[parent] || parent === node)) { gone[n] = 1; continue; }
      number[n] = add(n ? number[parent] : 0, content, n);
    }
    for (const [n, boxes, value] of content.hidden || []) if (!gone[n] && n !== node) made.hidden.push([number[n], boxes, value]);
    const at = [number[node]];
    made.values[at[0]] = part.values[0];
    if (made.negatives) made.negatives[at[0]] = part.negatives ? part.negatives[0] : 0;
    for (let n = 1; n < part.parents.length; n += 1) at.push(add(at[part.parents[n]], part, n));
    for (const [n, boxes, value] of part.hidden || []) made.hidden.push([at[n], boxes, value]);
    return made;
  }

  return { read, side, wholeOf, wholes, inStep, group, callees, callers, occurrences, own, ownInAll, hiddenBelow, layOut, chainFrom, boxAt, zoomAt, pan, bare, placeOf, bareExpression, spellings, graft };
})();

if (typeof module !== "undefined") module.exports = Conduit.flameTree;
