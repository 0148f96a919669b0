// The frame that every page shares: elements, the address, colours, the keyboard, menus, tables. A page calls `listen`
// once. Nothing here touches the document before it is called, so that Node's test runner can load it.
"use strict";

globalThis.Conduit ??= {};

Conduit.frame = (() => {
  const THEMES = ["system", "light", "dark"];
  const recolourings = [];
  const $ = (id) => document.getElementById(id);

  // make("div", {className: "x", onclick: f}, "text", [child, null]): text stays text, and null is nothing.
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === null || value === undefined) continue;
      if (name in element && !name.startsWith("aria-") && name !== "role") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return element;
  }

  const data = () => JSON.parse($("data").textContent);

  // ── the address ──

  // Parameters with some of them changed; an empty value takes one away.
  function changed(parameters, changes) {
    const next = new URLSearchParams(parameters);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") next.delete(name);
      else next.set(name, value);
    }
    return next;
  }

  // Fill `state` with what another query says, in place.
  function replaceState(state, query) {
    for (const name of [...state.keys()]) state.delete(name);
    for (const [name, value] of new URLSearchParams(query)) state.set(name, value);
  }

  // ── texts ──

  // 1234567 → 1,234,567. A browser loads its tables of languages for the first toLocaleString, before the first picture.
  const thousands = (number) => String(number).replace(/\B(?=(?:\d{3})+$)/g, ",");

  const counted = (number, noun) => `${thousands(number)} ${number === 1 ? noun : `${noun}s`}`;

  // What a page says when there is nothing to draw, and what to do about it.
  function empty(message, remedy) {
    return make("div", { className: "empty" }, make("p", {}, make("strong", {}, message)), remedy === undefined ? null : make("p", {}, remedy));
  }

  async function copy(text) {
    try { await navigator.clipboard.writeText(text); }
    catch { // without a secure context there is no clipboard for scripts
      const field = make("textarea", { value: text, readOnly: true });
      document.body.append(field); field.select(); document.execCommand("copy"); field.remove();
    }
    say("copied");
  }

  function say(text) { const output = $("matched"); if (output) output.textContent = text; }

  // ── colours ──

  function kept() {
    try { return localStorage.getItem("conduit-theme"); } catch { return null; } // storage may be off
  }

  function wear(theme) {
    if (theme && theme !== "system") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  }

  function setTheme(theme) {
    wear(theme);
    try { localStorage.setItem("conduit-theme", theme); } catch { /* storage may be off: then it lasts for this page */ }
    for (const recolour of recolourings) recolour();
  }

  function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  // `recolour` is called when the colours change, for what CSS does not reach (canvas).
  function onColours(recolour) {
    recolourings.push(recolour);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  }

  // ── menus ──

  const entry = (text, action) => make("button", { type: "button", onclick: () => { closeMenus(); action(); } }, text);

  // The one that is worn has a tick (frame.css).
  function look(theme) {
    const made = entry(`${theme} colours`, () => setTheme(theme));
    made.dataset.look = theme;
    return made;
  }

  function fillLooks(items) {
    items.append(make("h2", {}, "Page"), ...THEMES.map(look), entry("Keyboard", showKeys));
  }

  function fillTakeAlong(items, more = []) {
    items.append(entry("Copy a link to this view", () => copy(location.href)), ...more.map(([text, action]) => entry(text, action)));
  }

  function fillPageMenu(items, more = []) {
    fillLooks(items);
    items.append(make("h2", {}, "Take along"));
    fillTakeAlong(items, more);
  }

  // Close the menus that are open, and return the first of them.
  function closeMenus(except = null) {
    const open = [...document.querySelectorAll(".menu[open]")].filter((menu) => menu !== except);
    for (const menu of open) menu.open = false;
    return open[0] || null;
  }

  function closeHelp() {
    const help = document.querySelector(".help[open]");
    if (help) help.open = false;
    return help;
  }

  // ── bars that scroll on ──

  const heldCues = new WeakMap(); // element → its observer

  // An arrow at the end where a bar goes on beyond the window's edge, which a narrow window has (frame.css); a click on it
  // scrolls there. The current link is scrolled into view. Call it again where the bar's content changed.
  function cue(bar) {
    for (const old of [...bar.children]) if (old.matches(".cue")) old.remove();
    const arrow = (className, text, to) => make("span", { className: `cue ${className}`, "aria-hidden": "true", onclick: () => bar.scrollBy({ left: to * bar.clientWidth * 0.7, behavior: "smooth" }) }, text);
    const back = arrow("back", "‹", -1), ahead = arrow("ahead", "›", 1);
    bar.prepend(back);
    bar.append(ahead);
    const current = bar.querySelector("[aria-current]");
    // The current link stands between the arrows, also after the window became narrower.
    const reach = () => {
      if (!current || bar.scrollWidth <= bar.clientWidth) return;
      const room = back.offsetWidth + 4, box = current.getBoundingClientRect(), frame = bar.getBoundingClientRect();
      if (box.left < frame.left + room) bar.scrollLeft += box.left - frame.left - room;
      else if (box.right > frame.right - room) bar.scrollLeft += box.right - frame.right + room;
    };
    // The arrow ahead says how many controls stand behind it.
    const update = () => {
      back.style.visibility = bar.scrollLeft > 2 ? "visible" : "hidden";
      const more = bar.scrollLeft + bar.clientWidth < bar.scrollWidth - 3;
      ahead.style.visibility = more ? "visible" : "hidden";
      const edge = bar.getBoundingClientRect().right - (more ? back.offsetWidth : 0);
      const behind = more ? [...bar.querySelectorAll("a, button, summary, select")].filter((one) => one.offsetWidth && one.getBoundingClientRect().right > edge + 2).length : 0;
      ahead.textContent = behind ? `${behind} ›` : "›";
    };
    bar.onscroll = update;
    heldCues.get(bar)?.disconnect();
    // Called first once the page has been laid out, before it is painted: to measure now would lay it out once more.
    const observer = new ResizeObserver(() => { reach(); update(); });
    heldCues.set(bar, observer);
    observer.observe(bar);
    return bar;
  }

  // ── tables ──

  // Where the window is narrow, a row of a stacked table stands in lines instead of columns (frame.css). The style takes the
  // roles of a table from its elements, so they are named; `quiet` columns are understood without their heading.
  function stacked(header, quiet = []) {
    const labels = header.map((text) => (text && !quiet.includes(text) ? text : ""));
    return (row) => {
      row.setAttribute("role", "row");
      [...row.children].forEach((cell, at) => {
        cell.setAttribute("role", cell.matches("th") ? "rowheader" : "cell");
        if (at && labels[at]) cell.dataset.label = labels[at];
        if (!cell.textContent) cell.classList.add("void");
      });
      return row;
    };
  }

  const QUIET = ["type", "documentation", "location", "path", "method", "guards", "handler", "what", "kind", "step"];

  // A table of facts: rows of cells, or rows that are elements already.
  function table(header, rows, { className = "", label = "" } = {}) {
    const heads = header.map((text) => make("th", { scope: "col" }, text || make("span", { className: "hidden" }, "mark")));
    const body = make("tbody", {}, rows.map((cells) => (Array.isArray(cells) ? make("tr", {}, cells.map((cell) => make("td", {}, cell))) : cells)));
    if (/\brows\b/.test(className)) [...body.children].forEach(stacked(header, QUIET));
    return framed(heads, body, { className, label: label || header.filter(Boolean).join(", ") });
  }

  // The table of heads and body in a region that scrolls; one of class `rows` is stacked where the window is narrow.
  function framed(heads, body, { className = "", label }) {
    const stack = /\brows\b/.test(className);
    const role = (name) => (stack ? { role: name } : {});
    if (stack) for (const head of heads) head.setAttribute("role", "columnheader");
    if (stack) body.setAttribute("role", "rowgroup");
    return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label },
      make("table", { className: `facts ${className} ${stack ? "stack" : ""}`.trim(), ...role("table") }, make("thead", role("rowgroup"), make("tr", role("row"), heads)), body));
  }

  // The arrow keys lead from one row to the next: rows that take the focus, or the same link of the next row.
  function moveInRows(event) {
    const row = event.target.closest?.("tbody tr, li.node");
    if (!row) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    const rows = [...row.closest("main").querySelectorAll(row.matches("tr") ? "tbody tr" : "li.node")].filter((one) => one.offsetParent !== null);
    const links = [...row.querySelectorAll("a, summary")];
    const at = Math.max(0, links.indexOf(event.target));
    for (let number = rows.indexOf(row) + step; rows[number]; number += step) {
      const there = event.target === row ? [rows[number]] : [...rows[number].querySelectorAll("a, summary")];
      if (there.length) { event.preventDefault(); there[Math.min(at, there.length - 1)].focus(); return; }
    }
  }

  // ── the keyboard ──

  const isTyping = (element) => /^(INPUT|SELECT|TEXTAREA)$/.test(element?.tagName || "") || Boolean(element?.isContentEditable);

  const COMMON_KEYS = [["/", "search"], ["↑ ↓", "the row above, the row below"], ["Esc", "close, go back"], ["?", "these keys"]];
  let pageKeys = () => [];

  // The keys of the page and of the view on show, in a dialog.
  function showKeys() {
    $("keys")?.remove();
    const rows = [...COMMON_KEYS, ...pageKeys()];
    const close = make("button", { type: "button", onclick: () => dialog.close() }, "Close");
    const dialog = make("dialog", { id: "keys", "aria-labelledby": "keys-title" }, make("h2", { id: "keys-title" }, "Keyboard"),
      make("dl", { className: "keys-list" }, rows.map(([key, meaning]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, meaning)])),
      make("p", { className: "buttons" }, close));
    document.body.append(dialog);
    dialog.addEventListener("close", () => dialog.remove());
    dialog.showModal();
  }

  // `search`: the box that / leads to. `key(event)`: the page's own keys, before the shared ones; true where it took one.
  // `escape()`: closes the rest when no menu is open. `keys()`: [key, meaning] of the view on show.
  function listen({ search = null, key = () => false, escape = () => {}, keys = () => [] } = {}) {
    pageKeys = keys;
    document.addEventListener("click", (event) => closeMenus(event.target.closest?.(".menu") || null));
    document.addEventListener("keydown", (event) => onKey(event, { search, key, escape }));
  }

  function onKey(event, { search, key, escape }) {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key(event)) { event.preventDefault(); return; }
    if (event.key === "Escape") {
      const opened = closeMenus() || closeHelp();
      if (opened) opened.querySelector("summary").focus();
      else escape(event);
      return;
    }
    if (isTyping(event.target)) return;
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); search.select?.(); }
    else if (event.key === "?") { event.preventDefault(); showKeys(); }
    else moveInRows(event);
  }

  if (typeof document !== "undefined") wear(kept());

  return { $, make, data, changed, replaceState, thousands, counted, empty, copy, say, setTheme, isDark, onColours, fillPageMenu, fillLooks, fillTakeAlong, closeMenus, cue, table, framed, stacked: (header) => stacked(header, QUIET), moveInRows, isTyping, showKeys, listen };
})();

if (typeof module !== "undefined") module.exports = Conduit.frame;
