// Routes: a table with filters, the tree of their paths, and one route with its chain.
"use strict";

Conduit.registry.guardsOf = (() => {
  const { make, address } = Conduit.registry;
  return (route) => make("span", { className: "guards" },
    route.guards.map((name) => make("a", { className: "guard", href: address({ view: "routes", guard: name, all: "1" }) }, name)),
    route.open && make("span", { className: "guard open" }, "no auth found"),
    route.exemptions.map((name) => make("span", { className: "guard exempt" }, name)));
})();

Conduit.registry.views.routes = (() => {
  const { model, data, make, address, setState, link, counted, grow, empty, framed, stacked } = Conduit.registry;
  const { select } = Conduit.registry.views.resource;
  const MISSING = [["", "nothing"], ["auth", "auth"], ["csrf", "CSRF check"], ["resource", "resource"], ["handler", "handler"], ["documentation", "documentation"], ["request", "request body"], ["response", "response"]];
  const NAMES = ["q", "method", "kind", "path", "guard", "missing", "app", "handler", "resource", "all", "in", "with", "without"];

  const wantedOf = (state) => Object.fromEntries(NAMES.map((name) => [name, state.get(name) || ""]));
  const distinct = (values) => [...new Set(values)].filter(Boolean).sort();

  function draw(main, state) {
    const wanted = wantedOf(state);
    const found = Conduit.registryModel.filterRoutes(model, wanted);
    const sort = state.get("sort") || "";
    main.append(controls(state, wanted, found));
    const chips = ["path", "handler", "resource", "in", "with", "without"].filter((name) => wanted[name]);
    if (chips.length) main.append(make("div", { className: "filters" }, chips.map((name) => make("span", { className: "chip" }, make("span", {}, `${name}: ${columnName(wanted[name])}`), make("button", { type: "button", "aria-label": `Remove the filter ${name}`, onclick: () => setState({ [name]: null }) }, "×")))));
    const notes = notesOn(wanted, found);
    if (notes.length) main.append(make("p", { className: "explain" }, notes.map((note) => make("span", {}, note))));
    if (!found.length) { main.append(empty("No route fits.", make("a", { href: address({ view: "routes" }) }, "All routes"))); return; }
    if (state.get("shape") === "tree") tree(main, found, state);
    else rows(main, sorted(found, sort), sort);
  }

  // A column of the guard matrix in words.
  const columnName = (name) => ({ [Conduit.registryModel.ANY]: "any auth", [Conduit.registryModel.CSRF]: "CSRF check" })[name] || name;

  function notesOn(wanted, found) {
    const notes = [];
    const hidden = wanted.all ? 0 : Conduit.registryModel.filterRoutes(model, { ...wanted, all: "1" }).length - found.length;
    if (hidden) notes.push(make("a", { href: address({ all: "1" }) }, `+${hidden} of the framework`));
    const aboutAuth = wanted.missing === "auth" || wanted.without === Conduit.registryModel.ANY || /\b(?:without|no|missing)\s+(?:auth|guard|login)/i.test(wanted.q);
    if (aboutAuth) notes.push("No auth found: no step of the route's own chain refuses a user. A check inside a handler is not seen.");
    if (aboutAuth && data.possible_guards.length) notes.push(`Every request also passes ${data.possible_guards.join(", ")}, which may refuse some: their names alone do not tell.`);
    return notes;
  }

  function controls(state, wanted, found) {
    const set = (name) => (value) => setState({ [name]: value });
    const guards = distinct(model.routes.flatMap((route) => route.chain.map((step) => step.name).concat(route.guards)));
    const apps = distinct(model.routes.map((route) => route.app));
    const labelled = (text, control) => make("label", {}, `${text} `, control);
    return make("div", { className: "controls", role: "search", "aria-label": "Filters of routes" },
      make("label", { className: "grow" }, make("span", { className: "hidden" }, "Filter"), make("input", { id: "route-filter", type: "search", value: wanted.q, placeholder: "POST without auth /api", autocomplete: "off", spellcheck: false, title: "A method, without X, with X, in APPLICATION, a part of the path or the handler; * and ? stand for any text", oninput: (event) => setState({ q: event.target.value }, { replace: true }) })),
      labelled("method", select("route-method", ["", ...distinct(model.routes.map((route) => route.method))], wanted.method, set("method"))),
      labelled("missing", make("select", { id: "route-missing", onchange: (event) => setState({ missing: event.target.value }) },
        MISSING.map(([value, text]) => make("option", { value, selected: value === wanted.missing }, text)),
        make("optgroup", { label: "a step of the chain" }, guards.map((name) => make("option", { value: name, selected: name === wanted.missing }, name))))),
      guards.length > 0 && labelled("guard", select("route-guard", ["", ...guards], wanted.guard, set("guard"))),
      apps.length > 1 && labelled("application", select("route-app", ["", ...apps], wanted.app, set("app"))),
      labelled("only", make("select", { id: "route-kind", onchange: (event) => setState({ kind: event.target.value }) }, [["", "all"], ["write", "writing"], ["read", "reading"]].map(([value, text]) => make("option", { value, selected: value === wanted.kind }, text)))),
      make("span", { className: "scales", role: "group", "aria-label": "Shape" },
        [["", "table"], ["tree", "tree"]].map(([value, text]) => make("button", { type: "button", className: "key switch", "aria-pressed": String((state.get("shape") || "") === value), onclick: () => setState({ shape: value }) }, text))),
      make("output", { id: "route-count" }, found.length === model.routes.length ? counted(found.length, "route") : `${Conduit.frame.thousands(found.length)} of ${counted(model.routes.length, "route")}`));
  }

  const KEYS = { method: (route) => route.method, path: (route) => route.path, guards: (route) => route.guards.join(), resource: (route) => route.resource, handler: (route) => route.handler, application: (route) => route.app };

  function sorted(routes, sort) {
    const cost = Conduit.registry.costColumns?.().find((one) => one.key === sort);
    if (cost) return [...routes].sort((a, b) => cost.value(b) - cost.value(a));
    const key = KEYS[sort.replace(/^-/, "")];
    if (!key) return routes;
    const sign = sort.startsWith("-") ? -1 : 1;
    return [...routes].sort((a, b) => (key(a) < key(b) ? -sign : key(a) > key(b) ? sign : 0));
  }

  function rows(main, routes, sort) {
    const costs = Conduit.registry.costColumns?.() || [];
    const columns = ["method", "path", "guards", routes.some((route) => route.resource) && "resource", "handler", routes.some((route) => route.app) && "application"].filter(Boolean);
    const cells = {
      method: (route) => make("td", { className: "method" }, route.method),
      path: (route) => make("td", { className: "mono path" }, link("route", model.routeName(route), (route.host || "") + route.path || "(empty)")),
      guards: (route) => make("td", { className: "guard-cell" }, Conduit.registry.guardsOf(route)),
      resource: (route) => make("td", {}, link("resource", route.resource)),
      handler: (route) => make("td", { className: "mono optional" }, link("handler", route.handler, route.handler.split(":").at(-1))),
      application: (route) => make("td", { className: "optional app" }, route.app),
    };
    const order = (name) => (sort === name ? "ascending" : sort === `-${name}` ? "descending" : null);
    const body = make("tbody");
    const label = stacked([...columns, ...costs.map((cost) => cost.name)]);
    const sentinel = grow(body, routes.length, (number) => label(make("tr", {}, columns.map((name) => cells[name](routes[number])), costs.map((cost) => cost.cell(routes[number])))));
    const heads = [
      ...columns.map((name) => make("th", { scope: "col", className: { handler: "optional", application: "optional app" }[name] || "", "aria-sort": order(name) }, make("button", { type: "button", onclick: () => setState({ sort: sort === name ? `-${name}` : name }) }, name))),
      ...costs.map((cost) => make("th", { scope: "col", className: "number", "aria-sort": sort === cost.key ? "descending" : null }, make("button", { type: "button", title: cost.title, onclick: () => setState({ sort: cost.key }) }, cost.name))),
    ];
    main.append(framed(heads, body, { className: "rows routes", label: "Routes" }), sentinel);
  }

  // ── the tree ──

  function tree(main, routes, state) {
    const opened = state.get("below") || "";
    const root = Conduit.registryModel.pathTree(routes);

    function node(each) {
      const label = [make("span", { className: "mono" }, each.part || "/"), make("small", {}, ` ${counted(each.count, "route")}`), each.open ? make("small", { className: "open" }, ` ${each.open} with no auth found`) : ""];
      const methods = each.routes.map((route) => make("span", { className: "leaf" }, link("route", model.routeName(route), route.method), " ", Conduit.registry.guardsOf(route)));
      if (!each.children.length) return make("li", { className: "node" }, make("span", { className: "line" }, make("span", { className: "mono" }, each.part || "(empty)"), " ", methods));
      const inner = make("ul");
      const within = opened === each.prefix || opened.startsWith(each.prefix);
      const fold = make("details", { open: within || routes.length <= 60 }, make("summary", {}, make("span", { className: "line" }, label)), inner);
      const fill = () => { if (!inner.childNodes.length) inner.append(...(methods.length ? [make("li", { className: "node" }, make("span", { className: "line" }, methods))] : []), ...each.children.map(node)); };
      if (fold.open) fill();
      fold.addEventListener("toggle", () => { fill(); if (fold.open && routes.length > 60) history.replaceState(null, "", address({ below: each.prefix })); });
      return make("li", { className: "node" }, fold);
    }

    main.append(make("ul", { className: "chain paths", id: "paths" }, root.routes.length ? make("li", { className: "node" }, root.routes.map((route) => link("route", model.routeName(route), `${route.method} ${route.path}`))) : "", root.children.map(node)));
  }

  return { title: "Routes", order: 20, draw };
})();

Conduit.registry.views.route = (() => {
  const { model, data, make, address, link, location, table, empty } = Conduit.registry;
  const { section } = Conduit.registry.views.resource;

  function draw(main, state) {
    const name = state.get("route") || "";
    const route = model.route(name);
    if (!route) { main.append(empty(`The document has no route ${name}.`, make("a", { href: address({ view: "routes" }) }, "All routes"))); return; }
    const facts = [
      ["handler", route.handler && make("span", {}, link("handler", route.handler), " ", location(route) || "")],
      ["name", route.name], ["application", route.app && make("a", { href: address({ view: "routes", app: route.app }) }, route.app)],
      ["resource", link("resource", route.resource)], ["operation", route.operation],
      ["touches", route.touches.length ? route.touches.flatMap((each, at) => (at ? [", ", link("resource", each)] : [link("resource", each)])) : ""],
      ["request", body(route.request)], ["response", body(route.response)], ["kind", route.kind], ["host", route.host], ["origin", route.origin === "project" ? "" : route.origin],
      ["guards", Conduit.registry.guardsOf(route)],
    ].filter(([, value]) => value && (typeof value === "string" || value.textContent !== "" || Array.isArray(value)));
    const others = model.routes.filter((each) => each.path === route.path && each !== route);
    main.append(
      make("div", { className: "one-head" }, make("a", { href: address({ view: "routes" }) }, "← routes"), make("h2", { className: "name mono" }, name)),
      route.documentation ? make("p", { className: "documentation" }, route.documentation) : "",
      make("table", { className: "facts pairs" }, make("tbody", {}, facts.map(([key, value]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, value))))),
      Conduit.registry.costOf?.("route", name) || "",
      make("div", { className: "parts" },
        section("Chain", route.chain.length, route.chain.length ? table(["", "step", "kind", "location"], route.chain.map((step, at) => [String(at + 1), make("a", { className: "mono", href: address({ view: "routes", guard: step.name, all: "1" }) }, step.name), step.kind || "", location(step)]), { className: "rows steps", label: "Chain" }) : make("p", { className: "explain" }, "The route has no step of its own."),
          data.middleware.length ? make("p", { className: "explain" }, make("span", {}, `Before it, every request passes ${data.middleware.join(", ")}.`)) : ""),
        others.length ? section("Other methods of this path", others.length, table(["method", "handler", "guards"], others.map((each) => [link("route", model.routeName(each), each.method), make("span", { className: "mono" }, each.handler), Conduit.registry.guardsOf(each)]), { className: "rows", label: "Other methods" })) : ""));
  }

  function body(text) {
    const name = text.replace(/^\[\]/, "");
    return text && make("span", {}, text === name ? "" : "list of ", link("resource", name));
  }

  return { parent: "routes", draw };
})();

Conduit.registry.views.tasks = (() => {
  const { model, make, table, location } = Conduit.registry;

  function draw(main, state) {
    const picked = state.get("task") || "";
    const any = (name) => model.tasks.some((task) => task[name]);
    const columns = ["name", "kind", "queue", "schedule", "retries", "trigger"].filter((name) => name === "name" || any(name));
    main.append(table([...columns, "location"], model.tasks.map((task) => make("tr", { className: task.name === picked ? "picked" : "" },
      columns.map((name) => make("td", { className: name === "name" ? "mono" : "" }, name === "name" ? make("a", { className: "plain", href: `#${new URLSearchParams({ view: "tasks", task: task.name })}`, title: task.documentation || null }, task.name) : String(task[name] ?? ""))),
      make("td", {}, location(task)))), { className: "rows", label: "Tasks" }));
    document.querySelector("tr.picked")?.scrollIntoView({ block: "center" });
  }

  return { title: "Tasks", order: 35, shows: (each) => each.tasks.length > 0, draw };
})();
