// What routes and resources cost, by profiles with route labels: columns of the tables, and a view of their own.
"use strict";

(() => {
  const { data, model, make, address, link, table } = Conduit.registry;
  const columns = data.costs?.columns || [];
  const labelOf = (route) => `${route.method} ${route.path}`;

  const OTHERS = { "(outside of requests)": "samples without a route's label", "(no route)": "requests for which no route was found" };

  // The flame graph of a route by one profile: a link, in a single file the command.
  function flame(column, route, shown = "flame graph") {
    const filter = `route=^${route.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
    if (!data.served) return make("code", { className: "mono" }, `conduit pprof -http=:0 '-tagfocus=${filter.replaceAll("'", "'\\''")}' ${column.file}`);
    return make("a", { href: `profile/${column.profile}/ui/flamegraph?${new URLSearchParams({ tf: filter })}`, title: `flame graph of ${route}, ${column.title.toLowerCase()}` }, shown);
  }

  const text = (amount) => (amount ? `${amount[1]} ${amount[2]}` : "");

  Conduit.registry.costColumns = () => columns.map((column, number) => ({
    key: `cost${number}`, name: column.title.toLowerCase(), title: `${column.type} of ${column.file}, ${column.total} in all`,
    value: (route) => column.routes[labelOf(route)]?.[0] || 0,
    cell: (route) => make("td", { className: "number" }, text(column.routes[labelOf(route)])),
  }));

  // The costs of one route or resource as a line; null where no profile has any.
  Conduit.registry.costOf = (kind, name) => {
    const found = columns.map((column) => [column, (kind === "route" ? column.routes : column.resources)[name]]).filter(([, amount]) => amount);
    if (!found.length) return null;
    return make("p", { className: "cost" }, found.map(([column, amount]) => make("span", {}, `${column.title}: ${text(amount)} of ${column.total} `, kind === "route" ? flame(column, name) : "")));
  };

  Conduit.registry.views.cost = {
    title: "Cost", order: 60, shows: () => columns.length > 0,
    draw(main, state) {
      const by = state.get("by") || "route", at = Math.min(Number(state.get("sort")) || 0, columns.length - 1);
      if (!columns.length) { main.append(Conduit.registry.empty("There is no profile.", "Give one: conduit introspect -http=:8080 -profile cpu.prof")); return; }
      const isWritten = by === "route" && !data.served;
      const names = new Set(columns.flatMap((column) => Object.keys(by === "route" ? { ...column.routes, ...column.others } : column.resources)));
      const amount = (column, name) => (by === "route" ? column.routes[name] || column.others[name] : column.resources[name]);
      const rows = [...names].sort((a, b) => (amount(columns[at], b)?.[0] || 0) - (amount(columns[at], a)?.[0] || 0) || (a < b ? -1 : 1));
      const choice = (value, label) => make("a", { className: "key", href: address({ view: "cost", by: value, sort: state.get("sort") }), "aria-current": by === value ? "true" : null }, label);
      main.append(
        make("div", { className: "controls" }, choice("route", "by route"), choice("resource", "by resource"),
          columns.length > 1 && make("span", {}, "most expensive by ", columns.map((column, number) => make("a", { className: "key", href: address({ view: "cost", by, sort: number }), "aria-current": at === number ? "true" : null }, column.title.toLowerCase())))),
        make("p", { className: "explain" }, columns.map((column) => make("span", {}, `${column.title}: ${column.type} of ${column.file}, ${column.total} in all`))),
        by === "route" && data.served ? make("p", { className: "explain" }, make("span", {}, "An amount leads to the flame graph of its route.")) : "",
        table([by, ...columns.map((column) => column.title.toLowerCase()), isWritten && "flame graph"].filter(Boolean), rows.map((name) => make("tr", {},
          make("td", { className: "name" }, by === "route" && !model.route(name) ? make("span", { title: OTHERS[name] || null }, name) : link(by, name)),
          columns.map((column) => make("td", { className: "number" }, by === "route" && data.served && column.routes[name] ? flame(column, name, text(amount(column, name))) : text(amount(column, name)))),
          isWritten && make("td", {}, columns.filter((column) => column.routes[name]).slice(0, 1).map((column) => flame(column, name))))), { className: "rows cost", label: "Costs" }));
    },
  };
})();
