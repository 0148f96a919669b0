// Amounts for people, in the steps that `conduit pprof` prints: ns us ms s hrs, B kB MB GB, plain counts.
"use strict";

window.Conduit = {};

Conduit.units = (() => {
  const families = [
    { names: ["ns", "us", "ms", "s", "hrs"], factors: [1e-9, 1e-6, 1e-3, 1, 3600], base: "s" },
    { names: ["B", "kB", "MB", "GB", "TB", "PB"], factors: [1, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40, 2 ** 50], base: "B" },
  ];

  const trimmed = (number) => String(Number(number.toFixed(2)));

  // `value` in the profile's own integers; `unit` says what one of them is: {scale: 1e-9, name: "s"}.
  function amount(value, unit) {
    const scaled = value * unit.scale;
    const family = families.find((one) => one.names.includes(unit.name));
    if (!family) return trimmed(scaled) + (unit.name ? ` ${unit.name}` : "");
    if (scaled === 0) return "0";
    const inBase = scaled * family.factors[family.names.indexOf(unit.name)];
    let step = 0;
    family.factors.forEach((factor, n) => { if (Math.abs(inBase) >= factor) step = n; });
    return trimmed(inBase / family.factors[step]) + family.names[step];
  }

  function percent(value, total) {
    if (!total) return "0%";
    const share = Math.abs((100 * value) / total);
    return share >= 99.95 ? "100%" : share >= 10 ? `${share.toFixed(1)}%` : `${share.toFixed(2)}%`;
  }

  return { amount, percent };
})();
