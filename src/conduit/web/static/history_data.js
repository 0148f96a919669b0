// The numbers of the history page: series decoded from the document, scales, and what fits into a picture.
// Nothing here touches the page, so that Node's test runner can load it.
"use strict";

globalThis.Conduit ??= {};

Conduit.historyData = (() => {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  // A series as the document has it → arrays. `span` holds the interval's ends as parts of 10,000 below and above.
  function decode(series, commitSets) {
    const values = new Float32Array(bytes(series.values).buffer);
    const span = new Uint16Array(bytes(series.span).buffer);
    const commits = commitSets[series.commits];
    return { commits: commits instanceof Uint32Array ? commits : decodeCommits(commitSets, series.commits), values, span };
  }

  function decodeCommits(commitSets, number) {
    return (commitSets[number] = new Uint32Array(bytes(commitSets[number]).buffer));
  }

  const low = (points, at) => points.values[at] * (1 - points.span[2 * at] / 10000);
  const high = (points, at) => points.values[at] * (1 + points.span[2 * at + 1] / 10000);

  // How a value becomes a height from 0 (bottom) to 1 (top): linear from 0 or from the lowest, or logarithmic.
  function scale(points, kind) {
    let least = Infinity, most = -Infinity;
    for (let at = 0; at < points.values.length; at++) {
      least = Math.min(least, low(points, at));
      most = Math.max(most, high(points, at));
    }
    if (kind === "log" && least > 0) {
      const bottom = Math.log(least), room = Math.log(most) - bottom || 1;
      return { least, most, at: (value) => (Math.log(value) - bottom) / room };
    }
    const bottom = kind === "zero" ? Math.min(least, 0) : least;
    const room = most - bottom || Math.abs(most) || 1;
    const lift = most === bottom ? 0.5 : 0;
    return { least: bottom, most, at: (value) => (value - bottom) / room + lift };
  }

  // At most `count` round numbers between two values, in order.
  function ticks(least, most, count) {
    if (!(most > least)) return [least];
    const rough = (most - least) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    const first = Math.ceil(least / step);
    const found = [];
    for (let number = first; number * step <= most * (1 + 1e-9); number++) found.push(number * step);
    return found;
  }

  // For each of `width` columns the lowest and the highest value of the points that fall into it; NaN where there are none.
  function envelope(values, width) {
    const lows = new Float32Array(width).fill(NaN), highs = new Float32Array(width).fill(NaN);
    const count = values.length;
    for (let at = 0; at < count; at++) {
      const column = count === 1 ? 0 : Math.round((at * (width - 1)) / (count - 1));
      if (!(lows[column] <= values[at])) lows[column] = values[at];
      if (!(highs[column] >= values[at])) highs[column] = values[at];
    }
    return { lows, highs };
  }

  // The levels between the steps: [first position, last position, median].
  function levels(values, positions) {
    const edges = [0, ...positions, values.length];
    const found = [];
    for (let number = 0; number + 1 < edges.length; number++) {
      const part = Array.from(values.subarray(edges[number], edges[number + 1])).sort((a, b) => a - b);
      const half = part.length >> 1;
      found.push([edges[number], edges[number + 1] - 1, part.length % 2 ? part[half] : (part[half - 1] + part[half]) / 2]);
    }
    return found;
  }

  // A value as text, by the divisor, suffix and decimals that the document gives for its series.
  const format = (value, how) => (value / how.divisor).toFixed(how.decimals) + how.suffix;

  const percent = (share) => `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(2)}%`;

  return { decode, low, high, scale, ticks, envelope, levels, format, percent };
})();

if (typeof module !== "undefined") module.exports = Conduit.historyData;
