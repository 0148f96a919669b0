// The graph of the resources: lines, neighbours, paths, cycles, and the set of boxes that a reader has opened.
// Nothing here touches the page, so that Node's test runner can load it.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryGraphModel = (() => {
  const MANY = 1, OPTIONAL = 2, BOTH_MANY = 4, IN_CYCLE = 8;
  const KEYS = { P: "PK", F: "FK", U: "UK" };
  const STEP = 12; // boxes that one click adds
  const MOST = 60; // boxes that can still be read
  const MOST_VISITS = 200000; // as in conduit.metadata.paths

  function createGraph(model) {
    const { lines: rows, marks, cycles } = model.data.graph;
    const names = model.resources.map((one) => one.name);
    const order = new Map(names.map((name, number) => [name, number]));
    const near = new Map(names.map((name) => [name, new Map()]));
    const lines = rows.map(([start, end, label, bits, onDelete], number) => ({
      number, start: names[start], end: names[end], label, onDelete,
      text: onDelete ? `${label} (${onDelete})` : label,
      many: Boolean(bits & MANY), optional: Boolean(bits & OPTIONAL), bothMany: Boolean(bits & BOTH_MANY), inCycle: Boolean(bits & IN_CYCLE),
    }));
    for (const line of lines) {
      if (line.start === line.end) continue;
      for (const [one, other] of [[line.start, line.end], [line.end, line.start]]) {
        if (!near.get(one).has(other)) near.get(one).set(other, []);
        near.get(one).get(other).push(line);
      }
    }

    // A deletion also reaches rows that refer to their object by its type and key: such lines are drawn to the picked
    // box, but they lead to no neighbours, since one resource of this kind refers to nearly all others.
    const generic = Object.entries(model.data.deletion?.links || {}).flatMap(([end, links]) => links
      .filter(([start, , onDelete]) => onDelete === "cascade" && start !== end && order.has(start) && order.has(end) && !near.get(start).has(end))
      .map(([start, label, onDelete]) => ({ start, end, label, onDelete, text: `${label} (${onDelete})`, many: true, optional: false, bothMany: false, inCycle: false })));

    const appOf = (name) => model.byName.get(name)?.app || "";

    // Neighbours, those of the same application first, then by application, then in document order.
    function neighbours(name) {
      const own = appOf(name);
      return [...(near.get(name)?.keys() || [])].sort((a, b) => (appOf(b) === own) - (appOf(a) === own)
        || (appOf(a) < appOf(b) ? -1 : appOf(a) > appOf(b) ? 1 : order.get(a) - order.get(b)));
    }

    // The columns of a box: "none", "keys" or "all", each [name, type, mark].
    function columns(name, which) {
      if (which === "none") return [];
      const resource = model.byName.get(name), letters = marks[order.get(name)];
      const own = resource.fields.map((field, at) => [field.name, field.type || "", KEYS[letters[at]] || "", letters[at]]);
      return own.filter(([, , mark, letter]) => letter !== "-" && (which === "all" || mark)).map(([field, type, mark]) => [field, type, mark]);
    }

    const dependsOn = (one, other) => (near.get(one)?.get(other) || []).some((line) => line.start === one);
    const between = (shown) => { const set = new Set(shown); return lines.filter((line) => set.has(line.start) && set.has(line.end)); };
    const drawn = (shown, picked) => { const set = new Set(shown); return [...between(shown), ...generic.filter((line) => line.end === picked && set.has(line.start))]; };
    const sideOf = (one, other) => (near.get(one).has(other) ? (dependsOn(one, other) ? -1 : 1)
      : generic.some((line) => line.start === one && line.end === other) ? -1 : generic.some((line) => line.start === other && line.end === one) ? 1 : 0);
    const byDegree = () => [...names].sort((a, b) => near.get(b).size - near.get(a).size || order.get(a) - order.get(b));
    const degree = (name) => near.get(name)?.size || 0;

    return { model, names, order, lines, near, cycles, appOf, neighbours, columns, dependsOn, between, drawn, sideOf, byDegree, degree, has: (name) => order.has(name) };
  }

  // ── the open boxes ──

  // `shown` is a list of names in the order in which they came. Each but the first of its part came with the earliest
  // neighbour before it: closing a box takes away what came with it.

  const hidden = (graph, shown, name) => { const set = new Set(shown); return graph.neighbours(name).filter((one) => !set.has(one)); };

  function parents(graph, shown) {
    const found = new Map();
    shown.forEach((name, at) => found.set(name, shown.slice(0, at).find((one) => graph.near.get(one).has(name)) || null));
    return found;
  }

  // The boxes that came with a box, and with those.
  function branch(graph, shown, name) {
    const from = parents(graph, shown), found = new Set();
    for (const one of shown) if (from.get(one) === name || found.has(from.get(one))) found.add(one);
    found.delete(name);
    return found;
  }

  // The list with the next neighbours of a box; `full` where the picture has no room for all that were asked for.
  function grown(graph, shown, name, { step = STEP, most = MOST } = {}) {
    const more = hidden(graph, shown, name).slice(0, step);
    return added(shown, more, most);
  }

  function added(shown, names, most = MOST) {
    const set = new Set(shown), next = [...shown];
    let left = 0;
    for (const name of names) {
      if (set.has(name)) continue;
      if (next.length >= most) { left += 1; continue; }
      set.add(name);
      next.push(name);
    }
    return { shown: next, left };
  }

  function shrunk(graph, shown, name) {
    const gone = branch(graph, shown, name);
    return shown.filter((one) => !gone.has(one));
  }

  // Without one box, and without what came with it; the first box of all cannot be taken away.
  function without(graph, shown, name) {
    if (shown[0] === name) return shown;
    return shrunk(graph, shown, name).filter((one) => one !== name);
  }

  // ── paths ──

  function distancesTo(graph, end) {
    const found = new Map([[end, 0]]), queue = [end];
    for (let at = 0; at < queue.length; at += 1) {
      for (const other of graph.near.get(queue[at]).keys()) {
        if (!found.has(other)) { found.set(other, found.get(queue[at]) + 1); queue.push(other); }
      }
    }
    return found;
  }

  // The shortest paths between two resources, or with `depth` all of up to so many steps: as conduit.metadata.paths.
  function paths(graph, start, end, { depth = 0, most = 10 } = {}) {
    const distances = distancesTo(graph, end);
    if (!distances.has(start) || start === end) return { found: [], complete: true };
    const following = new Map(), next = (name) => {
      if (!following.has(name)) following.set(name, [...graph.near.get(name).keys()].sort((a, b) => graph.order.get(a) - graph.order.get(b)));
      return following.get(name);
    };
    const found = [];
    let visits = 0, complete = true;
    function walk(walked, remaining) {
      if (remaining === 0) {
        if (walked.at(-1) !== end) return true;
        if (found.length === most) { complete = false; return false; }
        found.push([...walked]);
        return true;
      }
      for (const name of next(walked.at(-1))) {
        if (visits > MOST_VISITS) { complete = false; return false; }
        visits += 1;
        if (walked.includes(name) || (distances.get(name) ?? Infinity) >= remaining || (name === end && remaining > 1)) continue;
        walked.push(name);
        const goesOn = walk(walked, remaining - 1);
        walked.pop();
        if (!goesOn) return false;
      }
      return true;
    }
    for (let length = distances.get(start); length <= (depth || distances.get(start)); length += 1) if (!walk([start], length)) break;
    return { found, complete };
  }

  // ── the address ──

  const written = (names) => names.map((name) => encodeURIComponent(name)).join(",");
  function read(graph, text) {
    const names = (text || "").split(",").filter(Boolean).map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
    return [...new Set(names)].filter(graph.has);
  }

  return { createGraph, hidden, branch, grown, added, shrunk, without, paths, written, read, STEP, MOST };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryGraphModel;
