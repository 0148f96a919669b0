// What changed most between a profile and its base: amounts before and after, sorted by the change. A row leads to its
// function in the flame graph. Of several profiles a side: their means, each one's amount, and first what moved beyond
// chance; of one profile a side, first the changes beyond sampling error.
//
// The table opens on the reader's functions with the others' code that they called: by their own amounts alone, the first
// rows are a library's inner functions, and with all callees they are main and the framework that called everything.
"use strict";

Conduit.page.views.changes = (() => {
  const { make, data, state, note } = Conduit.page;
  const { leading, searching } = Conduit.rows(Conduit.page);
  const { thousands } = Conduit.frame;
  let content, body, pattern, key, sure;

  function rows() {
    const certain = (row) => (content.repeats ? row[key].moved : !row[key].noise);
    const found = [...content.rows].sort((a, b) => Boolean(certain(b)) - Boolean(certain(a))
      || Math.abs(b[key].value) - Math.abs(a[key].value) || (a.name < b.name ? -1 : 1));
    return found.filter((row) => row[key].value && (!sure || certain(row)));
  }

  // Each profile's amount as a stroke, before above after, on one scale from 0.
  function strip([before, after]) {
    const WIDE = 90, most = Math.max(...before, ...after, 1), least = Math.min(...before, ...after, 0);
    const path = (values, y) => values.map((value) => `M${(1 + ((value - least) / (most - least)) * (WIDE - 2)).toFixed(1)} ${y}v6`).join("");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of [["viewBox", `0 0 ${WIDE} 16`], ["width", WIDE], ["height", 16], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
    for (const [values, y, className] of [[before, 1, "before"], [after, 9, "after"]]) {
      const line = document.createElementNS(svg.namespaceURI, "path");
      line.setAttribute("d", path(values, y));
      line.setAttribute("class", className);
      svg.append(line);
    }
    return svg;
  }

  // The function, and of a long path its last two parts.
  function named({ name, function: text }, link, noise) {
    const path = name.startsWith(`${text} `) ? name.slice(text.length + 1) : "", parts = path.split("/");
    link.append(text);
    return make("td", { title: name }, link, path ? make("small", {}, `  ${parts.length > 3 ? `…/${parts.slice(-2).join("/")}` : path}`) : "",
      noise ? make("small", { className: "maybe" }, "may be noise") : "");
  }

  function tested({ p, moved, each }) {
    if (!content.repeats) return [];
    return [make("td", { className: "each optional" }, strip(each)), make("td", { className: "optional" }, p ?? "–"), make("td", { className: moved ? "verdict moved" : "verdict" }, moved ? "moved" : p === null ? "too small" : "may be chance")];
  }

  // How many samples the amounts of a row stand for.
  function weighed({ samples }) {
    return counted() ? [make("td", { className: "optional" }, samples.map((count) => thousands(count)).join(" → "))] : [];
  }

  const counted = () => Boolean(content.rows[0][key].samples);

  function fill() {
    const found = rows();
    if (!found.length) { body.replaceChildren(make("tr", {}, make("td", { colSpan: 9, className: "none" }, !sure ? "No function changed." : content.repeats ? "No function moved beyond chance." : "No change is more than may be noise."))); return; }
    body.replaceChildren(...found.map((row) => {
      const { before, after, change, percent, value, noise } = row[key];
      const mark = noise || (content.repeats?.canTell && !row[key].moved) ? "" : value > 0 ? "grew" : value < 0 ? "shrank" : "";
      const link = Conduit.page.link("flamegraph", { p: Conduit.page.exactly([row.function]), z: null }, { tabIndex: -1, title: "its callers and callees in the flame graph" });
      const line = make("tr", { tabIndex: 0, className: `${pattern?.test(row.name) ? "hit" : ""}${noise ? " noise" : ""}` }, make("td", { className: "optional" }, before), make("td", { className: "optional" }, after),
        make("td", { className: mark }, change), make("td", { className: mark }, percent), ...weighed(row[key]), ...tested(row[key]), named(row, link, noise));
      return leading(line, row.function, link);
    }));
  }

  function totals() {
    const { before, after, change, normalised } = content;
    if (data.grows && !normalised) return make("p", { className: "explain totals" }, make("span", {}, `In all ${before} before, ${after} after (${change}): one process at two times.`));
    const link = data.file ? null : Conduit.page.link("changes", { norm: normalised ? null : "t" }, {}, normalised ? "Show totals as recorded" : "Make totals equal");
    const means = content.repeats ? "Amounts are means of a profile. " : "";
    const text = means + (normalised
      ? `Totals are made equal: the amounts after are scaled so that both sides have ${before} in all. A change is a change of the share. `
      : `In all ${before} before, ${after} after (${change}). Totals are as recorded: where one side was recorded for longer, all of it is larger. `);
    return make("p", { className: "explain totals" }, make("span", {}, text), link || "");
  }

  // How many functions moved, by which test, and what that means.
  function verdict() {
    const { repeats } = content;
    if (!repeats) {
      const sampling = counted() ? `Grey: with so few samples the change may be chance (test at 5%). ${elsewhere()}` : "";
      if (data.grows) return make("p", { className: "explain verdicts" }, sampling);
      return make("p", { className: "explain verdicts" }, make("span", {}, sampling, "Runs differ as well: that shows with four or more profiles of each side, ",
        make("code", {}, "conduit pprof -http=:8080 -diff_base=OLD1,OLD2,… NEW1 NEW2 …")));
    }
    const { before, after, tested: counts, moved, canTell, needed } = repeats;
    const text = canTell
      ? `${before} ${before === 1 ? "profile" : "profiles"} before, ${after} after: ${moved[key]} of ${counts[key]} ${counts[key] === 1 ? "function" : "functions"} moved beyond chance. The other changes may be chance. ${needed[key] ? `With so few profiles, a function that moved alone cannot be told from chance; ${needed[key]} of each side would show it. ` : ""}${elsewhere()}`
      : `${before} ${before === 1 ? "profile" : "profiles"} before, ${after} after: too few to tell a change from chance. Record four or more of each side. `;
    const more = make("details", { className: "how" }, make("summary", {}, "How this is tested"),
      make("p", {}, "Each profile is one measurement of each function. The measurements before and after are compared by the Mann–Whitney U test, as benchstat compares benchmarks. ",
        `p is adjusted for the ${counts[key]} ${counts[key] === 1 ? "function" : "functions"} tested (Benjamini–Hochberg): of those that moved, with p up to 0.05, about one in twenty is chance. `,
        "Functions with less than 0.5% of the total are not tested. Strokes: each profile's amount, before above, after below, from 0."));
    return make("div", { className: "explain verdicts" }, make("strong", {}, text), more);
  }

  // Which other amounts have changes that are certain, where the ones on show have none.
  function elsewhere() {
    const certain = (name) => content.rows.filter((row) => row[name].value && (content.repeats ? row[name].moved : !row[name].noise)).length;
    if (certain(key)) return "";
    const others = content.keys.filter((name) => certain(name)).map((name) => `${thousands(certain(name))} under “${KINDS[name][0]}”`);
    return others.length ? `More than chance: none of these, ${others.join(", ")}. ` : "";
  }

  function onlyMoved() {
    if (!(content.repeats ? content.repeats.canTell : counted())) return null;
    const button = make("button", { type: "button", className: "key switch", "aria-pressed": String(sure) }, content.repeats ? "Only what moved" : "Without noise");
    button.addEventListener("click", () => { sure = !sure; note({ moved: sure ? "t" : null }, true); button.setAttribute("aria-pressed", String(sure)); fill(); });
    return button;
  }

  const measured = () => `Amounts: ${KINDS[key][1]}.`;

  const KINDS = { code: ["Your code", "each of your functions, with the libraries and the standard library that it called"], flat: ["Self", "each function itself"], cum: ["Total, with callees", "each function with everything that it called"] };
  const standard = () => (content.keys.includes("code") ? "code" : "flat");

  function kinds() {
    return make("span", { className: "keys-more", role: "group", "aria-label": "Amounts" }, ...Object.entries(KINDS).filter(([name]) => content.keys.includes(name)).map(([name, [text, title]]) => {
      const button = make("button", { type: "button", className: "key switch", "aria-pressed": String(key === name), "data-key": name, title }, text);
      button.addEventListener("click", () => {
        key = name;
        note({ by: key === standard() ? null : key }, true);
        for (const each of button.parentElement.querySelectorAll("[data-key]")) each.setAttribute("aria-pressed", String(each === button));
        const opened = document.querySelector(".how")?.open;
        document.querySelector(".verdicts")?.replaceWith(verdict());
        if (opened) document.querySelector(".how").open = true;
        document.querySelector(".measured").textContent = measured();
        fill();
      });
      return button;
    }), onlyMoved() ?? "", make("span", { className: "measured" }, measured()));
  }

  function draw(main, given) {
    content = given; pattern = null;
    if (!content) return;
    const [wanted] = (state.get("by") || "").split(","); // other tables, whose order may be turned, share it
    key = content.keys.includes(wanted) ? wanted : standard();
    if (!content.rows.length) { main.append(Conduit.page.empty("No function is left to compare.", data.remedy)); return; }
    body = make("tbody");
    sure = state.get("moved") === "t" && Boolean(content.repeats || counted());
    const head = ["Before", "After", "Change", "Change %", ...(counted() ? ["Samples"] : []), ...(content.repeats ? ["Each profile", "p", "Verdict"] : []), "Name"].map((text, n) => make("th", { scope: "col", className: /Before|After|Each|Samples|^p$/.test(text) ? "optional" : "", "aria-sort": n === 2 ? "descending" : "none" }, text));
    Conduit.page.restore(content.rows.map((row) => row.function));
    main.append(totals(), verdict(), kinds(), make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Changes" },
      make("table", { className: content.repeats ? "top changes tested" : "top changes" }, make("thead", {}, make("tr", {}, ...head)), body)));
    fill();
  }

  return { draw, search: searching({ body: () => body, fill: (regexp) => { pattern = regexp; fill(); } }) };
})();
