// Colours for groups of functions (owners' packages, modules, files): each group its own, as long as the eye can tell
// them apart. Groups are ranked by weight; of equal rank the same colour comes out on every page of a profile.
"use strict";

globalThis.Conduit ??= {};

Conduit.palette = (() => {
  // The part of the colour circle that each owner has, and how strong its colours are.
  const RANGES = { project: [14, 48, 68], library: [165, 75, 44], standard: [262, 44, 32], runtime: [220, 0, 6], all: [0, 360, 48] };
  const SHADES = [0, -8, 6];

  // `keyed[source]` is [range, group], `weights[source]` what its boxes hold.
  function assign(keyed, weights) {
    const groups = new Map();
    keyed.forEach(([range, key], source) => {
      if (source === 0) return;
      const found = groups.get(key);
      if (found) found.weight += weights[source];
      else groups.set(key, { key, range, weight: weights[source] });
    });
    const ranked = [...groups.values()].sort((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1));
    const sizes = new Map(), places = new Map();
    for (const { range } of ranked) sizes.set(range, (sizes.get(range) || 0) + 1);
    for (const group of ranked) {
      const place = places.get(group.range) || 0;
      places.set(group.range, place + 1);
      group.colour = colour(group.range, place, sizes.get(group.range));
    }
    const grey = { hue: 0, saturation: 0, shade: 0 };
    return { keys: ranked.map(({ key }) => key), of: (key) => groups.get(key)?.colour || grey,
      ofRange: (range) => ranked.find((group) => group.range === range)?.colour || grey };
  }

  // Hues in even steps of the range; where there are more groups than hues that differ, lighter and darker ones too.
  function colour(range, place, size) {
    const [start, extent, saturation] = RANGES[range] || RANGES.all;
    const hues = Math.min(size, range === "all" ? 18 : 6);
    const turn = place % hues, round = Math.floor(place / hues);
    const step = hues > 2 ? (turn * coprime(hues)) % hues : turn;
    const at = range === "all" ? step / hues : hues > 1 ? step / (hues - 1) : 0.5;
    return { hue: Math.round(start + extent * at), saturation, shade: SHADES[round % SHADES.length] + (extent ? 0 : (place % 5) * 2 - 4) };
  }

  // A step that visits every hue and puts neighbours in rank far apart on the circle.
  function coprime(count) {
    const divisor = (a, b) => (b ? divisor(b, a % b) : a);
    for (let step = Math.round(count * 0.4) || 1; ; step += 1) if (divisor(step, count) === 1) return step;
  }

  return { assign };
})();

if (typeof module !== "undefined") module.exports = Conduit.palette;
