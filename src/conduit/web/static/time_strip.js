// The samples of each thread over time: a row a thread, darker where it took more. A drag selects a range, which then holds
// for every view; two fields do the same from the keyboard.
"use strict";

globalThis.Conduit ??= {};

Conduit.timeStrip = (() => {
  const ROW = 15;

  // How dark each part is, 0 to 1: its amount as a share of the largest of all threads.
  function shades(threads) {
    const most = Math.max(1, ...threads.flatMap(({ amounts }) => amounts));
    return threads.map(({ amounts }) => amounts.map((amount) => (amount ? 0.15 + (0.85 * amount) / most : 0)));
  }

  // The range between two places (0 to 1) of a strip, in seconds; null for a press that hardly moved.
  function rangeOf(one, other, seconds) {
    const [low, high] = [Math.min(one, other), Math.max(one, other)].map((share) => Math.min(1, Math.max(0, share)) * seconds);
    return high - low < seconds / 200 ? null : [low, high];
  }

  const written = (seconds, whole) => seconds.toFixed(whole < 1 ? 6 : whole < 100 ? 3 : 1);

  function draw(holder, strip, chosen, make, choose) {
    const { seconds, threads } = strip;
    const colours = getComputedStyle(document.documentElement);
    const canvas = make("canvas", { "aria-hidden": "true" }), mark = make("div", { className: "range", hidden: true });
    const field = make("div", { className: "strip-field" }, canvas, mark);
    const names = make("div", { className: "strip-names" }, ...threads.map(({ name }) => make("div", { title: name }, name)));
    const from = make("input", { type: "number", step: "any", min: "0", "aria-label": "From, in seconds", value: written(chosen ? chosen[0] : 0, seconds) });
    const to = make("input", { type: "number", step: "any", min: "0", "aria-label": "To, in seconds", value: written(chosen ? chosen[1] : seconds, seconds) });
    const select = () => { if (Number(from.value) < Number(to.value)) choose([Number(from.value), Number(to.value)]); };
    for (const input of [from, to]) input.addEventListener("change", select);
    const all = make("button", { type: "button", className: "key", onclick: () => choose(null) }, "All of the time");
    const head = make("div", { className: "strip-head" }, make("span", {}, chosen ? "Samples from" : "Drag over a part of the time to see it alone; seconds from"), from, "to", to, chosen ? make("span", {}, "seconds") : "", chosen ? all : "");
    holder.replaceChildren(head, make("div", { className: "strip-body" }, names, field));

    const wide = Math.max(100, field.clientWidth), tall = threads.length * ROW, ratio = devicePixelRatio || 1;
    canvas.width = wide * ratio; canvas.height = tall * ratio;
    canvas.style.height = `${tall}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = colours.getPropertyValue("--accent").trim();
    shades(threads).forEach((row, n) => row.forEach((shade, bin) => {
      if (!shade) return;
      pen.globalAlpha = shade;
      pen.fillRect((bin * wide) / row.length, n * ROW + 1, wide / row.length + 0.5, ROW - 2);
    }));

    const show = (range) => {
      mark.hidden = !range;
      if (range) Object.assign(mark.style, { left: `${(100 * range[0]) / seconds}%`, width: `${(100 * (range[1] - range[0])) / seconds}%` });
    };
    show(chosen);
    let pressed = null;
    const share = (event) => { const box = field.getBoundingClientRect(); return (event.clientX - box.left) / box.width; };
    field.addEventListener("pointerdown", (event) => { if (event.button === 0) { pressed = share(event); field.setPointerCapture(event.pointerId); event.preventDefault(); } });
    field.addEventListener("pointermove", (event) => { if (pressed !== null) show(rangeOf(pressed, share(event), seconds)); });
    field.addEventListener("pointerup", (event) => {
      if (pressed === null) return;
      const range = rangeOf(pressed, share(event), seconds);
      pressed = null;
      if (range) choose(range); else if (chosen) choose(null);
    });
  }

  return { draw, shades, rangeOf, written };
})();

if (typeof module !== "undefined") module.exports = Conduit.timeStrip;
