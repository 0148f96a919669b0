// The history page: every benchmark as a small picture, one of them large, and any two commits compared.
"use strict";

(() => {
  const { $, make, changed, replaceState } = Conduit.frame;
  const Data = Conduit.historyData;
  const data = Conduit.frame.data();
  const state = new URLSearchParams(location.hash.slice(1));
  const decoded = new Map();
  const points = (number) => {
    if (!decoded.has(number)) decoded.set(number, Data.decode(data.series[number], data.commit_sets));
    return decoded.get(number);
  };
  const commitOf = (number, at) => data.commits[points(number).commits[at]];
  const keyOf = (series) => `${series.benchmark} ${series.unit} ${series.machine} ${series.python}`;

  function setState(changes) {
    replaceState(state, changed(state, changes));
    history.pushState(null, "", `#${state}`);
    show();
  }

  // ── drawing ──

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let palette = {};
  function readPalette() {
    palette = Object.fromEntries(["ink", "faint", "line", "accent", "grew", "shrank", "ground"].map((name) => [name, color(`--${name}`)]));
  }

  function prepare(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return { pen, width, height };
  }

  const colorOfStep = (step) => (step.direction === "worse" ? palette.grew : step.direction === "better" ? palette.shrank : palette.accent);

  function drawSmall(canvas, number) {
    const { pen, width, height } = prepare(canvas);
    const series = data.series[number], found = points(number);
    const scale = Data.scale(found, "range");
    const y = (value) => height - 4 - scale.at(value) * (height - 8);
    const count = found.values.length;
    const x = (at) => (count === 1 ? width / 2 : 3 + (at * (width - 6)) / (count - 1));
    for (const step of series.steps) {
      pen.fillStyle = colorOfStep(step);
      pen.globalAlpha = 0.8;
      pen.fillRect(Math.round(x(step.position - 0.5)), 0, 1.5, height);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = palette.accent;
    pen.fillStyle = palette.accent;
    if (count > width) {
      const { lows, highs } = Data.envelope(found.values, Math.floor(width - 6));
      for (let column = 0; column < lows.length; column++) {
        if (Number.isNaN(lows[column])) continue;
        const top = y(highs[column]);
        pen.fillRect(3 + column, top, 1, Math.max(1, y(lows[column]) - top));
      }
    } else {
      pen.beginPath();
      for (let at = 0; at < count; at++) at ? pen.lineTo(x(at), y(found.values[at])) : pen.moveTo(x(at), y(found.values[at]));
      pen.stroke();
      if (count < 60) for (let at = 0; at < count; at++) pen.fillRect(x(at) - 1.5, y(found.values[at]) - 1.5, 3, 3);
    }
  }

  // ── overview ──

  const drawn = new WeakSet();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const canvas = entry.target;
      if (entry.isIntersecting && !drawn.has(canvas)) {
        if (!canvas.clientWidth) continue; // a filter took it away after it was seen
        drawn.add(canvas);
        drawSmall(canvas, Number(canvas.dataset.series));
      } else if (!entry.isIntersecting && drawn.has(canvas)) {
        drawn.delete(canvas);
        canvas.width = canvas.height = 0; // far from the window: its memory goes
      }
    }
  }, { rootMargin: "600px" });

  function matches(series) {
    const words = (state.get("filter") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const text = keyOf(series).toLowerCase();
    const unit = state.get("unit");
    if (unit && series.unit !== unit) return false;
    if (state.get("steps") && !series.steps.length) return false;
    return words.every((word) => text.includes(word));
  }

  const severalMachines = new Set(data.series.map((series) => series.machine)).size > 1;

  // The smallest increase that would be found in the series' own noise.
  const visible = { any: "shows every change", none: "shows no step within 8 points" };
  const sensitivity = (series) => visible[series.smallest_step] ?? `shows steps from ${series.smallest_step}`;

  function tile(number) {
    const series = data.series[number];
    const last = series.steps[series.steps.length - 1];
    const canvas = make("canvas", { className: "spark" });
    canvas.dataset.series = number;
    watcher.observe(canvas);
    const link = make("a", { className: "tile", href: "#" },
      make("span", { className: "tile-name" }, series.benchmark),
      make("span", { className: "tile-facts" }, `${series.unit} · ${series.last} · Python ${series.python}${severalMachines ? ` · ${series.machine}` : ""}`),
      canvas,
      make("span", { className: "tile-step" },
        make("span", { className: last ? last.direction : "" }, last ? `${last.delta} at ${last.first_commit.slice(0, 10)}` : "no steps"), ` · ${sensitivity(series)}`));
    link.addEventListener("click", (event) => { event.preventDefault(); setState({ series: keyOf(series) }); });
    return link;
  }

  let listed = "";
  function showOverview() {
    $("one").hidden = true;
    $("overview").hidden = false;
    const numbers = data.series.map((_, number) => number).filter((number) => matches(data.series[number]));
    numbers.sort((a, b) => data.series[b].steps.length - data.series[a].steps.length || a - b); // what moved comes first
    Conduit.frame.say(`${numbers.length} of ${data.series.length}`);
    const wanted = numbers.join(" ");
    if (wanted === listed && $("overview").childElementCount) return;
    listed = wanted;
    $("overview").replaceChildren(...(numbers.length ? numbers.map(tile) : [data.series.length ? Conduit.frame.empty("No series matches the filter.", "Clear the box above, or choose all units.") : Conduit.frame.empty("No runs yet.", "conduit bench -save keeps one.")]));
  }

  // ── one series ──

  let shown = null; // { number, x, at: the position under the pointer }

  function showOne(number) {
    const series = data.series[number];
    $("overview").hidden = true;
    $("one").hidden = false;
    $("one-name").textContent = series.benchmark;
    $("one-facts").textContent = `${series.unit} · ${series.machine} · Python ${series.python} · ${points(number).values.length} commits · ${sensitivity(series)}${/\d/.test(series.smallest_step) ? " within 8 commits (95 of 100)" : ""}`;
    shown = { number, at: null };
    showAxes(series);
    draw();
    showSteps(series);
    showComparison();
  }

  // By commit, or by a parameter that other benchmarks of this name vary.
  function showAxes() {
    const families = Data.families(data.series, shown.number);
    shown.family = families.find(({ label }) => label === state.get("by")) ?? null;
    $("axes").hidden = !families.length;
    $("axes").replaceChildren(...["", ...families.map(({ label }) => label)].map((label) => {
      const button = make("button", { type: "button", className: "key switch" }, label ? `by ${label}` : "by commit");
      button.setAttribute("aria-pressed", String(label === (shown.family?.label ?? "")));
      button.addEventListener("click", () => setState({ by: label || null }));
      return button;
    }));
  }

  function draw() {
    const hint = shown.family ? `Point at a value of ${shown.family.label}; click it for its history.` : "Point at a commit; click two to compare them.";
    $("under").dataset.hint = hint;
    $("under").textContent = hint;
    $("chart").setAttribute("aria-label", shown.family ? `Values by ${shown.family.label}; arrow keys move, Enter opens the history of a value` : "Values by commit; arrow keys move, Enter chooses a commit");
    if (shown.family) drawFamily();
    else drawLarge();
  }

  function scaleKind() {
    return state.get("scale") || "range";
  }

  // The values at the left with a line each; shares of the `first` one on the relative scale. Leaves the font for more.
  function drawMarks(pen, { left, right, y, scale, first, format }) {
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const base = scaleKind() === "relative" && first > 0 ? first : 0;
    const marks = base
      ? Data.ticks(scale.least / base - 1, scale.most / base - 1, 6).map((share) => [base * (1 + share), Data.percent(share)])
      : Data[scaleKind() === "log" ? "logTicks" : "ticks"](scale.least, scale.most, 6).map((value) => [value, Data.format(value, format)]);
    for (const [value, text] of marks) {
      pen.fillStyle = palette.line;
      pen.fillRect(left, Math.round(y(value)), right - left, 1);
      pen.fillStyle = palette.faint;
      pen.fillText(text, left - 8, y(value));
    }
  }

  function drawLarge() {
    const { number } = shown;
    const { pen, width, height } = prepare($("chart"));
    const series = data.series[number], found = points(number);
    const scale = Data.scale(found, scaleKind());
    const left = 78, right = 12, top = 10, bottom = 26;
    const y = (value) => height - bottom - scale.at(value) * (height - top - bottom);
    const count = found.values.length;
    const x = (at) => (count === 1 ? (left + width - right) / 2 : left + (at * (width - left - right)) / (count - 1));
    shown.x = x;
    shown.left = left;
    shown.right = width - right;
    drawMarks(pen, { left, right: width - right, y, scale, first: found.values[0], format: series.format });
    pen.textAlign = "center";
    const labels = Math.max(2, Math.floor((width - left) / 140));
    for (let label = 0; label < labels; label++) {
      const at = Math.round((label * (count - 1)) / (labels - 1));
      pen.fillStyle = palette.faint;
      pen.textAlign = label === 0 ? "left" : label === labels - 1 ? "right" : "center";
      pen.fillText(commitOf(number, at).date.slice(0, 10), x(at), height - 10);
      if (count === 1) break;
    }
    pen.globalAlpha = 0.25;
    pen.fillStyle = palette.accent;
    for (let at = 0; at < count; at++) {
      const upper = y(Data.high(found, at)), lower = y(Data.low(found, at));
      if (lower - upper > 1) pen.fillRect(x(at) - 1.5, upper, 3, lower - upper);
    }
    pen.globalAlpha = 1;
    for (const [first, last, level] of Data.levels(found.values, series.steps.map((step) => step.position))) {
      pen.fillStyle = palette.faint;
      pen.fillRect(x(first), y(level), Math.max(2, x(last) - x(first)), 1.5);
    }
    pen.fillStyle = palette.accent;
    const size = count > 2000 ? 2 : 4;
    for (let at = 0; at < count; at++) pen.fillRect(x(at) - size / 2, y(found.values[at]) - size / 2, size, size);
    for (const step of series.steps) {
      pen.fillStyle = colorOfStep(step);
      pen.fillRect(Math.round(x(step.position - 0.5)), top, 1.5, height - top - bottom);
      pen.textAlign = x(step.position) > width - 90 ? "right" : "left";
      pen.fillText(step.delta, x(step.position - 0.5) + (pen.textAlign === "left" ? 5 : -5), top + 6);
    }
    for (const at of chosen(number)) {
      pen.strokeStyle = palette.ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x(at), y(found.values[at]), 6, 0, 2 * Math.PI);
      pen.stroke();
    }
    shown.room = { top, height: height - top - bottom };
    keepPicture();
  }

  // What the pointer adds is drawn over a copy of the picture: a line a frame, whatever the number of points.
  function keepPicture() {
    shown.picture = document.createElement("canvas");
    shown.picture.width = $("chart").width;
    shown.picture.height = $("chart").height;
    shown.picture.getContext("2d").drawImage($("chart"), 0, 0);
    drawPointer();
  }

  function drawPointer() {
    const canvas = $("chart"), pen = canvas.getContext("2d");
    pen.save();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(shown.picture, 0, 0);
    pen.restore();
    if (shown.at === null) return;
    pen.fillStyle = palette.ink;
    pen.globalAlpha = 0.5;
    pen.fillRect(Math.round(shown.x(shown.at)), shown.room.top, 1, shown.room.height);
    pen.globalAlpha = 1;
  }

  // The benchmarks of a family at the newest commit of the series, or at those that were chosen: a line for each commit.
  function linesOfFamily() {
    const own = points(shown.number), picked = chosen(shown.number);
    const commits = (picked.length ? picked : [own.values.length - 1]).map((at) => own.commits[at]);
    return commits.map((commit) => ({
      commit: data.commits[commit],
      values: shown.family.members.map(({ number }) => {
        const found = points(number), at = found.commits.indexOf(commit);
        return at < 0 ? null : { value: found.values[at], low: Data.low(found, at), high: Data.high(found, at) };
      }),
    }));
  }

  function drawFamily() {
    const { pen, width, height } = prepare($("chart"));
    const series = data.series[shown.number], { family } = shown, lines = linesOfFamily();
    const all = lines.flatMap(({ values }) => values.filter(Boolean));
    const scale = Data.scale({ values: all.map(({ value }) => value), span: all.flatMap(({ value, low, high }) => (value ? [(1 - low / value) * 10000, (high / value - 1) * 10000] : [0, 0])) }, scaleKind());
    const left = 78, right = 30, top = 10, bottom = 26;
    const y = (value) => height - bottom - scale.at(value) * (height - top - bottom);
    const places = Data.spread(family).map((share) => left + 12 + share * (width - left - right - 24));
    Object.assign(shown, { x: (at) => places[at], places, left, right: width - right, lines, room: { top, height: height - top - bottom } });
    drawMarks(pen, { left, right: width - right, y, scale, first: lines[0].values[0]?.value, format: series.format });
    pen.textAlign = "center";
    let end = -Infinity;
    family.members.forEach(({ text }, at) => {
      const room = pen.measureText(text).width / 2 + 6;
      if (places[at] - room < end) return; // no room for all names
      end = places[at] + room;
      pen.fillStyle = palette.faint;
      pen.fillText(text, places[at], height - 10);
    });
    const colours = [palette.accent, palette.ink];
    lines.forEach(({ commit, values }, number) => {
      pen.strokeStyle = pen.fillStyle = colours[number];
      pen.lineWidth = 1.5;
      pen.beginPath();
      let joined = false;
      values.forEach((one, at) => {
        if (one && family.numeric) joined ? pen.lineTo(places[at], y(one.value)) : pen.moveTo(places[at], y(one.value));
        joined = Boolean(one);
      });
      pen.stroke();
      values.forEach((one, at) => {
        if (!one) return;
        pen.globalAlpha = 0.25;
        pen.fillRect(places[at] - 1.5, y(one.high), 3, Math.max(0, y(one.low) - y(one.high)));
        pen.globalAlpha = 1;
        pen.fillRect(places[at] - 3, y(one.value) - 3, 6, 6);
      });
      pen.textAlign = "left";
      pen.fillText(`${commit.id.slice(0, 10)} ${commit.date.slice(0, 10)}`, left + 8, top + 8 + 16 * number);
    });
    keepPicture();
  }

  function describeMember(at) {
    const { number, text } = shown.family.members[at], { format } = data.series[shown.number];
    const told = shown.lines.map(({ commit, values }) => `${commit.id.slice(0, 10)}: ${values[at] ? Data.format(values[at].value, format) : "not measured"}`);
    return `${data.series[number].benchmark} · ${shown.family.label} ${text} · ${told.join(" · ")}`;
  }

  // Positions of the commits in the address that this series has, in the order in which they were chosen.
  function chosen(number) {
    const wanted = (state.get("points") || "").split(",").filter(Boolean);
    const found = points(number);
    return wanted.map((id) => found.commits.findIndex((commit) => data.commits[commit].id.startsWith(id))).filter((at) => at >= 0);
  }

  function describe(number, at) {
    const series = data.series[number], found = points(number), commit = commitOf(number, at);
    const text = (value) => Data.format(value, series.format);
    const span = found.span[2 * at] || found.span[2 * at + 1]
      ? `, 95% interval ${text(Data.low(found, at))} to ${text(Data.high(found, at))}` : "";
    return `${commit.id.slice(0, 10)} · ${commit.date.slice(0, 10)} · ${text(found.values[at])}${span}${commit.subject ? ` · ${commit.subject}` : ""}`;
  }

  function point(at) {
    shown.at = at === null ? null : Math.max(0, Math.min(countOfPlaces() - 1, at));
    $("under").textContent = shown.at === null ? $("under").dataset.hint : shown.family ? describeMember(shown.at) : describe(shown.number, shown.at);
    drawPointer();
  }

  const countOfPlaces = () => (shown.family ? shown.family.members.length : points(shown.number).values.length);

  function choose(at) {
    if (shown.family) { setState({ series: keyOf(data.series[shown.family.members[at].number]), by: null }); return; }
    const id = commitOf(shown.number, at).id.slice(0, 12);
    const before = (state.get("points") || "").split(",").filter(Boolean);
    const next = before.includes(id) ? before.filter((other) => other !== id) : [...before, id].slice(-2);
    const order = (one) => points(shown.number).commits.findIndex((commit) => data.commits[commit].id.startsWith(one));
    setState({ points: next.sort((a, b) => order(a) - order(b)).join(",") });
  }

  function showSteps(series) {
    const rows = series.steps.map((step) => make("tr", {},
      make("td", { className: step.direction }, step.delta), make("td", {}, step.interval), make("td", {}, step.p),
      make("td", { className: "mono" }, step.commits), make("td", {}, step.note)));
    $("steps").hidden = !rows.length;
    $("steps-body").replaceChildren(...rows);
  }

  function showComparison() {
    const [first, second] = chosen(shown.number);
    const panel = $("comparison");
    panel.hidden = second === undefined;
    if (panel.hidden) return;
    const older = commitOf(shown.number, first).id, newer = commitOf(shown.number, second).id;
    const rows = [];
    data.series.forEach((series, number) => {
      const found = points(number);
      const at = [older, newer].map((id) => found.commits.findIndex((commit) => data.commits[commit].id === id));
      if (at[0] < 0 || at[1] < 0) return;
      const [a, b] = at.map((place) => found.values[place]);
      const apart = Data.high(found, at[0]) < Data.low(found, at[1]) || Data.high(found, at[1]) < Data.low(found, at[0]);
      rows.push(make("tr", { className: number === shown.number ? "picked" : "" }, make("td", {}, series.benchmark), make("td", {}, series.unit),
        make("td", {}, Data.format(a, series.format)), make("td", {}, Data.format(b, series.format)),
        make("td", {}, a ? Data.percent(b / a - 1) : "?"), make("td", {}, a === b ? "equal" : apart ? "intervals apart" : "intervals overlap")));
    });
    showTable(older, newer);
    showTests(older, newer);
    $("comparison-title").textContent = `${older.slice(0, 10)} against ${newer.slice(0, 10)}`;
    $("comparison-command").textContent = `conduit history compare ${older.slice(0, 10)} ${newer.slice(0, 10)}`;
    $("comparison-body").replaceChildren(...rows);
  }

  // A file without a server has all that was measured, and tests the two commits itself.
  function showTests(older, newer) {
    const rows = [];
    for (const unit of data.units) {
      const found = [];
      data.series.forEach((series, number) => {
        if (series.unit !== unit || !series.counts) return;
        const all = points(number), [a, b] = [older, newer].map((id) => all.commits.findIndex((commit) => data.commits[commit].id === id));
        if (a < 0 || b < 0 || !all.samples[a].length || !all.samples[b].length) return;
        const cell = (at) => `${Data.format(all.values[at], series.format)} ± ${Data.range(all, at)}`;
        const { delta, test } = Data.compare(all.samples[a], all.samples[b], all.values[a], all.values[b]);
        const better = { "B/s": true, "ops/s": true }[unit] === delta.startsWith("+");
        found.push([all.values[a], all.values[b]]);
        rows.push(make("tr", { className: number === shown.number ? "picked" : "" }, make("td", {}, series.benchmark), make("td", {}, unit), make("td", {}, cell(a)), make("td", {}, cell(b)),
          make("td", { className: delta === "~" || !/[1-9]/.test(delta) ? "" : better ? "better" : "worse" }, delta), make("td", {}, test)));
      });
      const means = [0, 1].map((side) => Data.geomean(found.map((pair) => pair[side])));
      if (found.length > 1 && means[0] && means[1]) rows.push(make("tr", {}, make("td", {}, "geomean"), make("td", {}, unit), make("td", {}, ""), make("td", {}, ""), make("td", {}, Data.percent(means[1] / means[0] - 1)), make("td", {}, "")));
    }
    $("comparison-tests").hidden = !rows.length;
    $("comparison-tests-body").replaceChildren(...rows);
    if (!data.served) $("comparison-facts").hidden = $("comparison-hint").hidden = Boolean(rows.length);
  }

  // Where the page is served, benchstat's table with p-values takes the place of medians and intervals.
  let asked = "";
  function showTable(older, newer) {
    const wanted = `compare?old=${older}&new=${newer}`;
    const table = $("comparison-text");
    const show = (text) => { table.textContent = text; table.hidden = !text; $("comparison-facts").hidden = Boolean(text); $("comparison-hint").hidden = Boolean(text); };
    if (!data.served || wanted === asked) return;
    asked = wanted;
    show("");
    fetch(wanted).then(async (answer) => {
      const text = answer.ok ? (await answer.json()).table : await answer.text();
      if (asked === wanted) show(text);
    }).catch(() => { asked = ""; });
  }

  // ── controls ──

  function show() {
    readPalette();
    $("filter").value = state.get("filter") || "";
    $("unit").value = state.get("unit") || "";
    $("only-steps").checked = Boolean(state.get("steps"));
    for (const button of document.querySelectorAll("[data-scale]")) button.setAttribute("aria-pressed", String(button.dataset.scale === scaleKind()));
    const number = state.get("series") ? data.series.findIndex((series) => keyOf(series) === state.get("series")) : -1;
    if (number >= 0) showOne(number);
    else showOverview();
  }

  // What the page holds, in the line below the bar.
  function tellWhole() {
    const { counted } = Conduit.frame;
    const dates = data.commits.map(({ date }) => date.slice(0, 10)).filter(Boolean).sort();
    const names = (key) => [...new Set(data.series.map((series) => series[key]))].sort().join(", ");
    $("facts").textContent = [`${Conduit.frame.thousands(data.series.length)} series`, counted(data.commits.length, "commit"), dates.length ? `${dates[0]} to ${dates.at(-1)}` : ""].filter(Boolean).join(" · ");
    $("legend").textContent = data.series.length ? `Machines: ${names("machine")}\nPython: ${names("python")}` : "No run is kept.";
  }

  tellWhole();
  $("unit").append(make("option", { value: "" }, "all units"), ...data.units.map((unit) => make("option", { value: unit }, unit)));
  $("filter").addEventListener("input", () => { state.set("filter", $("filter").value); history.replaceState(null, "", `#${state}`); if (state.get("series")) setState({ series: null }); else showOverview(); });
  $("unit").addEventListener("change", () => setState({ unit: $("unit").value, series: null }));
  $("only-steps").addEventListener("change", () => setState({ steps: $("only-steps").checked ? "1" : null, series: null }));
  $("back").addEventListener("click", (event) => { event.preventDefault(); setState({ series: null, points: null }); });
  for (const button of document.querySelectorAll("[data-scale]")) button.addEventListener("click", () => setState({ scale: button.dataset.scale }));

  const chart = $("chart");
  const positionAt = (event) => {
    if (shown.family) return shown.places.reduce((best, place, at) => (Math.abs(place - event.offsetX) < Math.abs(shown.places[best] - event.offsetX) ? at : best), 0);
    const count = points(shown.number).values.length;
    const share = (event.offsetX - shown.left) / (shown.right - shown.left || 1);
    return Math.round(share * (count - 1));
  };
  chart.addEventListener("pointermove", (event) => point(positionAt(event)));
  chart.addEventListener("pointerleave", () => point(null));
  chart.addEventListener("click", (event) => choose(Math.max(0, Math.min(countOfPlaces() - 1, positionAt(event)))));
  chart.addEventListener("keydown", (event) => {
    const count = countOfPlaces();
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -count, End: count };
    if (event.key in moves) { event.preventDefault(); point((shown.at === null ? count - 1 - (moves[event.key] > 0 ? count : 0) : shown.at) + moves[event.key]); }
    else if (event.key === "Enter" && shown.at !== null) choose(shown.at);
  });
  const keys = [["← →", "the commit before, after"], ["Page Up, Page Down", "ten commits"], ["Home, End", "the first, the last commit"], ["Enter", "choose the commit, to compare two"]];
  Conduit.frame.fillPageMenu(document.querySelector("#menu-show .items"));
  Conduit.frame.listen({
    search: $("filter"),
    escape: () => { if (state.get("series")) setState({ series: null, points: null }); },
    keys: () => (state.get("series") ? keys : []),
  });
  window.addEventListener("popstate", () => { replaceState(state, location.hash.slice(1)); show(); });
  const redraw = () => { readPalette(); if (!$("one").hidden) draw(); else for (const canvas of document.querySelectorAll(".spark")) if (drawn.has(canvas)) drawSmall(canvas, Number(canvas.dataset.series)); };
  window.addEventListener("resize", redraw);
  Conduit.frame.onColours(redraw);
  show();
})();
