// Resources: the list, and all about one of them.
"use strict";

Conduit.registry.views.resource = (() => {
  const { model, make, address, addressOf, setState, link, location, counted, table, grow, empty } = Conduit.registry;
  const EFFECTS = { cascade: "deleted", restrict: "forbids the deletion", set_null: "key set to null", set_default: "key set to the default", none: "left to the database", undeclared: "undeclared" };

  function draw(main, state) {
    const name = state.get("name");
    if (!name) { list(main, state); return; }
    const resource = model.byName.get(name);
    if (!resource) { main.append(empty(`The document has no resource ${name}.`, make("a", { href: address({ view: "find", q: name }) }, "Find similar names"))); return; }
    one(main, resource, state.get("member") || "");
  }

  // ── the list ──

  function list(main, state) {
    const apps = [...new Set(model.resources.map((each) => each.app || "(none)"))].sort();
    const app = state.get("app") || "", filter = (state.get("filter") || "").toLowerCase();
    const shown = model.resources.filter((each) => (!app || (each.app || "(none)") === app) && `${each.name} ${each.id || ""}`.toLowerCase().includes(filter));
    const sort = state.get("sort") || "";
    const ordered = sorted(shown, sort);
    const kinds = new Set(model.resources.map((each) => each.kind)).size > 1, several = apps.length > 1;
    const body = make("tbody");
    const sentinel = grow(body, shown.length, (number) => {
      const each = ordered[number];
      return make("tr", {}, make("td", {}, link("resource", each.name)), several && make("td", {}, each.app), kinds && make("td", { className: "optional" }, each.kind),
        make("td", { className: "number" }, String(each.fields.length)), make("td", { className: "number" }, String(each.relations.length)), make("td", { className: "number" }, String(model.pointingAt(each.name).length)), make("td", { className: "number" }, String(model.routesOf(each.name).length)),
        make("td", { className: "optional" }, location(each)));
    });
    main.append(
      make("div", { className: "controls" },
        several && make("label", {}, "application ", select("list-app", ["", ...apps], app, (value) => setState({ app: value }))),
        make("label", {}, "name ", make("input", { id: "list-filter", type: "search", value: state.get("filter") || "", autocomplete: "off", oninput: (event) => setState({ filter: event.target.value }, { replace: true }) })),
        make("output", {}, shown.length === model.resources.length ? counted(shown.length, "resource") : `${shown.length} of ${counted(model.resources.length, "resource")}`)),
      make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Resources" },
        make("table", { className: "facts rows" }, make("thead", {}, make("tr", {}, [["name"], several && ["application"], kinds && ["kind", "optional"], ["fields", "number"], ["relations", "number"], ["referred to by", "number"], ["routes", "number"], ["location", "optional"]].filter(Boolean).map(([text, kind]) => heading(text, kind || "", sort)))), body)),
      sentinel);
  }

  // Numbers begin with the largest, texts with the first letter; another click turns the order.
  const KEYS = {
    name: (each) => each.name.toLowerCase(), application: (each) => each.app, kind: (each) => each.kind, fields: (each) => -each.fields.length, relations: (each) => -each.relations.length,
    "referred to by": (each) => -model.pointingAt(each.name).length, routes: (each) => -model.routesOf(each.name).length, location: (each) => model.location(each)?.text || "",
  };

  function sorted(resources, sort) {
    const key = KEYS[sort.replace(/^-/, "")], sign = sort.startsWith("-") ? -1 : 1;
    return key ? [...resources].sort((a, b) => (key(a) < key(b) ? -sign : key(a) > key(b) ? sign : 0)) : resources;
  }

  function heading(text, className, sort) {
    const falling = typeof KEYS[text](model.resources[0] || { name: "", app: "", kind: "", fields: [], relations: [] }) === "number";
    const order = sort.replace(/^-/, "") !== text ? null : falling === sort.startsWith("-") ? "ascending" : "descending";
    return make("th", { scope: "col", className, "aria-sort": order }, make("button", { type: "button", onclick: () => setState({ sort: sort === text ? `-${text}` : text }) }, text));
  }

  function select(id, options, value, onchange) {
    return make("select", { id, onchange: (event) => onchange(event.target.value) },
      options.map((text) => make("option", { value: text, selected: text === value }, text || "all")));
  }

  // ── one ──

  const flags = (...texts) => texts.filter(Boolean).map((text) => make("span", { className: "flag" }, text));

  function section(title, number, ...children) {
    return make("section", { className: "part" }, make("h2", { tabIndex: -1 }, title, number === null ? "" : make("small", {}, ` ${number}`)), children);
  }

  function one(main, resource, member) {
    const parts = [fields(resource, member), relations(resource, member), references(resource), deletion(resource), routes(resource), hooks(resource), validations(resource), rules(resource), chains(resource), computed(resource)];
    main.append(
      make("div", { className: "one-head" },
        make("a", { href: address({ view: "resource" }) }, "← resources"),
        make("h2", { className: "name" }, resource.name),
        make("p", {}, [resource.kind, resource.app && make("a", { href: address({ view: "resource", app: resource.app }) }, resource.app), resource.table && `table ${resource.table}`, resource.abstract && "abstract", resource.origin && resource.origin !== "project" && resource.origin, location(resource)].filter(Boolean).flatMap((part, at) => (at ? [" · ", part] : [part]))),
        Conduit.registry.views.graph && make("a", { className: "key", href: address({ view: "graph", name: resource.name }) }, "Graph"),
        Conduit.registry.costOf?.("resource", resource.name)),
      resource.documentation ? make("p", { className: "documentation" }, resource.documentation) : "",
      jumps(parts.filter(Boolean)),
      make("div", { className: "parts" }, parts.filter(Boolean)));
    if (member) document.querySelector("tr.picked")?.scrollIntoView({ block: "center" });
  }

  function jumps(parts) {
    return make("nav", { className: "chips", "aria-label": "Parts" }, parts.map((part) => {
      const head = part.querySelector("h2");
      return make("button", { type: "button", className: "key", onclick: () => { part.scrollIntoView(); head.focus({ preventScroll: true }); } }, head.textContent);
    }));
  }

  function fields(resource, member) {
    if (!resource.fields.length) return null;
    const any = (name) => resource.fields.some((field) => field[name]);
    const head = ["name", "type", "", any("default") || any("server_default") ? "default" : null, any("constraints") || any("choices") ? "constraints" : null, any("documentation") ? "documentation" : null, any("line") ? "location" : null];
    const rows = resource.fields.map((field) => make("tr", { className: field.name === member ? "picked" : "" },
      make("td", { className: "mono" }, make("a", { className: "plain", href: addressOf("field", { name: resource.name, member: field.name }) }, field.name)),
      make("td", { className: "mono" }, field.references ? [field.type, " → ", link("resource", field.references)] : field.type),
      make("td", {}, flags(field.primary_key && "primary key", field.required && "required", field.nullable && "null", field.unique && !field.primary_key && "unique", field.indexed && "indexed", field.deprecated && "deprecated")),
      head[3] && make("td", { className: "mono" }, field.default || field.server_default || ""),
      head[4] && make("td", { className: "mono" }, (field.constraints || []).join(" "), field.choices ? make("span", { className: "choices" }, ` ${field.choices.slice(0, 8).join(", ")}${field.choices.length > 8 ? ", …" : ""}`) : ""),
      head[5] && make("td", {}, field.documentation || ""),
      head[6] && make("td", { className: "optional" }, location(field, { brief: true }))));
    return section("Fields", resource.fields.length, table(head.filter((text) => text !== null), rows, { className: "rows", label: "Fields" }));
  }

  function relations(resource, member) {
    if (!resource.relations.length) return null;
    const rows = resource.relations.map((each) => make("tr", { className: each.name === member ? "picked" : "" },
      make("td", { className: "mono" }, each.name), make("td", {}, each.type), make("td", {}, each.generic ? "any resource" : link("resource", each.target)),
      make("td", { className: "mono" }, each.key || ""), make("td", {}, each.through ? link("resource", each.through) : ""), make("td", {}, onDelete(each.on_delete)), make("td", { className: "optional" }, location(each, { brief: true }))));
    return section("Relations", resource.relations.length, table(["name", "type", "target", "key", "through", "on delete", "location"], rows, { className: "rows", label: "Relations" }));
  }

  const onDelete = (text) => (text ? make("span", { className: `effect effect-${text.toLowerCase().replace(/\W+/g, "_")}` }, text) : "");

  function references(resource) {
    const found = model.pointingAt(resource.name);
    if (!found.length) return null;
    return section("Referred to by", found.length, table(["resource", "as", "type", "on delete"],
      found.map(({ source, relation }) => [link("resource", source), make("span", { className: "mono" }, relation.name), relation.type, onDelete(relation.on_delete)]), { className: "rows", label: "Referred to by" }));
  }

  // The chain of a deletion, drawn as a tree: each resource below the one whose deletion leads to it.
  function deletion(resource) {
    const effects = model.deletion(resource.name);
    if (!effects.length) return section("Deletion", null, make("p", { className: "explain" }, `Nothing refers to ${resource.name}: deleting a row reaches no other resource.`));
    const children = new Map();
    effects.forEach((effect, number) => { (children.get(effect.parent) || children.set(effect.parent, []).get(effect.parent)).push(number); });
    const { affected, deleted, forbidden } = Conduit.registryModel.summary(effects, resource.name);
    const parts = [`affects ${counted(affected, "resource")}`, deleted ? `deletes rows of ${deleted}` : "", forbidden ? `is forbidden by ${counted(forbidden, "relationship")}` : ""].filter(Boolean);

    function node(number) {
      const effect = effects[number], below = children.get(number) || [];
      const line = [make("span", { className: `dot dot-${effect.onDelete.replace(/\W+/g, "_")}` }), link("resource", effect.resource), make("span", { className: "mono" }, `.${effect.relationship}`), make("span", { className: `effect effect-${effect.onDelete.replace(/\W+/g, "_")}` }, EFFECTS[effect.onDelete] || effect.onDelete)];
      if (!below.length) return make("li", { className: "node" }, make("span", { className: "line" }, line));
      const inner = make("ul");
      const fold = make("details", { open: effect.depth < 2 && effects.length <= 80 }, make("summary", {}, `and ${counted(below.length, "relationship")} of ${effect.resource}`), inner);
      const fill = () => { if (!inner.childNodes.length) inner.append(...below.map(node)); };
      if (fold.open) fill();
      fold.addEventListener("toggle", fill);
      return make("li", { className: "node" }, make("span", { className: "line" }, line), fold);
    }

    return section("Deletion", null,
      make("p", { className: "explain" }, make("span", {}, `Deleting a row of ${resource.name} ${parts.join(", ")}.`)),
      make("ul", { className: "chain", id: "deletion" }, make("li", { className: "node root" }, make("strong", {}, resource.name), make("ul", {}, (children.get(-1) || []).map(node)))));
  }

  function routes(resource) {
    const found = model.routesOf(resource.name);
    if (!found.length) return null;
    const shown = found.slice(0, 40);
    return section("Routes", found.length,
      table(["method", "path", "operation", "guards", "handler"], shown.map((route) => [route.method, link("route", model.routeName(route), route.path), route.operation, Conduit.registry.guardsOf(route), link("handler", route.handler, route.handler.split(/[:]/).at(-1))]), { className: "rows routes", label: "Routes" }),
      make("p", { className: "explain" }, make("a", { href: address({ view: "routes", resource: resource.name, all: "1" }) }, `${found.length > shown.length ? `All ${counted(found.length, "route")}` : "These routes"} in the table of routes`)));
  }

  function hooks(resource) {
    if (!resource.hooks.length) return null;
    return section("Hooks", resource.hooks.length, table(["when", "what", "", "location"], resource.hooks.map((hook) => [hook.type, make("span", { className: "mono pre" }, hook.handler || hook.source || ""), flags(hook.transaction && "transaction", hook.asynchronous && "async", hook.sender === "*" && "every resource"), location(hook, { brief: true })]), { className: "rows", label: "Hooks" }));
  }

  function validations(resource) {
    if (!resource.validations.length) return null;
    return section("Validations", resource.validations.length, table(["field", "type", "value", "message", "location"], resource.validations.map((each) => [make("span", { className: "mono" }, each.field), each.type || "", make("span", { className: "mono" }, each.value || each.handler || ""), each.message || "", location(each, { brief: true })]), { className: "rows", label: "Validations" }));
  }

  function rules(resource) {
    const constraints = resource.constraints.map((each) => [each.name || "", each.kind || (each.operations || []).join(", "), make("span", { className: "mono pre" }, each.condition || (each.fields || []).join(", ")), [each.when && `when ${each.when}`, each.error].filter(Boolean).join("; ")]);
    const indexes = resource.indexes.map((each) => [each.name || "", each.unique ? "unique index" : "index", make("span", { className: "mono" }, (each.fields || []).join(", ")), each.condition || ""]);
    const rows = [...constraints, ...indexes];
    return rows.length ? section("Constraints and indexes", rows.length, table(["name", "kind", "of", "note"], rows, { className: "rows", label: "Constraints and indexes" })) : null;
  }

  function chains(resource) {
    const operations = Object.entries(resource.middleware);
    return operations.length ? section("Middleware", operations.length, table(["operation", "chain"], operations.map(([operation, chain]) => [operation, make("span", { className: "mono" }, chain.join(" → "))]), { className: "rows", label: "Middleware" })) : null;
  }

  function computed(resource) {
    const rows = [...resource.computed.map((each) => [each.name, each.type || "computed", make("span", { className: "mono pre" }, each.expression || each.handler || "")]), ...resource.scopes.map((each) => [each.name, `scope(${(each.parameters || []).join(", ")})`, make("span", { className: "mono pre" }, each.query || "")])];
    return rows.length ? section("Computed fields and scopes", rows.length, table(["name", "type", "expression"], rows, { className: "rows", label: "Computed fields and scopes" })) : null;
  }

  return { title: "Resources", order: 10, draw, select, section };
})();
