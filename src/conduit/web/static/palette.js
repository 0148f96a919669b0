// Colours for groups of functions (owners' packages, modules, files): each group its own, as long as the eye can tell
// them apart. Groups are ranked by weight, and the heaviest are the farthest apart. A group keeps the colour that it was
// given first, so that a second recording, a filter or another sample type shows it in the same one.
"use strict";

globalThis.Conduit ??= {};

Conduit.palette = (() => {
  // The part of the colour circle that each owner has, apart from the others', and how strong its colours are.
  const RANGES = { project: [8, 42, 68], library: [150, 60, 44], standard: [262, 46, 32], runtime: [220, 0, 6], all: [0, 360, 48] };
  const SHADES = [0, -8, 6];

  // `keyed[source]` is [range, group], `weights[source]` what its boxes hold. `given` holds the places of groups that have
  // a colour already, and takes those of the new ones.
  function assign(keyed, weights, given = new Map()) {
    const groups = new Map();
    keyed.forEach(([range, key], source) => {
      if (source === 0) return;
      const found = groups.get(key);
      if (found) found.weight += weights[source];
      else groups.set(key, { key, range, weight: weights[source] });
    });
    const ranked = [...groups.values()].sort((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1));
    for (const group of ranked) {
      if (!given.has(group.range)) given.set(group.range, new Map());
      const places = given.get(group.range);
      if (!places.has(group.key)) places.set(group.key, places.size);
      group.colour = colour(group.range, places.get(group.key));
    }
    const grey = { hue: 0, saturation: 0, shade: 0 };
    return { keys: ranked.map(({ key }) => key), of: (key) => groups.get(key)?.colour || grey,
      // The colours of a range, in their order on the circle, the heaviest eight.
      ofRange: (range) => ranked.filter((group) => group.range === range).slice(0, 8).map(({ colour: one }) => one).sort((a, b) => a.hue - b.hue) };
  }

  // Where there are more groups than hues that differ, lighter and darker ones too.
  function colour(range, place) {
    const [start, extent, saturation] = RANGES[range] || RANGES.all;
    const hues = range === "all" ? 18 : 6;
    const at = range === "all" ? halved(place % hues) : place % hues < 2 ? place % hues : halved(place % hues - 1);
    const round = Math.floor(place / hues);
    return { hue: Math.round(start + extent * at), saturation, shade: SHADES[round % SHADES.length] + (extent ? 0 : (place % 5) * 2 - 4) };
  }

  // 0, 1/2, 1/4, 3/4, 1/8, 5/8, …: each in the middle of the widest gap that those before it leave.
  function halved(place) {
    let part = 0;
    for (let rest = place, unit = 0.5; rest > 0; rest >>= 1, unit /= 2) if (rest & 1) part += unit;
    return part;
  }

  return { assign };
})();

if (typeof module !== "undefined") module.exports = Conduit.palette;
