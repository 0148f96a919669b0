// The functions beside the flame graph: own and whole amounts, sorted by either. Hovering a row marks its boxes, and a
// hovered box its row; a click selects the function, with its callers above and its callees below in the picture.
"use strict";

globalThis.Conduit ??= {};

Conduit.flameTable = (content, tree, { hover, choose, menu }) => {
  const { make, note, state } = Conduit.page;
  const { amount, percent } = Conduit.units;
  const FIRST = 200; // rows that are made unless more are asked for
  const AT_ONCE = Math.ceil(innerHeight / 20) + 4; // of these, made at first: no row is lower than 20 pixels
  const [least, share, most, numbers] = content.difference ? [380, 0.42, 640, 330] : [340, 0.32, 500, 270]; // pixels and a part of the window, as the styles have them
  const wide = innerWidth <= 900 ? innerWidth - 20 : Math.min(most, Math.max(least, innerWidth * share));
  const ROOM = innerWidth <= 640 ? 60 : Math.max(14, Math.floor((wide - numbers) / 6.4)); // letters in the column of names, which wraps where it is narrow

  // Of a comparison each number is a change; with only the reader's code, that of the libraries it called is in its own.
  const columns = [["flat", content.difference ? "Self change" : tree.folded ? "Self + libraries" : "Self"], ["cum", content.difference ? "Total change" : "Total"], ["name", "Function"]];
  let [key, turned] = (state.get("by") || "flat").split(",");
  if (!columns.some(([name]) => name === key)) key = "flat";
  let pattern = null, selected = null, shown = FIRST;
  let waiting = []; // rows to make once the reader scrolls to where they stand
  const elements = new Map(); // source → row
  const body = make("tbody");
  const base = content.bases ? make("small", { className: "base" }, "% of all before") : null; // each share names its base
  const headings = columns.map(([name, text]) => make("th", { scope: "col" }, make("button", { type: "button", onclick: () => sortBy(name) }, text), name === "name" ? null : base?.cloneNode(true)));
  const more = make("button", { type: "button", className: "more", onclick: () => { shown += 1000; fill(Infinity); } });
  const end = make("div", { className: "end", "aria-hidden": "true" }); // comes into sight where the rows that are made end
  const element = make("div", { className: "side" },
    make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Functions" },
      make("table", { className: content.difference ? "top functions signed" : "top functions" }, make("thead", {}, make("tr", {}, ...headings)), body), end, more));

  function sortBy(name) {
    turned = key === name && !turned ? "turned" : "";
    key = name;
    note({ by: key === "flat" && !turned ? null : key + (turned ? ",turned" : "") }, true);
    fill();
  }

  function cell(value) {
    const sign = !content.difference || !value ? "" : value > 0 ? "+" : "-";
    const share = sign + percent(value, content.total);
    return make("td", { title: base ? `${share} of the ${amount(content.total, content.amounts)} before` : share, className: sign === "+" ? "grew" : sign ? "shrank" : "" }, (sign === "+" ? sign : "") + amount(value, content.amounts), make("small", {}, share));
  }

  // A long name loses its package: its end tells functions apart.
  function fitting(source, name) {
    const found = Conduit.flameTree.spellings(name, tree.shortNames?.[source]);
    return found.find((text) => text.length <= ROOM) || found.at(-1);
  }

  function line({ source, name, file, flat, cum }) {
    const row = make("tr", { tabIndex: 0 }, cell(flat), cell(cum), make("td", { title: file ? `${name}  ${file}` : name }, fitting(source, name)));
    row.source = source;
    elements.set(source, row);
    return row;
  }

  // The rows' events, heard by their table: a listener of its own for each row would cost as much as the row.
  function listen() {
    const sourceOf = (event) => event.target.closest("tr")?.source ?? 0;
    let hovered = 0;
    const enter = (source) => { if (source !== hovered) hover((hovered = source)); };
    for (const type of ["pointerover", "focusin"]) body.addEventListener(type, (event) => enter(sourceOf(event)));
    for (const type of ["pointerleave", "focusout"]) body.addEventListener(type, () => enter(0));
    body.addEventListener("click", (event) => { if (sourceOf(event)) choose(sourceOf(event)); });
    body.addEventListener("contextmenu", (event) => { if (sourceOf(event)) menu(event, sourceOf(event), event.target.closest("tr")); });
    body.addEventListener("keydown", (event) => {
      const source = sourceOf(event), row = event.target.closest("tr");
      if (!source || (event.key !== " " && event.key !== "Enter")) return;
      event.preventDefault();
      choose(source);
      row.isConnected ? row.focus() : elements.get(source)?.focus();
    });
    const scrolled = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) complete(); }, { root: element.querySelector(".scroll"), rootMargin: "100px" });
    scrolled.observe(end);
  }

  // With only the reader's code in the picture, a function's own amount holds that of the others it called.
  function shownRows() {
    if (!tree.folded) return content.rows;
    const own = new Map();
    for (let n = 1; n < tree.count; n += 1) own.set(tree.sources[n], (own.get(tree.sources[n]) || 0) + tree.values[n] - (tree.negatives?.[n] || 0));
    return content.rows.filter(([source]) => tree.owners[source] === "project").map(([source, flat, cum]) => [source, content.hidden?.length ? flat : own.get(source) ?? flat, cum]);
  }

  function fill(atOnce = AT_ONCE) {
    const rows = shownRows().map(([source, flat, cum]) => ({ source, flat, cum, name: tree.names[source], file: tree.files[source] }))
      .filter(({ name }) => !pattern || pattern.test(name));
    rows.sort(key === "name" ? (a, b) => (a.name < b.name ? -1 : 1) : (a, b) => Math.abs(b[key]) - Math.abs(a[key]) || (a.name < b.name ? -1 : 1));
    if (turned) rows.reverse();
    columns.forEach(([name], n) => headings[n].setAttribute("aria-sort", name !== key ? "none" : (name === "name") === Boolean(turned) ? "descending" : "ascending"));
    elements.clear();
    const wanted = rows.slice(0, shown);
    body.replaceChildren(...wanted.slice(0, atOnce).map(line));
    if (pattern && !rows.length) body.append(make("tr", {}, make("td", { colSpan: 3, className: "none" }, found())));
    waiting = wanted.slice(atOnce);
    end.hidden = !waiting.length;
    more.hidden = rows.length <= shown;
    more.textContent = `${Conduit.frame.thousands(rows.length - shown)} more`;
    select(selected);
  }

  function found() {
    const others = tree.folded ? content.rows.filter(([source]) => pattern.test(tree.names[source])).length : 0;
    return others ? `${others === 1 ? "1 function that matches is" : `${Conduit.frame.thousands(others)} functions that match are`} hidden by “Only your code”.` : "No function matches.";
  }

  function complete() {
    body.append(...waiting.map(line));
    waiting = [];
    end.hidden = true;
  }

  // Marks the row of a box that is pointed at, without scrolling: the eye is on the picture.
  function mark(source) {
    for (const row of body.querySelectorAll(".marked")) row.classList.remove("marked");
    elements.get(source)?.classList.add("marked");
  }

  function select(source) {
    selected = source;
    if (source && !elements.has(source)) complete();
    for (const row of body.querySelectorAll(".picked")) { row.classList.remove("picked"); row.removeAttribute("aria-selected"); }
    const row = elements.get(source);
    if (!row) return;
    row.classList.add("picked");
    row.setAttribute("aria-selected", "true");
    const box = row.getBoundingClientRect(), frame = body.closest(".scroll").getBoundingClientRect();
    if (box.top < frame.top + 30 || box.bottom > frame.bottom) body.closest(".scroll").scrollTop += box.top - frame.top - frame.height / 2;
  }

  fill();
  listen();
  return { element, mark, select, search: (regexp) => { pattern = regexp; shown = FIRST; fill(); }, remove: () => element.remove() };
};
