// Find: everything that has a name, as one types; before anything is typed, what there is.
"use strict";

Conduit.registry.views.find = (() => {
  const { make, address, addressOf, setState, find, model, $ } = Conduit.registry;
  const NAMES = { resource: "resources", field: "fields", route: "routes", handler: "handlers", guard: "guards", task: "tasks" };
  const LIMIT = 100, AT_ONCE = 30; // the rows below the window's edge are made after the picture
  let active = 0, count = 0;

  function marked(name, marks) {
    const at = new Set(marks), parts = [];
    for (let from = 0; from < name.length;) {
      let to = from + 1;
      while (to < name.length && at.has(to) === at.has(from)) to += 1;
      parts.push(at.has(from) ? make("mark", {}, name.slice(from, to)) : name.slice(from, to));
      from = to;
    }
    return parts;
  }

  function hit({ entry, marks }, number) {
    return make("a", { id: `hit-${number}`, className: "hit-row", role: "option", href: addressOf(entry.kind, entry.key), "aria-selected": "false", tabIndex: -1 },
      make("span", { className: `kind kind-${entry.kind}` }, entry.kind), make("span", { className: "hit-name mono" }, marked(entry.name, marks)), make("span", { className: "hit-context" }, entry.context));
  }

  function draw(main, state) {
    const text = state.get("q") || "", kind = state.get("kind") || "";
    if (!text.trim()) { overview(main); return; }
    const found = find(text, { kind, limit: LIMIT });
    $("matched").textContent = Conduit.frame.thousands(found.total);
    const chips = make("div", { className: "kinds", role: "group", "aria-label": "Kinds" },
      ["", ...Conduit.registryFind.KINDS].map((name) => {
        const number = name ? found.counts[name] : Object.values(found.counts).reduce((a, b) => a + b, 0);
        return make("button", { type: "button", className: "key switch", "aria-pressed": String(kind === name), onclick: () => setState({ kind: name }, { replace: true }) }, `${name ? NAMES[name] : "all"} ${Conduit.frame.thousands(number)}`);
      }));
    const list = make("div", { id: "hits", className: "hits", role: "listbox", "aria-label": "Results" }, found.hits.slice(0, AT_ONCE).map(hit));
    if (found.hits.length > AT_ONCE) setTimeout(() => { if (list.isConnected) { list.append(...found.hits.slice(AT_ONCE).map((one, at) => hit(one, AT_ONCE + at))); mark(); } }, 0);
    main.append(chips, found.hits.length ? list : Conduit.registry.empty(`Nothing is named like “${text}”.`, "Fewer letters find more: each word must be in the name, its letters in this order."));
    if (found.total > LIMIT) main.append(make("p", { className: "explain" }, `The best ${LIMIT} of ${Conduit.frame.thousands(found.total)} are shown.`));
    active = 0; count = found.hits.length;
    $("search").setAttribute("aria-expanded", String(count > 0));
    mark();
  }

  function mark() {
    for (const one of document.querySelectorAll(".hit-row[aria-selected='true']")) one.setAttribute("aria-selected", "false");
    const row = $(`hit-${active}`);
    if (!row) { $("search").removeAttribute("aria-activedescendant"); return; }
    row.setAttribute("aria-selected", "true");
    $("search").setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
  }

  // Keys in the search box; true for those that were used.
  function searchKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      active = Math.max(0, Math.min(count - 1, active + (event.key === "ArrowDown" ? 1 : -1)));
      mark();
      return true;
    }
    if (event.key === "Enter") {
      const row = $(`hit-${active}`);
      if (row) { $("search").blur(); row.click(); }
      return true;
    }
    if (event.key === "Escape") { $("search").blur(); return true; }
    return false;
  }

  function card(title, number, href, text) {
    return make("a", { className: "tile", href }, make("span", { className: "tile-name" }, `${Conduit.frame.thousands(number)} ${title}`), make("span", { className: "tile-facts" }, text));
  }

  function overview(main) {
    const own = model.routes.filter((route) => route.origin !== "framework");
    const open = own.filter((route) => Conduit.registryModel.writes(route) && route.open).length;
    const apps = new Map();
    for (const one of model.resources) apps.set(one.app, (apps.get(one.app) || 0) + 1);
    $("search").setAttribute("aria-expanded", "false");
    $("matched").textContent = "";
    main.append(
      make("p", { className: "explain" }, make("span", {}, "Press ", make("kbd", {}, "/"), " and type a part of a name: ", make("em", {}, "a resource, field, route, handler, guard or task"), ".")),
      make("div", { className: "tiles" },
        card("resources", model.resources.length, address({ view: "resource" }), "fields, relations, hooks, what a deletion reaches"),
        card("routes", own.length, address({ view: "routes" }), "by method, path, guard, application, handler"),
        open ? card(`write ${open === 1 ? "route" : "routes"} with no auth found`, open, address({ view: "routes", kind: "write", missing: "auth" }), "no step before the handler refuses a user; the handler itself may") : null,
        model.tasks.length ? card("tasks", model.tasks.length, address({ view: "tasks" }), "work outside requests") : null),
      apps.size > 1 ? make("h2", {}, "Applications") : null,
      apps.size > 1 ? make("div", { className: "chips" }, [...apps].sort((a, b) => b[1] - a[1]).slice(0, 60).map(([name, number]) =>
        make("a", { className: "chip", href: address({ view: "resource", app: name || "(none)" }) }, `${name || "(none)"} ${number}`))) : null,
      make("h2", {}, "Most referred to"),
      make("div", { className: "chips" }, [...model.resources].map((one) => [one.name, model.pointingAt(one.name).length]).filter(([, number]) => number)
        .sort((a, b) => b[1] - a[1]).slice(0, 24).map(([name, number]) => make("a", { className: "chip", href: addressOf("resource", { name }) }, `${name} ${number}`))));
  }

  return { title: "Find", order: 0, draw, searchKey };
})();
