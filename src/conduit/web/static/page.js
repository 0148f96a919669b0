// The profile page around its views: where we are (the URL), the menus, the search box, the selection.
// The server sends one JSON document; every name in it is put on the page as text, never as markup.
"use strict";

globalThis.Conduit ??= {};

Conduit.page = (() => {
  const { $, make, changed, replaceState, copy, empty, say: matched } = Conduit.frame;
  const data = Conduit.frame.data(); // replaced in place by `load`
  const state = new URLSearchParams(data.file ? location.hash.split("?")[1] || "" : location.search);
  const selected = new Set();
  const views = {};
  let pattern = null;
  let opener = null; // had the focus before the context menu opened

  // ── where we are ──

  const current = () => (data.file ? (location.hash.slice(1).split("?")[0] || "flamegraph") : data.view);

  function address(view, changes = {}) {
    const elsewhere = view === current() ? {} : { fn: listed(view) }; // the functions that Source or Peek list belong to that view
    const query = changed(state, { first: null, ...elsewhere, ...changes }).toString(); // and so does the page of a long list
    return (data.file ? "#" : "./") + view + (query ? `?${query}` : "");
  }

  // The expression of a function from that of one of its lines, `^name:18$` or `^name file:18$`.
  function withoutPlace(expression) {
    const bare = Conduit.flameTree.bareExpression(expression);
    return bare === expression ? expression : bare.replace(/ \S*[/\\]\S*\$$/, "$");
  }

  // What Source or Peek list when they are come to from another view: the function that is selected.
  function listed(view) {
    const named = state.get("p") || "", row = [...functions.keys()].find((name) => exactly([name]) === named);
    const one = row ? exactly([functions.get(row)]) : withoutPlace(named);
    if (!one || data.failed) return null;
    if (view === "peek") return data.file ? null : one.replace(/\$$/, "( |$)");
    if (view !== "source" || !data.file) return view === "source" ? one : null;
    return data.views.source?.functions?.some(({ name }) => exactly([name]) === one) ? one : null; // a file holds the heaviest
  }

  // A link to a view or to other numbers of one. Its address follows what `note` changes, until it is clicked.
  function link(view, changes, properties, ...children) {
    const made = make("a", { ...properties, href: address(view, changes) }, ...children);
    made.leadsTo = () => address(view, changes);
    return made;
  }

  function refreshLinks() {
    for (const one of document.querySelectorAll("a[href]")) if (one.leadsTo) one.href = one.leadsTo();
  }

  function go(view, changes = {}) {
    if (data.file) location.href = address(view, changes);
    else load(address(view, changes));
  }

  // Parameters that only the drawing depends on; the server is asked again where one of the others changes.
  const DRAWING = new Set(["p", "z", "order", "mine", "fade", "colour", "by", "sel", "frames", "open", "pictures", "table", "lines", "moved"]);

  function question(url) {
    const found = new URL(url, location.href);
    const asked = [...found.searchParams].filter(([name]) => !DRAWING.has(name)).sort();
    return `${found.pathname}?${new URLSearchParams(asked)}`;
  }

  // Shows another view or other numbers without leaving the page. Where the server refuses (an invalid filter, nothing
  // left), its message stands beside the search box and the picture stays.
  let loads = 0;

  async function load(url, { enters = true } = {}) {
    const number = ++loads, before = location.pathname;
    document.body.setAttribute("aria-busy", "true");
    let next;
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" } });
      if (!response.ok) { refused((await response.text()).trim()); return false; }
      next = await response.json();
    } catch (error) {
      refused(`The server does not answer: ${error.message}`);
      return false;
    } finally { document.body.removeAttribute("aria-busy"); }
    if (number !== loads) return false; // something else was asked for since
    for (const name of Object.keys(data)) delete data[name];
    Object.assign(data, next);
    if (enters) history.pushState(null, "", url);
    readState();
    show();
    if (location.pathname !== before) scrollTo(0, 0);
    if (document.activeElement === document.body) $("view").focus({ preventScroll: true });
    return true;
  }

  function refused(text) { $("refused").textContent = text; }

  function readState() {
    replaceState(state, data.file ? location.hash.split("?")[1] || "" : location.search);
  }

  // Changes the address without asking the server: for what only this page's drawing depends on (pivot, zoom, sort, picked
  // rows). `quietly` makes no entry in the history, for steps too small to go back to.
  function note(changes, quietly = false) {
    const target = address(current(), { first: state.get("first"), ...changes });
    for (const [name, value] of Object.entries(changes)) value ? state.set(name, value) : state.delete(name);
    if (quietly) history.replaceState(null, "", target); else history.pushState(null, "", target);
    refreshLinks();
  }

  // A single file holds every sample type: what another one has otherwise is laid over the first.
  const first = data.file ? { ...data } : null;

  function chooseType() {
    if (!data.file || !first.byType) return;
    const wanted = state.get("si"), index = first.types.indexOf(wanted);
    const other = first.byType[index === -1 ? wanted : index];
    for (const name of Object.keys(data)) delete data[name];
    Object.assign(data, first);
    if (!other) return;
    Object.assign(data, other, { byType: first.byType });
    data.views = Object.fromEntries(Object.entries(other.views).map(([view, content]) => [view, { ...first.views[view], ...content }]));
  }

  // ── selection and refinement ──

  const quote = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const exactly = (names) => [...new Set(names)].map((name) => `^${quote(name)}$`).join("|");

  // Filters and the source go by functions: where rows are lines, they name the file and the line behind it.
  const functions = new Map(); // the function of such a row, by the row's name
  const functionOf = (name) => functions.get(name) || name;

  function wanted() {
    return selected.size ? exactly([...selected].map(functionOf)) : $("search").value.trim();
  }

  function refine(parameter, add, name = null) {
    const regexp = name === null ? wanted() : exactly([functionOf(name)]);
    if (!regexp) return;
    const before = add ? state.get(parameter) : null;
    const left = current() === "flamegraph" ? { sel: null } : {}; // there `p` is the selection
    go(current(), { [parameter]: before ? `${before}|${regexp}` : regexp, p: null, ...left });
  }

  const refinements = [
    ["Focus", "f", false, "keep the stacks that contain it"],
    ["Ignore", "i", true, "drop the stacks that contain it"],
    ["Hide", "h", true, "remove the function from every stack"],
    ["Show", "s", false, "remove every other function"],
    ["Show from", "sf", false, "start stacks at this function"],
  ];

  function fillRefine() {
    const items = $("menu-refine").querySelector(".items");
    items.replaceChildren();
    const ready = !data.file && wanted() !== "";
    for (const [label, parameter, add, title] of refinements) {
      items.append(make("button", { type: "button", title, disabled: !ready, onclick: () => refine(parameter, add) }, label));
    }
    const filters = Object.fromEntries(["f", "i", "h", "s", "sf", "tf", "ti", "ts", "th", "prunefrom", "tagroot", "tagleaf"].map((name) => [name, null]));
    items.append(link(current(), { ...filters, p: null }, {}, "Reset"));
    if (data.file) items.append(make("small", {}, "Filters work only in the live page: conduit pprof -http=:8080 FILE"));
    else if (!ready) items.append(make("small", {}, "Select something or type a search first"));
    if (!data.file) fillTags(items);
  }

  function fillTags(items) {
    if (!data.tags.length) return;
    items.append(make("h2", {}, "Labels"));
    for (const tag of data.tags) {
      const group = make("details", {}, make("summary", {}, tag.key));
      group.append(
        link(current(), { tagroot: tag.key }, {}, `${tag.key} as root frames`),
        link(current(), { tagleaf: tag.key }, {}, `${tag.key} as leaf frames`),
      );
      for (const value of tag.values.slice(0, 30)) {
        const filter = `${tag.key}=${tag.numeric ? value.text : `^${quote(value.text)}$`}`;
        group.append(make("span", { className: "row" },
          link(current(), { tf: filter }, { title: "keep only this" }, `${value.text}  ${value.share}`),
          link(current(), { ti: filter }, { title: "drop the samples that have it" }, "exclude")));
      }
      items.append(group);
    }
  }

  // ── menus ──

  const meanings = { inuse_space: "memory still held", inuse_objects: "objects still held", alloc_space: "all memory that was asked for", alloc_objects: "all objects that were made", delay: "time spent waiting", contentions: "how often it waited" };

  // One tab for each type of value that the samples have.
  function drawTypes() {
    const tabs = data.types.map((type, index) => {
      const tab = link(current(), { si: type }, { title: meanings[type] || type }, type);
      if (index === data.type) tab.setAttribute("aria-current", "true");
      return tab;
    });
    const one = data.types.length < 2 || (data.file && !data.byType) || current() === "growth"; // it is about inuse_space
    $("types").replaceChildren(...(one ? [] : tabs));
    $("types").hidden = !$("types").childElementCount;
    Conduit.frame.cue($("types"));
  }

  // Memory that imports allocated hides a small program's own.
  function drawImports() {
    $("imports").hidden = !data.imports || data.file;
    if ($("imports").hidden) return;
    const { leftOut } = data.imports;
    // The choice stays in the address, for the other view too, which begins with the other one.
    $("imports").replaceChildren(leftOut ? "Imports are left out. " : "With the memory of imports. ",
      link(current(), { imports: leftOut ? "t" : "f" }, { title: "memory that imports of modules allocated" }, leftOut ? "Show imports" : "Leave imports out"));
  }

  const granularities = [["functions", "function"], ["filefunctions", "function and file"], ["files", "file"], ["lines", "line"], ["addresses", "address"]];
  const switches = [["norm", "make totals equal"], ["rel", "percentages relative to the focus"], ["calltree", "call tree in the graph"], ["dropneg", "drop negative values"], ["mean", "mean values"], ["noinlines", "no inlined frames"]];

  function fillShow(items) {
    items.replaceChildren();
    if (!data.file) {
      items.append(make("h2", {}, "Group by"));
      for (const [value, label] of granularities) {
        items.append(link(current(), { g: value }, {}, (data.granularity === value ? "✓ " : "") + label));
      }
      items.append(make("h2", {}, "Numbers"));
      for (const [name, label] of switches) {
        if (name === "norm" && !data.compared) continue;
        const on = state.get(name) === "t";
        items.append(link(current(), { [name]: on ? null : "t" }, {}, (on ? "✓ " : "") + label));
      }
    }
    Conduit.frame.fillLooks(items);
  }

  // The picture, and what leads to it again.
  function fillSave(items) {
    items.replaceChildren();
    const picture = views[current()]?.picture;
    Conduit.frame.fillTakeAlong(items, [
      ...(data.command ? [["Copy the command line for a terminal", copyCommand]] : []),
      ...(picture ? [["Save the picture as SVG", () => Conduit.exporting.saveSvg(picture(), fileName("svg"))], ["Save the picture as PNG", () => Conduit.exporting.savePng(picture(), fileName("png"))]] : []),
    ]);
  }

  async function copyCommand() {
    await copy(data.command);
    if (data.command.includes("***")) matched("copied; write the password for ***");
  }

  const fileName = (kind) => `${data.title.replace(/[^\w.-]+/g, "-")}-${current()}.${kind}`;

  // The recordings of a live source: record again, choose one of the last, compare with the one before.
  function drawLive() {
    const { kept, shown, against, before, seconds, shownSeconds, asksSeconds, maxSeconds } = data.recordings;
    $("live").hidden = !data.live;
    if (!data.live) return;
    const asks = asksSeconds && seconds !== null; // a profile of all of the process's time is not recorded
    const field = asks ? make("input", { type: "number", id: "seconds", min: "1", max: maxSeconds === null ? null : String(maxSeconds), step: "1", required: true, value: String(shownSeconds ?? seconds), "aria-label": "Seconds to record" }) : null;
    const button = make("button", { type: "button", id: "refresh", className: "key", onclick: () => { if (!field || field.reportValidity()) recordAgain(button, field ? Number(field.value) : seconds, field); } }, seconds && !asks ? `Record again (${seconds} s)` : "Record again");
    field?.addEventListener("keydown", (event) => { if (event.key === "Enter") button.click(); });
    const choice = make("select", { "aria-label": "Recording" }, ...kept.map(({ number, text }, n) => make("option", { value: String(number), selected: number === shown }, `${text}${n === kept.length - 1 ? " (newest)" : ""}`)));
    choice.addEventListener("change", () => go(current(), { recording: Number(choice.value) === kept.at(-1).number ? null : choice.value, against: null }));
    const other = against !== null
      ? link(current() === "changes" ? "flamegraph" : current(), { against: null, pictures: null }, {}, "Show it alone")
      : before !== null ? link(current(), { recording: String(shown), against: String(before) }, {}, "Compare with the one before") : null;
    const compared = against === null ? null : make("span", {}, `compared with ${kept.find(({ number }) => number === against)?.text}`);
    $("live").replaceChildren(...[field ? make("span", { className: "again" }, button, " for ", field, " s") : button, kept.length > 1 ? choice : null, compared, other].filter(Boolean));
  }

  // Samples over time, where they have one; the range on show is in the address.
  function drawStrip() {
    // In a single file only the flame graph follows the range.
    $("strip").hidden = !data.strip || (data.file && !(current() === "flamegraph" && data.views.flamegraph?.byTime));
    if ($("strip").hidden) return;
    const range = (state.get("range") || "").split(",").map(Number);
    const focused = $("strip").contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    Conduit.timeStrip.draw($("strip"), data.strip, range.length === 2 ? range : null, make,
      (chosen) => go(current(), { range: chosen && chosen.map((each) => Conduit.timeStrip.written(each, data.strip.seconds)).join(","), z: null, p: null }));
    if (focused) $("strip").querySelector(`[aria-label="${focused}"]`)?.focus();
  }

  async function recordAgain(button, seconds, field) {
    const before = button.textContent, began = Date.now();
    const told = () => {
      const left = Math.ceil((seconds || 0) - (Date.now() - began) / 1000);
      button.textContent = left > 0 ? `Recording… ${left} s left` : "Recording…";
    };
    button.disabled = true;
    told();
    const clock = setInterval(told, 1000);
    // Who compares goes on comparing: with what was the newest.
    const against = data.recordings.against === null ? null : String(data.recordings.kept.at(-1).number);
    for (const name of ["recording", "against"]) state.delete(name);
    const done = await post("refresh", field ? { seconds: String(seconds) } : {}, address(current(), { recording: null, against }));
    clearInterval(clock);
    if (!done) { button.disabled = false; button.textContent = before; }
  }

  function fillConfig(items) {
    items.replaceChildren(make("button", { type: "button", onclick: saveConfig }, "Save as…"));
    for (const config of data.configs) {
      const row = make("span", { className: "row" }, make("a", { href: config.url }, (config.current ? "✓ " : "") + config.name));
      if (config.custom) {
        row.append(make("button", { type: "button", title: `delete ${config.name}`, "aria-label": `delete ${config.name}`, onclick: () => post("deleteconfig", { config: config.name }) }, "✕"));
      }
      items.append(row);
    }
  }

  async function saveConfig() {
    const name = await ask("Save the current view as");
    if (name) await post("saveconfig", { config: name });
  }

  async function post(action, parameters, target = location.href) {
    const query = new URLSearchParams(state);
    for (const [name, value] of Object.entries(parameters)) query.set(name, value);
    let response;
    try { response = await fetch(`./${action}`, { method: "POST", body: query, headers: { "X-Conduit-Token": data.token } }); }
    catch (error) { complain(`The server does not answer: ${error.message}`); return false; }
    if (response.ok) await load(target, { enters: target !== location.href });
    else complain(await response.text());
    return response.ok;
  }

  function ask(question) {
    const dialog = $("ask");
    $("ask-label").textContent = question;
    $("ask-text").value = "";
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.onclose = () => resolve(dialog.returnValue === "ok" ? $("ask-text").value.trim() : "");
    });
  }

  function complain(text) { $("errors").append(make("div", {}, text)); }

  // ── search ──

  function search() {
    const text = $("search").value.trim();
    try {
      pattern = text ? new RegExp(text, text === text.toLowerCase() ? "i" : "") : null;
    } catch {
      pattern = null;
      $("matched").textContent = "not a regexp";
      return;
    }
    $("matched").textContent = "";
    views[current()]?.search?.(pattern);
    refineChanged();
  }

  // What the address says of the selected functions: tables and the call graph show all of them, the flame graph one.
  function selecting(names) {
    const all = [...names];
    return { sel: exactly(all) || null, p: all.length === 1 ? exactly(all) : null, z: null };
  }

  function pick(name, on) {
    on ? selected.add(name) : selected.delete(name);
    note(selecting(selected), true);
    refineChanged();
    showPicked();
  }

  // What can be done with the rows or boxes that are picked, at the window's lower edge: it moves nothing.
  function showPicked() {
    $("picked")?.remove();
    if (!selected.size) return;
    const [name] = selected, single = selected.size === 1;
    const button = (text, title, action) => make("button", { type: "button", className: "key", title, onclick: action }, text);
    $("view").append(make("section", { id: "picked", className: "picked-bar", "aria-label": "Selected functions" },
      make("strong", {}, single ? name : `${selected.size} selected`),
      single ? link("flamegraph", { p: exactly([name]), z: null }, {}, "Flame graph") : "",
      single && (!data.file || data.source) ? link("source", { fn: exactly([functionOf(name)]) }, {}, "Source") : "",
      ...(data.file ? [] : refinements.slice(0, 3).map(([text, parameter, add, title]) => button(text, title, () => refine(parameter, add)))),
      button("Clear", "select nothing", () => { selected.clear(); note(selecting([]), true); drawView(); })));
  }

  // What Refine is about where a view shows itself which function is selected.
  function settle(names) {
    selected.clear();
    for (const name of names) selected.add(name);
    refineChanged();
  }

  // The names that the address says are picked, of those that a view shows. `of`: the function of each, where a name says
  // more.
  function restore(names, of = null) {
    selected.clear();
    functions.clear();
    of?.forEach((name, n) => { if (name) functions.set(names[n], name); });
    let regexp = null;
    try { regexp = state.get("sel") ? new RegExp(state.get("sel")) : null; } catch { /* someone changed the address: nothing is picked */ }
    if (regexp) for (const name of names) if (regexp.test(name)) selected.add(name);
    refineChanged();
    showPicked();
  }

  // ── the menu of one box, row or node ──

  // `origin` takes the focus back where nothing had it before.
  function openContext(event, name, more = [], origin = $("view")) {
    event.preventDefault();
    const menu = $("context");
    opener = document.activeElement === document.body ? origin : document.activeElement;
    const entries = [...more];
    if (!data.file || data.source) entries.push(["Show source code", () => go("source", { fn: exactly([functionOf(name)]) })]);
    if (!data.file) {
      entries.push(["Show source in new tab", () => open(address("source", { fn: exactly([functionOf(name)]) }), "_blank", "noopener")]);
      entries.push(["Peek at callers and callees", () => go("peek", { fn: `${exactly([functionOf(name)]).slice(0, -1)}( |$)` })]);
      for (const [label, parameter, add, title] of refinements) if (label !== "Show") entries.push([label, () => refine(parameter, add, name), title]);
    }
    entries.push(["Copy name", () => copy(name)]);
    menu.replaceChildren(...entries.map(([label, action, title]) =>
      make("button", { type: "button", role: "menuitem", title, onclick: () => { closeContext(); action(); } }, label)));
    menu.setAttribute("aria-label", name); // shown above its entries
    menu.hidden = false;
    const box = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(4, Math.min(event.clientX, innerWidth - box.width - 4))}px`;
    menu.style.top = `${Math.max(4, Math.min(event.clientY, innerHeight - box.height - 4))}px`;
    menu.firstElementChild.focus();
  }

  function closeContext() { $("context").hidden = true; }

  function leaveContext(event) {
    if (event.key !== "Escape" || $("context").hidden) return false;
    closeContext();
    opener?.focus?.({ preventScroll: true });
    return true;
  }

  function moveInContext(event) {
    const buttons = [...$("context").children];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "ArrowDown") buttons[(at + 1) % buttons.length].focus();
    else if (event.key === "ArrowUp") buttons[(at + buttons.length - 1) % buttons.length].focus();
    else return;
    event.preventDefault();
  }

  // ── drawing the frame ──

  const filterNames = { f: "focus", i: "ignore", h: "hide", s: "show", sf: "show from", tf: "tag focus", ti: "tag ignore", ts: "tag show", th: "tag hide", prunefrom: "prune from", tagroot: "tag root", tagleaf: "tag leaf" };

  // An expression that the page made for names is shown as those; another one as it is.
  function plainly(expression) {
    const parts = expression.split(/\||,(?=\^)/), exact = parts.map((part) => /^\^((?:[^\\.*+?^${}()|[\]]|\\\W|\\x2[cC]|\\x3[dD])*)\$$/.exec(part));
    return exact.every(Boolean) ? exact.map(([, name]) => name.replace(/\\x2c/gi, ",").replace(/\\x3d/gi, "=").replace(/\\(\W)/g, "$1")).join(", ") : expression;
  }

  function drawFilters() {
    const chips = [];
    for (const [parameter, label] of Object.entries(filterNames)) {
      const value = state.get(parameter);
      if (!value) continue;
      chips.push(make("span", { className: "chip" }, make("span", { title: `${label}: ${value}` }, `${label}: ${plainly(value)}`),
        make("button", { type: "button", title: `remove ${label}`, "aria-label": `remove ${label}`, onclick: () => go(current(), { [parameter]: null }) }, "✕")));
    }
    $("filters").replaceChildren(...chips);
  }

  function drawFrame() {
    document.title = data.title;
    document.querySelector(".about h1").textContent = data.title;
    $("facts").textContent = data.facts.join(" · ");
    $("notes").replaceChildren(...data.notes.map((text) => make("p", {}, text)));
    drawTypes();
    drawImports();
    drawLive();
    drawStrip();
    $("legend").textContent = data.legend.join("\n");
    $("errors").replaceChildren(...data.errors.map((text) => make("div", {}, text)));
    for (const link of document.querySelectorAll("[data-view]")) {
      link.leadsTo = () => address(link.dataset.view);
      link.href = link.leadsTo();
      if (link.closest(".views") && link.dataset.view === current()) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      if (data.file && !(link.dataset.view in data.views)) link.hidden = true;
      if (link.dataset.view === "changes") link.hidden = !data.compared;
      if (link.dataset.view === "growth") link.hidden = !data.grows;
      if (link.dataset.view === "labels") link.hidden = !data.tags.length && current() !== "labels";
    }
    drawFilters();
    document.querySelectorAll(".views, .menus").forEach(Conduit.frame.cue);
  }

  // Menus are filled after the picture is drawn, or as one is opened, whichever is first.
  let menusStale = false;

  function fillStale() {
    if (menusStale) fillMenus();
  }

  function refineChanged() {
    if (!menusStale) fillRefine();
  }

  function fillMenus() {
    menusStale = false;
    fillRefine();
    fillShow($("menu-show").querySelector(".items"));
    fillSave($("menu-save").querySelector(".items"));
    if (data.file) {
      $("menu-config").hidden = $("download").hidden = true;
    } else {
      fillConfig($("menu-config").querySelector(".items"));
      $("download").href = "./download";
    }
  }

  function drawView() {
    const main = $("view");
    main.replaceChildren();
    const view = views[current()];
    const content = data.views[current()];
    if (data.failed) main.append(failure());
    else if (!content) main.append(empty("This view is not in the file.", "conduit pprof -http=:8080 FILE shows all of them."));
    else view.draw(main, content);
    if ($("picked")) main.append($("picked")); // below the rows that it is about
    if ($("search").value) search();
  }

  // An address that the server refuses, opened as a page of its own.
  function failure() {
    const shown = empty(data.failed, "");
    shown.lastElementChild.append(make("a", { href: `./${current()}` }, "Reset the filters"));
    return shown;
  }

  // Links to other numbers and views are followed in place, unless another tab is asked for.
  function follow(event) {
    const link = event.target.closest("a[href^='./']");
    if (!link || link.hasAttribute("download") || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || data.file) return;
    event.preventDefault();
    load(link.href);
  }

  function listen() {
    let timer = 0;
    document.addEventListener("click", follow);
    document.querySelector(".menus").addEventListener("click", fillStale, { capture: true });
    $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 300); });
    document.querySelector(".search").addEventListener("submit", (event) => {
      event.preventDefault();
      search();
      if (!pattern) return;
      if (views[current()]?.enter?.(pattern)) return;
      if (!data.file) go(current(), { f: $("search").value.trim(), p: null }); // what was typed, whatever is selected
    });
    $("ask-cancel").addEventListener("click", () => $("ask").close());
    $("context").addEventListener("keydown", moveInContext);
    document.addEventListener("click", (event) => { if (!event.target.closest("#context")) closeContext(); });
    Conduit.frame.onColours(() => views[current()]?.recolour?.());
    Conduit.frame.listen({
      search: $("search"),
      key: leaveContext,
      escape: () => views[current()]?.escape?.(),
      keys: () => views[current()]?.keys || [["Space", "pick a row"]],
    });
    addEventListener("popstate", () => {
      if (!data.file && question(location.href) !== asked) load(location.href, { enters: false });
      else { readState(); show(); }
    });
  }

  let asked = ""; // what the data on show were asked with

  function show() {
    chooseType();
    asked = question(location.href);
    document.documentElement.dataset.view = current();
    refused("");
    Conduit.frame.closeMenus();
    menusStale = true;
    requestAnimationFrame(() => setTimeout(fillStale));
    drawFrame();
    drawView();
  }

  function start() {
    listen();
    show();
    if (data.file) addEventListener("hashchange", () => { readState(); show(); });
  }

  return { link, data, state, selected, views, make, go, copy, note, address, pick, settle, restore, matched, complain, openContext, exactly, plainly, selecting, empty, start };
})();
