// The registry's page: its frame, the address that holds all of its state, the search box, the keyboard.
//
// A view is {title, order, draw(main, state, registry), shows(model)?, keys?, parent?} in `Conduit.registry.views`. Every
// state is in the address's hash, so that each has a link and "back" works, also in a file without a server.
"use strict";

globalThis.Conduit ??= {};

Conduit.registry = (() => {
  const { $, make, changed, counted, empty, table, framed, stacked, isTyping } = Conduit.frame;
  const data = Conduit.frame.data();
  const model = Conduit.registryModel.createModel(data);
  const views = {};
  let state = new URLSearchParams(), index = null;

  // ── the address ──

  // The address of the present state with some parameters changed; with another view, only the given ones are kept.
  const address = (changes) => `#${changed("view" in changes ? "" : state, changes)}`;

  function setState(changes, { replace = false } = {}) {
    const before = state.get("view");
    history[replace ? "replaceState" : "pushState"](null, "", address(changes));
    show();
    if ((state.get("view") || "find") !== (before || "find")) window.scrollTo(0, 0);
  }

  // A link leads to the top of its view; back and forward lead to where the reader was, by the browser.
  let followed = false;

  function onFollow(event) {
    followed = Boolean(event.target.closest?.("a[href^='#']")) && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  }

  function onAddress() {
    show();
    if (followed && !$("view").querySelector("tr.picked, li.picked")) window.scrollTo(0, 0);
    followed = false;
  }

  const ADDRESSES = {
    resource: (key) => ({ view: "resource", ...key }),
    field: (key) => ({ view: "resource", ...key }),
    route: (key) => ({ view: "route", ...key }),
    handler: (key) => ({ view: "routes", ...key, all: "1" }),
    guard: (key) => ({ view: "routes", ...key, all: "1" }),
    task: (key) => ({ view: "tasks", ...key }),
  };
  const addressOf = (kind, key) => address(ADDRESSES[kind](key));

  // A link to a thing by name; the name alone where the document does not have it.
  function link(kind, name, text = name) {
    if (!name) return null;
    if (kind === "resource" && !model.byName.has(name)) return make("span", {}, text);
    const key = { resource: { name }, route: { route: name }, handler: { handler: name }, guard: { guard: name }, task: { task: name } }[kind];
    return make("a", { href: addressOf(kind, key) }, text);
  }

  // Where a record stands, as a link to the file where a server can show it; `brief` leaves out the folders.
  function location(record, { brief = false } = {}) {
    const found = model.location(record);
    if (!found) return null;
    const text = brief ? found.text.split("/").at(-1) : found.text;
    const title = brief ? found.text : null;
    if (!data.served && !model.excerptsOf(found.file, found.line).length) return make("span", { className: "location", title }, text);
    return make("a", { className: "location", title, href: address({ view: "source", file: found.file, line: found.line || "" }) }, text);
  }

  // ── drawing ──

  // Append `count` parts made by `part(number)`, the next ones when the end of those before comes near.
  function grow(parent, count, part, step = 150) {
    let made = 0;
    const sentinel = make("div", { className: "sentinel" });
    const more = () => {
      const until = Math.min(count, made + step);
      const parts = [];
      for (; made < until; made += 1) parts.push(part(made));
      parent.append(...parts);
      if (made >= count) { watcher.disconnect(); sentinel.remove(); }
    };
    const watcher = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) more(); }, { rootMargin: "900px" });
    more();
    if (made < count) watcher.observe(sentinel);
    return sentinel;
  }

  function tabs() {
    const shown = Object.entries(views).filter(([, view]) => view.title && (!view.shows || view.shows(model)));
    shown.sort(([, a], [, b]) => a.order - b.order);
    const current = views[state.get("view")]?.parent || state.get("view") || "find";
    $("tabs").replaceChildren(...shown.map(([name, view]) =>
      make("a", { href: `#view=${name}`, "aria-current": name === current ? "page" : null }, view.title)));
  }

  let drawn = null;

  function show() {
    state = new URLSearchParams(window.location.hash.slice(1));
    const name = state.get("view") || "find";
    const view = views[name] || views.find;
    const main = $("view");
    tabs();
    const box = $("search");
    if (name === "find") { if (box.value !== (state.get("q") || "")) box.value = state.get("q") || ""; }
    else if (document.activeElement !== box) { box.value = ""; $("matched").textContent = ""; }
    const focused = document.activeElement?.id || "", seen = main.contains(document.activeElement) ? document.activeElement.selectionStart : null;
    views[drawn]?.leave?.();
    main.className = `view-${name}`;
    main.replaceChildren();
    // The list of results is gone; the view Find says again what it shows.
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
    drawn = name;
    view.draw(main, state, api);
    if (focused && !document.activeElement?.id) {
      const again = $(focused);
      again?.focus({ preventScroll: true });
      if (seen !== null && seen !== undefined && again?.setSelectionRange && again.type !== "checkbox") again.setSelectionRange(seen, seen);
    }
    const named = state.get("name") || state.get("route") || "";
    document.title = `${named ? `${named} · ` : ""}${data.title}`;
  }

  // ── search ──

  function find(text, options) {
    index ??= Conduit.registryFind.createIndex(model);
    return Conduit.registryFind.find(index, text, options);
  }

  function onInput() {
    const text = $("search").value;
    setState({ view: "find", q: text }, { replace: (state.get("view") || "find") === "find" });
  }

  // ── keyboard ──

  // The registry's own keys; true where one was taken.
  function onKey(event) {
    const target = event.target;
    if (target === $("search")) return views.find.searchKey(event);
    if (isTyping(target)) { if (event.key === "Escape") target.blur(); return false; }
    const action = views[state.get("view") || "find"]?.keys?.[event.key];
    action?.(event);
    return Boolean(action);
  }

  function describe() {
    const fields = model.resources.reduce((sum, one) => sum + one.fields.length, 0);
    const parts = [counted(model.resources.length, "resource"), counted(fields, "field"), counted(model.routes.length, "route")];
    if (model.tasks.length) parts.push(counted(model.tasks.length, "task"));
    $("facts").textContent = parts.join(", ");
    const lines = [
      ...data.sources.map((one) => `Collected from ${[one.kind, one.name, one.version].filter(Boolean).join(" ")}`),
      data.generated && !data.generated.startsWith("0001") ? `Generated ${data.generated}` : "",
      data.middleware.length ? `Every request passes ${data.middleware.join(", ")}` : "",
      data.left_out ? `${counted(data.left_out, "location")} without source: the file holds as much of it as it has room for. conduit introspect -http=:8080 shows all.` : "",
      ...data.errors.map((one) => `Not collected: ${one.source}: ${one.message}`),
    ].filter(Boolean);
    $("legend").textContent = lines.join("\n") || "The document does not say where it was collected from.";
  }

  function start() {
    describe();
    $("search").addEventListener("input", onInput);
    $("search-form").addEventListener("submit", (event) => event.preventDefault());
    Conduit.frame.fillPageMenu($("menu-show").querySelector(".items"));
    Conduit.frame.listen({ search: $("search"), key: onKey, keys: () => views[state.get("view") || "find"]?.help || [] });
    document.addEventListener("click", onFollow);
    window.addEventListener("popstate", onAddress);
    show();
    setTimeout(() => find(""), 0); // the index is made after the first picture, before the first letter
  }

  const api = { model, data, views, make, address, addressOf, setState, link, location, empty, counted, table, framed, stacked, grow, find, start, $ };
  return api;
})();
