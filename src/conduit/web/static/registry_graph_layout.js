// A layout that stays as it is while it grows: a box keeps its place for as long as it is shown.
//
// Boxes stand in columns, what they depend on to their right. A new box goes next to the box it came with, in the free
// place nearest to the middle of its neighbours; boxes of one application keep together. Taking a box away moves none.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryGraphLayout = (() => {
  const WIDEST = 250; // pixels of a box
  const BETWEEN = 190; // from column to column, room for the text of a line
  const PITCH = WIDEST + BETWEEN;
  const GAP = 14; // between boxes of one application
  const APART = 52; // between those of two: frames and the name of one
  const STRANGE = 170; // what it costs a box to stand apart from its application, in pixels of distance
  const FURTHER = 260; // and to stand one column further out

  const create = () => ({ boxes: new Map() });
  const centre = (box) => box.y + box.height / 2;
  const gap = (one, other) => (one.app && one.app === other.app ? GAP : one.app || other.app ? APART : GAP);
  const inColumn = (layout, column) => [...layout.boxes.values()].filter((box) => box.column === column).sort((a, b) => a.y - b.y);
  const left = (box) => box.column * PITCH - box.width / 2;

  // Boxes that are no longer wanted go; `wanted` gives {name, app, width, height} in the order of their coming.
  // `sideOf(name, other)` is 1 where `name` stands right of `other`, -1 left of it, 0 where they are not connected.
  function update(layout, wanted, sideOf) {
    const names = new Set(wanted.map((one) => one.name));
    for (const name of [...layout.boxes.keys()]) if (!names.has(name)) layout.boxes.delete(name);
    const resized = wanted.some((one) => { const box = layout.boxes.get(one.name); return box && (box.width !== one.width || box.height !== one.height); });
    if (resized) resize(layout, wanted);
    for (const one of wanted) if (!layout.boxes.has(one.name)) place(layout, one, sideOf);
    return layout;
  }

  function place(layout, one, sideOf) {
    const others = [...layout.boxes.values()].map((box) => ({ box, side: sideOf(one.name, box.name) })).filter(({ side }) => side);
    const box = { ...one, column: 0, y: -one.height / 2 };
    if (!others.length) {
      // The first box of a part of its own: below everything.
      if (layout.boxes.size) box.y = Math.max(...[...layout.boxes.values()].map((other) => other.y + other.height)) + APART;
    } else {
      const { box: opener, side } = others[0];
      const middle = others.reduce((sum, { box: other }) => sum + centre(other), 0) / others.length;
      const wanted = (centre(opener) + middle) / 2 - one.height / 2;
      const kin = new Set([...layout.boxes.values()].filter((other) => one.app && other.app === one.app).map((other) => other.column));
      const hasKin = [...kin].some((column) => (column - opener.column) * side > 0);
      let best = null;
      for (let further = 0; further < 6; further += 1) {
        const column = opener.column + side * (1 + further);
        const found = free(layout, { ...box, column }, wanted);
        found.cost += further * FURTHER + (hasKin && !kin.has(column) ? STRANGE : 0);
        if (!best || found.cost < best.cost) best = { ...found, column };
        if (best.cost <= (further + 1) * FURTHER) break;
      }
      box.column = best.column;
      box.y = best.y;
    }
    layout.boxes.set(one.name, box);
  }

  // The free place of a column nearest to `wanted`, and what it costs.
  function free(layout, box, wanted) {
    const column = inColumn(layout, box.column);
    const tries = [wanted];
    for (const other of column) tries.push(other.y - gap(box, other) - box.height, other.y + other.height + gap(box, other));
    const has = column.some((other) => other.app === box.app && box.app);
    let best = null;
    for (const y of tries) {
      if (column.some((other) => y < other.y + other.height + gap(box, other) - 0.01 && other.y < y + box.height + gap(box, other) - 0.01)) continue;
      const joins = column.some((other) => other.app === box.app && (Math.abs(other.y - GAP - box.height - y) < 1 || Math.abs(other.y + other.height + GAP - y) < 1));
      const cost = Math.abs(y - wanted) + (has && !joins ? STRANGE : 0);
      if (!best || cost < best.cost - 0.01) best = { y, cost };
    }
    return best;
  }

  // Other sizes: each column keeps its order, and its box nearest to the middle keeps its place.
  function resize(layout, wanted) {
    const sizes = new Map(wanted.map((one) => [one.name, one]));
    const columns = new Set([...layout.boxes.values()].map((box) => box.column));
    for (const column of columns) {
      const boxes = inColumn(layout, column);
      const at = boxes.reduce((nearest, box, number) => (Math.abs(centre(box)) < Math.abs(centre(boxes[nearest])) ? number : nearest), 0);
      for (const box of boxes) {
        const { width, height } = sizes.get(box.name);
        box.y = centre(box) - height / 2;
        Object.assign(box, { width, height });
      }
      for (let n = at + 1; n < boxes.length; n += 1) boxes[n].y = boxes[n - 1].y + boxes[n - 1].height + gap(boxes[n - 1], boxes[n]);
      for (let n = at - 1; n >= 0; n -= 1) boxes[n].y = boxes[n + 1].y - boxes[n].height - gap(boxes[n], boxes[n + 1]);
    }
  }

  // Frames around neighbouring boxes of one application in a column: {app, x, y, width, height}.
  function clusters(layout) {
    const found = [];
    for (const column of new Set([...layout.boxes.values()].map((box) => box.column))) {
      let last = null;
      for (const box of inColumn(layout, column)) {
        if (!box.app) { last = null; continue; }
        if (last && last.app === box.app && box.y - last.bottom <= APART) last.boxes.push(box);
        else { last = { app: box.app, boxes: [box] }; found.push(last); }
        last.bottom = box.y + box.height;
      }
    }
    return found.map(({ app, boxes }) => {
      const x = Math.min(...boxes.map(left)) - 9, y = boxes[0].y - 22;
      const end = Math.max(...boxes.map((box) => left(box) + box.width)) + 9;
      return { app, x, y, width: end - x, height: boxes.at(-1).y + boxes.at(-1).height + 9 - y };
    });
  }

  function extent(layout) {
    const boxes = [...layout.boxes.values()];
    if (!boxes.length) return { x: 0, y: 0, width: 1, height: 1 };
    const x = Math.min(...boxes.map(left)) - 24, y = Math.min(...boxes.map((box) => box.y)) - 36;
    return { x, y, width: Math.max(...boxes.map((box) => left(box) + box.width)) + 24 - x, height: Math.max(...boxes.map((box) => box.y + box.height)) + 24 - y };
  }

  return { create, update, clusters, extent, left, WIDEST, PITCH, GAP, APART };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryGraphLayout;
