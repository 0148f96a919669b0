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
    return { commits: commits instanceof Uint32Array ? commits : decodeCommits(commitSets, series.commits), values, span, samples: series.counts ? decodeSamples(series) : null };
  }

  // All values of each point, in order of size.
  function decodeSamples(series) {
    const counts = new Uint32Array(bytes(series.counts).buffer), all = new Float64Array(bytes(series.samples).buffer);
    let start = 0;
    return Array.from(counts, (count) => all.subarray(start, (start += count)));
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

  // The same for a logarithmic scale: 1, 2 and 5 of each power of ten where the values span one.
  function logTicks(least, most, count) {
    if (!(least > 0 && most / least >= 10)) return ticks(least, most, count);
    const found = [];
    for (let power = 10 ** Math.floor(Math.log10(least)); power <= most; power *= 10) for (const factor of most / least > 10 ** (count / 2) ? [1] : [1, 2, 5]) {
      if (factor * power >= least && factor * power <= most * (1 + 1e-9)) found.push(factor * power);
    }
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

  // ── two commits as benchstat compares them ──

  const EXACT_LIMIT = 50, EXACT_LIMIT_WITH_TIES = 25; // beyond these sizes: the normal approximation

  // How many values share each rank of two samples, lowest rank first.
  function tiesOf(old, fresh) {
    const all = [...old, ...fresh].sort((a, b) => a - b), ties = [];
    all.forEach((value, at) => { if (at && value === all[at - 1]) ties[ties.length - 1]++; else ties.push(1); });
    return ties;
  }

  // The two-sided p-value of the Mann-Whitney U test; null where all values are equal.
  function uTest(old, fresh) {
    const [n, m] = [old.length, fresh.length], ties = tiesOf(old, fresh);
    if (ties.length < 2) return null;
    let twiceU = 0;
    for (const a of old) for (const b of fresh) twiceU += b < a ? 2 : b === a ? 1 : 0;
    const limit = ties.length < n + m ? EXACT_LIMIT_WITH_TIES : EXACT_LIMIT;
    if (n > limit || m > limit) return normalP(twiceU / 2, n, m, ties);
    // ways[taken][2U]: how many ways there are to deal the ranks so far, by how many went to the first sample.
    let ways = Array.from({ length: n + 1 }, () => new Map());
    ways[0].set(0, 1);
    let before = 0;
    for (const tied of ties) {
      const next = Array.from({ length: n + 1 }, () => new Map());
      for (let dealt = 0; dealt <= Math.min(n, before); dealt++) for (const [u, count] of ways[dealt]) {
        for (let taken = 0, choices = 1; taken <= Math.min(tied, n - dealt); choices = (choices * (tied - taken)) / (taken + 1), taken++) {
          if (before + tied - dealt - taken > m) continue;
          // Each that is taken has those of the second sample so far below it, and half of those it is tied with.
          const to = u + taken * (2 * (before - dealt) + (tied - taken));
          next[dealt + taken].set(to, (next[dealt + taken].get(to) || 0) + count * choices);
        }
      }
      ways = next;
      before += tied;
    }
    let below = 0, above = 0, total = 0;
    for (const [u, count] of ways[n]) {
      total += count;
      if (u <= twiceU) below += count;
      if (u >= twiceU) above += count;
    }
    return Math.min(1, (2 * Math.min(below, above)) / total);
  }

  // Corrected for ties and for continuity.
  function normalP(u, n, m, ties) {
    const size = n + m, correction = ties.reduce((sum, tied) => sum + tied ** 3 - tied, 0);
    const variance = (n * m * (size + 1 - correction / (size * (size - 1)))) / 12;
    if (!(variance > 0)) return null;
    const distance = Math.abs(u - (n * m) / 2);
    return Math.min(1, erfc((distance ? distance - 0.5 : 0) / Math.sqrt(2 * variance)));
  }

  // The complementary error function of x >= 0: its series, and its continued fraction where that converges fast.
  function erfc(x) {
    if (x < 2.5) {
      let term = x, sum = x;
      for (let k = 1; Math.abs(term) > 1e-17 * sum; k++) { term *= (-x * x) / k; sum += term / (2 * k + 1); }
      return 1 - (2 / Math.sqrt(Math.PI)) * sum;
    }
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / 2 / (x + fraction);
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
  }

  // A number with so many decimals, halves rounded to even as Python and Go round them.
  function fixed(value, decimals) {
    const text = value.toFixed(decimals), exact = value.toFixed(60).split(".")[1];
    if (!/^50*$/.test(exact.slice(decimals)) || Number(text.at(-1)) % 2 === 0) return text;
    return (value - Math.sign(value) * 10 ** -decimals / 4).toFixed(decimals);
  }

  // A comparison's cells: the difference (`~`: none that the test sees) and the test.
  function compare(old, fresh, before, after) {
    const p = uTest(old, fresh) ?? 1;
    const sizes = old.length === fresh.length ? `n=${old.length}` : `n=${old.length}+${fresh.length}`;
    const share = after / before - 1;
    const delta = p > 0.05 ? "~" : before === after ? "0.00%" : !before ? "?" : `${share >= 0 ? "+" : "-"}${fixed(Math.abs(share * 100), 2)}%`;
    return { p, delta, test: `(p=${fixed(p, 3)} ${sizes})` };
  }

  // The larger half of a point's interval in percent; ∞ where there are too few values for one.
  function range(points, at) {
    const count = points.samples?.[at].length ?? 0;
    if (count < 6) return "∞";
    const value = points.values[at];
    if (!(value > 0)) return points.samples[at][0] === points.samples[at][count - 1] ? "0%" : "?";
    return `${(100 * Math.max(high(points, at) / value - 1, 1 - low(points, at) / value)).toFixed(0)}%`;
  }

  const geomean = (values) => (values.length && values.every((value) => value > 0) ? Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length) : null);

  // ── parameters ──

  const NUMBER = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kKMG]i?)?$/;
  const SCALES = { k: 1e3, K: 1e3, M: 1e6, G: 1e9, ki: 1024, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };

  // The parts of a benchmark's name that may be values of a parameter: `Sort/n=100-8` has one, n with 100.
  function parameters(name) {
    const cut = name.lastIndexOf(":") + 1, [, body, processors] = /^(.*?)(-\d+)?$/s.exec(name.slice(cut));
    const parts = body.split("/");
    return parts.flatMap((part, place) => {
      if (!place) return [];
      const equals = part.indexOf("=");
      const label = equals > 0 ? part.slice(0, equals) : "", text = equals > 0 ? part.slice(equals + 1) : part;
      const number = NUMBER.exec(text);
      if (!number && !label) return [];
      const others = parts.map((other, at) => (at === place ? `${label}=*` : other)).join("/");
      return [{ place, label: label || `part ${place}`, text, value: number ? Number(number[1]) * (SCALES[number[2]] ?? 1) : null, key: name.slice(0, cut) + others + (processors ?? "") }];
    });
  }

  // For a series: each parameter that other series vary, with those series in the order of its values.
  function families(all, number) {
    const own = all[number];
    return parameters(own.benchmark).flatMap(({ place, label, key }) => {
      const members = [];
      all.forEach((series, at) => {
        if (series.unit !== own.unit || series.machine !== own.machine || series.python !== own.python) return;
        const found = parameters(series.benchmark).find((one) => one.place === place && one.key === key);
        if (found) members.push({ number: at, text: found.text, value: found.value });
      });
      if (members.length < 2) return [];
      const numeric = members.every(({ value }) => value !== null);
      members.sort((a, b) => (numeric ? a.value - b.value : a.text.localeCompare(b.text)));
      return [{ label, numeric, members }];
    });
  }

  // Where the values of a parameter lie from left (0) to right (1): by their size, its logarithm where they span a
  // factor of 20, and one beside the other where they are words.
  function spread(family) {
    const count = family.members.length;
    if (!family.numeric) return family.members.map((_, at) => at / (count - 1));
    const values = family.members.map(({ value }) => value);
    const least = values[0], most = values[count - 1];
    const place = least > 0 && most / least >= 20 ? Math.log : (value) => value;
    const room = place(most) - place(least);
    return values.map((value, at) => (room ? (place(value) - place(least)) / room : at / (count - 1)));
  }

  return { decode, uTest, compare, range, geomean, parameters, families, spread, low, high, scale, ticks, logTicks, envelope, levels, format, percent };
})();

if (typeof module !== "undefined") module.exports = Conduit.historyData;
