// Amounts and shares of sums that only the page makes (a pivot, the rows that a search matches). Everything else comes
// from the server as text. The rules are those of conduit.profile.measurement, and so are the tables of units: the
// server sends them. A test compares the two on thousands of values.
"use strict";

globalThis.Conduit ??= {};

Conduit.units = (() => {
  // Python rounds a number exactly halfway between two texts to the even one, toFixed and toPrecision to the larger.
  function rounded(number, places) {
    const text = number.toFixed(places);
    if (Math.abs(number) >= 1e15) return text;
    const exact = number.toFixed(20);
    const end = exact.indexOf(".") + 1 + places;
    const below = exact.slice(0, end);
    return /^50*$/.test(exact.slice(end)) && Number(below.at(-1)) % 2 === 0 ? below : text;
  }

  const twoDecimals = (number) => rounded(number, 2);

  // Python's f"{number:.2g}" for 0 <= number < 1.
  function twoDigits(number) {
    if (number === 0) return "0";
    const [digits, exponent] = number.toExponential(1).split("e");
    if (exponent < -4) return `${digits.replace(/\.0$/, "")}e-${String(-exponent).padStart(2, "0")}`;
    return String(Number(rounded(number, 1 - exponent)));
  }

  // `amounts`: {ratio, factor, default, steps: [[name, factor], …]}; `factor` is null for a unit of no family, whose
  // name, if it is worth printing, is `default`.
  function amount(value, amounts) {
    const divided = amounts.ratio > 0 && amounts.ratio !== 1 ? Math.trunc(value * amounts.ratio) : value;
    if (divided < 0) return negated(amount(-divided, { ...amounts, ratio: 1 }));
    let scaled = divided, name = amounts.default;
    if (amounts.factor !== null) {
      const base = divided * amounts.factor;
      const fitting = amounts.steps.filter(([, factor]) => base / factor >= 1);
      const [unit, factor] = fitting.at(-1) || amounts.steps.find(([step]) => step === amounts.default);
      scaled = base / factor; name = unit;
    }
    const text = twoDecimals(scaled).replace(/\.00$/, "");
    return text === "0" || text === "-0" ? "0" : text + name;
  }

  const negated = (text) => (text === "0" ? "0" : `-${text}`);

  function percent(value, total) {
    const share = total ? Math.abs(value / total) * 100 : 0;
    if (share >= 99.95 && share <= 100.05) return "100%";
    return `${share >= 1 ? twoDecimals(share) : twoDigits(share)}%`;
  }

  return { amount, percent };
})();

if (typeof module !== "undefined") module.exports = Conduit.units;
