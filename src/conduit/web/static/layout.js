// A layered layout for the call graph where Graphviz is not installed: callers above, callees below.
//
// Four steps: edges that close a cycle are turned around for the layout; each node stands one layer below its lowest
// caller; within a layer nodes are ordered by the mean place of their neighbours, a few sweeps down and up; then
// each layer is spread around its neighbours' middle without overlaps.
"use strict";

Conduit.layout = (() => {
  const GAP_X = 26, GAP_Y = 64, SWEEPS = 8;

  function layered(nodes, edges) {
    const out = nodes.map(() => []), into = nodes.map(() => []);
    for (const edge of acyclic(nodes.length, edges)) { out[edge.from].push(edge.to); into[edge.to].push(edge.from); }
    const layer = longestPath(nodes.length, out, into);
    const layers = [];
    nodes.forEach((_, n) => { (layers[layer[n]] ||= []).push(n); });
    const filled = layers.filter(Boolean);
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
      const down = sweep % 2 === 0;
      const place = new Map();
      filled.forEach((row) => row.forEach((n, at) => place.set(n, at / row.length)));
      for (const row of down ? filled : [...filled].reverse()) {
        const mean = new Map(row.map((n) => [n, average((down ? into : out)[n].map((m) => place.get(m)), place.get(n))]));
        row.sort((a, b) => mean.get(a) - mean.get(b) || a - b);
        row.forEach((n, at) => place.set(n, at / row.length));
      }
    }
    return spread(nodes, filled, into);
  }

  // Depth-first from every root, heaviest edges first; an edge back to an open node is turned around.
  function acyclic(count, edges) {
    const out = Array.from({ length: count }, () => []);
    const entered = new Uint8Array(count);
    for (const edge of edges) { out[edge.from].push(edge); entered[edge.to] = 1; }
    const mark = new Uint8Array(count), kept = [];
    const roots = [...Array(count).keys()].sort((a, b) => entered[a] - entered[b]);
    for (const root of roots) {
      if (mark[root]) continue;
      const stack = [[root, 0]];
      mark[root] = 1;
      while (stack.length) {
        const top = stack[stack.length - 1];
        const edge = out[top[0]][top[1]];
        if (!edge) { mark[top[0]] = 2; stack.pop(); continue; }
        top[1] += 1;
        if (edge.from === edge.to) continue;
        if (mark[edge.to] === 1) kept.push({ from: edge.to, to: edge.from });
        else { kept.push(edge); if (!mark[edge.to]) { mark[edge.to] = 1; stack.push([edge.to, 0]); } }
      }
    }
    return kept;
  }

  function longestPath(count, out, into) {
    const layer = new Int32Array(count), open = into.map((list) => list.length);
    const ready = [...Array(count).keys()].filter((n) => !open[n]);
    for (let n; (n = ready.shift()) !== undefined;) {
      for (const to of out[n]) {
        layer[to] = Math.max(layer[to], layer[n] + 1);
        if (!(open[to] -= 1)) ready.push(to);
      }
    }
    return layer;
  }

  const average = (values, otherwise) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : otherwise);

  function spread(nodes, layers, into) {
    const at = nodes.map(() => ({ x: 0, y: 0 }));
    let y = 0, width = 0;
    for (const row of layers) {
      let x = 0;
      for (const n of row) {
        const wanted = average(into[n].map((m) => at[m].x + nodes[m].width / 2), x + nodes[n].width / 2) - nodes[n].width / 2;
        at[n] = { x: Math.max(x, wanted), y };
        x = at[n].x + nodes[n].width + GAP_X;
      }
      width = Math.max(width, x);
      y += Math.max(...row.map((n) => nodes[n].height)) + GAP_Y;
    }
    return { at, width, height: y };
  }

  return { layered };
})();
