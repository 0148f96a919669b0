// The flame graph of a part of the time, and in order of time, made in the page: a single file has no server to ask. The
// file holds the tree in order of time, and of each part of the strip what it adds to the nodes.
"use strict";

globalThis.Conduit ??= {};

Conduit.timeRange = (() => {
  // The parts of a strip, [first, one past the last], that a range in seconds covers.
  function partsOf([start, end], seconds, parts) {
    const at = (time) => (time / seconds) * parts;
    const first = Math.max(0, Math.floor(at(start) + 1e-6)), last = Math.min(parts, Math.ceil(at(end) - 1e-6));
    return [first, Math.max(first + 1, last)];
  }

  // `samples`: part, node, value, part, node, value, …
  function valuesIn(count, samples, [first, last]) {
    const values = new Array(count).fill(0);
    for (let at = 0; at < samples.length; at += 3) if (samples[at] >= first && samples[at] < last) values[samples[at + 1]] += samples[at + 2];
    return values;
  }

  // Rows of [source, own, with callees] of a tree, a recursive function counted once, the largest first.
  function rowsOf(parents, sources, values) {
    const total = Float64Array.from(values), children = parents.map(() => []);
    for (let node = parents.length - 1; node > 0; node -= 1) { total[parents[node]] += total[node]; children[parents[node]].push(node); }
    const own = new Map(), whole = new Map(), open = new Map();
    const waiting = [...children[0]];
    while (waiting.length) {
      const node = waiting.pop();
      if (node < 0) { const source = sources[~node]; open.set(source, open.get(source) - 1); continue; }
      const source = sources[node], depth = open.get(source) || 0;
      own.set(source, (own.get(source) || 0) + values[node]);
      if (!depth) whole.set(source, (whole.get(source) || 0) + total[node]);
      open.set(source, depth + 1);
      waiting.push(~node, ...children[node]);
    }
    return [...whole].filter(([, amount]) => amount).map(([source, amount]) => [source, own.get(source), amount]).sort((a, b) => b[1] - a[1] || b[2] - a[2] || a[0] - b[0]);
  }

  // The content of the flame graph with only a range of the time, in order of time or not; itself where neither is asked.
  function applied(content, { range, inOrder, seconds }) {
    const whole = content.byTime;
    if (!whole || !(range || inOrder)) return content;
    const threads = new Set();
    whole.parents.forEach((parent, node) => { if (node && !parent) threads.add(node); });
    const values = range ? valuesIn(whole.parents.length, whole.samples, partsOf(range, seconds, whole.parts)) : whole.values;
    // Out of the order of time, threads have no rows of their own.
    const parents = inOrder ? whole.parents : whole.parents.map((parent) => (threads.has(parent) ? 0 : parent));
    const rows = rowsOf(parents, whole.sources, values).filter(([source]) => !content.threadSources.includes(source));
    return { ...content, parents, sources: whole.sources, values, negatives: null, hidden: [], pruned: null, inOrder, untimed: whole.untimed,
      total: values.reduce((sum, value) => sum + value, 0), rows };
  }

  return { applied, partsOf, rowsOf, valuesIn };
})();

if (typeof module !== "undefined") module.exports = Conduit.timeRange;
