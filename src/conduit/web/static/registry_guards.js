// The guard matrix: groups of routes, or the routes of one group, by the guards they carry; outliers are marked.
"use strict";

Conduit.registry.views.guards = (() => {
  const { model, make, address, setState, link, counted, empty, grow } = Conduit.registry;
  const { select } = Conduit.registry.views.resource;
  const COLUMNS = 24, SENTENCES = 12;

  function draw(main, state) {
    const by = state.get("by") || "app", kind = state.get("kind") ?? "write", group = state.get("group");
    const routes = Conduit.registryModel.filterRoutes(model, { kind: kind === "all" ? "" : kind, all: state.get("all") || "" });
    const matrix = Conduit.registryModel.guardMatrix(routes, by);
    const one = group === null ? null : matrix.rows.find((row) => row.group === group);
    main.append(controls(by, kind, group, matrix));
    if (!routes.length || (group !== null && !one)) { main.append(empty("No route fits.")); return; }
    outliers(main, matrix, group);
    if (one) ofRoutes(main, matrix, one);
    else ofGroups(main, matrix, state);
  }

  function controls(by, kind, group, matrix) {
    const choose = (id, options, value, name) => make("select", { id, onchange: (event) => setState({ [name]: event.target.value, group: null }) }, options.map(([key, text]) => make("option", { value: key, selected: key === value }, text)));
    return make("div", { className: "controls" },
      make("label", {}, "routes ", choose("guards-kind", [["write", "writing"], ["read", "reading"], ["all", "all"]], kind, "kind")),
      make("label", {}, "grouped by ", choose("guards-by", [["app", "application"], ["resource", "resource"], ["path", "path"]], by, "by")),
      make("label", {}, "group ", select("guards-group", ["", ...matrix.rows.map((row) => row.group)], group || "", (value) => setState({ group: value }))),
      make("output", {}, `${counted(matrix.rows.length, "group")}, ${counted(matrix.guards.length, "guard")}`));
  }

  // "1 of 6 routes of shop carries no IsAuthenticated", the fewest first, each with its routes.
  function outliers(main, matrix, group) {
    const found = matrix.outliers.filter((one) => group === null || one.group === group);
    const sentence = (one) => make("li", {}, make("details", {},
      make("summary", {}, `${one.outliers.length} of ${counted(one.total, "route")} of ${one.group} ${one.outliers.length === 1 ? "has" : "have"} no ${one.guard}${one.guard === "auth" ? " that was found" : ""}`),
      make("ul", {}, one.outliers.slice(0, 50).map((route) => make("li", {}, link("route", model.routeName(route)), " ", Conduit.registry.guardsOf(route))))));
    main.append(make("section", { className: "part" }, make("h2", {}, "Outliers", make("small", {}, ` ${found.length}`)),
      make("p", { className: "explain" }, make("span", {}, "A guard that at least three quarters of a group's routes have is expected of all of them; those without it are outliers.")),
      found.length ? make("ul", { className: "outliers" }, found.slice(0, SENTENCES).map(sentence)) : make("p", {}, "Every route has the guards of its group."),
      found.length > SENTENCES && make("p", { className: "explain" }, `${found.length - SENTENCES} more are marked in the matrix.`)));
  }

  function frame(main, matrix, first, body) {
    const shown = matrix.guards.slice(0, COLUMNS);
    main.append(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Guard matrix" }, make("table", { className: "facts matrix" },
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, first), make("th", { scope: "col", className: "number" }, "routes"), make("th", { scope: "col" }, "any"),
        shown.map(({ name }) => make("th", { scope: "col", className: "guard-name", title: name }, make("span", {}, name))), make("th", { scope: "col" }, "CSRF"))), body)));
    if (matrix.guards.length > COLUMNS) main.append(make("p", { className: "explain" }, `${matrix.guards.length - COLUMNS} rarer guards have no column: ${matrix.guards.slice(COLUMNS).map(({ name }) => name).join(", ")}.`));
  }

  function ofGroups(main, matrix, state) {
    const kind = state.get("kind") ?? "write";
    const { ANY, CSRF } = Conduit.registryModel;
    const all = state.get("all"), by = state.get("by") || "app";
    // A number leads to the routes that it counts, a number of outliers to those.
    const cell = (row, one, column, title) => {
      const leading = (name, className, text) => make("a", { className, href: address({ view: "routes", in: `${by}:${row.group}`, [name]: column, kind: kind === "all" ? null : kind, all }) }, text);
      const box = make("td", { className: `cell ${one.outliers.length ? "outlier" : ""}`, title },
        one.count ? leading("with", "count", one.count === row.routes.length ? "all" : `${one.count}`) : "–",
        one.outliers.length ? [" ", leading("without", "lacking", `−${one.outliers.length}`)] : "");
      box.style.setProperty("--share", String(Math.round(one.share * 26)));
      return box;
    };
    const body = make("tbody", {}, matrix.rows.map((row) => make("tr", {},
      make("th", { scope: "row" }, make("a", { href: address({ view: "guards", by: state.get("by"), kind: kind === "write" ? null : kind, group: row.group }) }, row.group)),
      make("td", { className: "number" }, make("a", { className: "count", href: address({ view: "routes", in: `${by}:${row.group}`, kind: kind === "all" ? null : kind, all }) }, String(row.routes.length))),
      cell(row, row.guarded, ANY, `${row.guarded.count} of ${row.routes.length} require something of the user`),
      row.cells.slice(0, COLUMNS).map((one, at) => cell(row, one, matrix.guards[at].name, `${one.count} of ${row.routes.length} carry ${matrix.guards[at].name}`)),
      cell(row, row.csrf, CSRF, `${row.csrf.count} of ${row.routes.length} check for forged requests`))));
    frame(main, matrix, "group", body);
  }

  function ofRoutes(main, matrix, row) {
    const used = matrix.guards.map((guard, at) => ({ ...guard, at })).filter(({ at }) => row.cells[at].count);
    const narrow = { guards: used };
    const odd = new Map(used.map(({ name, at }) => [name, new Set(row.cells[at].outliers)]));
    const open = new Set(row.guarded.outliers), forged = new Set(row.csrf.outliers);
    const cell = (has, isOutlier) => make("td", { className: `cell ${isOutlier ? "outlier" : ""}` }, has ? "✓" : isOutlier ? make("strong", {}, "missing") : "–");
    const body = make("tbody");
    frame(main, narrow, "route", body);
    main.append(grow(body, row.routes.length, (number) => {
      const route = row.routes[number];
      return make("tr", {}, make("th", { scope: "row", className: "mono" }, link("route", model.routeName(route))), make("td", { className: "number" }, ""), cell(!route.open, open.has(route)),
        used.slice(0, COLUMNS).map(({ name }) => cell(route.guards.includes(name), odd.get(name).has(route))), cell(route.csrf, forged.has(route)));
    }));
  }

  return { title: "Guards", order: 30, shows: (each) => each.routes.length > 0, draw };
})();
