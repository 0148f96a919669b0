// The application as the page's views ask for it: resources, routes, who refers to whom, what a deletion reaches.
// Nothing here touches the page, so that Node's test runner can load it.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryModel = (() => {
  const WRITES = new Set(["POST", "PUT", "PATCH", "DELETE", "ANY"]);
  const METHODS = new Set([...WRITES, "GET", "HEAD", "OPTIONS", "QUERY", "TRACE", "WEBSOCKET"]);
  const TEXTS = ["method", "path", "handler", "resource", "operation", "request", "response", "name", "kind", "origin", "documentation", "app", "host"];

  function readRoutes(columns) {
    const at = (name, number, otherwise) => (columns[name] ? columns[name].values[columns[name].at[number]] : otherwise);
    return Array.from({ length: columns.count }, (_, number) => {
      const route = { number, line: columns.line[number] };
      for (const name of TEXTS) route[name] = at(name, number, "");
      route.file = at("file", number, [])[0];
      route.chain = at("chain", number, []);
      route.touches = at("touches", number, []);
      const guards = at("guards", number, {});
      route.guards = guards.names || [];
      route.exemptions = guards.exemptions || [];
      route.open = Boolean(guards.open);
      route.csrf = Boolean(guards.csrf);
      return route;
    });
  }

  const bodyName = (body) => body.replace(/^\[\]/, "");
  const writes = (route) => WRITES.has(route.method);

  function listed(pairs) {
    const found = new Map();
    for (const [key, value] of pairs) {
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(value);
    }
    return found;
  }

  function createModel(data) {
    const resources = data.resources.map((one) => ({
      fields: [], relations: [], hooks: [], validations: [], constraints: [], scopes: [], computed: [], indexes: [], middleware: {},
      app: "", kind: "", origin: "", ...one,
    }));
    const byName = new Map(resources.map((one) => [one.name, one]));
    const routes = readRoutes(data.routes);
    const references = listed(resources.flatMap((source) => source.relations.map((relation) => [relation.target, { source: source.name, relation }])));
    const touching = listed(routes.flatMap((route) => {
      const names = new Set([route.resource, ...route.touches, bodyName(route.request), bodyName(route.response)]);
      return [...names].filter(Boolean).map((name) => [name, route]);
    }));
    const routeName = (route) => `${route.method} ${route.host ? `${route.host}` : ""}${route.path}`;
    const byRouteName = new Map([...routes].reverse().map((route) => [routeName(route), route]));

    return {
      data, resources, byName, routes, routeName,
      tasks: data.tasks || [],
      route: (name) => byRouteName.get(name),
      pointingAt: (name) => references.get(name) || [],
      routesOf: (name) => touching.get(name) || [],
      deletion: (name) => deletion(data.deletion, name),
      // Excerpts of a file, if one of them holds the line: [{first, lines}], in order.
      excerptsOf: (file, line) => {
        const found = (data.excerpts?.[file] || []).map(([first, text]) => ({ first, lines: text.split("\n") }));
        return found.some(({ first, lines }) => !line || (line >= first && line < first + lines.length)) ? found : [];
      },
      location: (record) => (record.file === undefined ? null : { file: record.file, line: record.line || 0, text: shownPath(data.files[record.file], record.line) }),
    };
  }

  // What the deletion of a row reaches, nearest first: the rules of conduit.metadata.impact. `parent` is the number of
  // the effect that led to this one, -1 for a relationship to the deleted resource itself.
  function deletion({ stored, links, linksInDatabase }, name) {
    const touching = (from, target) => (Object.hasOwn(from, target) ? from[target] : []);
    const seen = new Set();
    let start = name;
    while (Object.hasOwn(stored, start) && !seen.has(start)) { seen.add(start); start = stored[start]; }
    const effects = [], followed = new Set([start]), known = new Set();
    const byMapper = new Set([start]);  // iterating a set reaches members that the loop adds
    if (linksInDatabase) {
      for (const target of byMapper) {
        for (const [resource, , , , followed] of touching(links, target)) if (followed) byMapper.add(resource);
      }
    }
    let level = [[start, -1]];
    while (level.length) {
      const following = [];
      for (const [target, parent] of level) {
        for (const [resource, relationship, onDelete, ofParent] of touching(linksInDatabase && !byMapper.has(target) ? linksInDatabase : links, target)) {
          const key = JSON.stringify([resource, relationship, target, onDelete]);
          if (known.has(key) || (ofParent && followed.has(resource))) continue;
          known.add(key);
          effects.push({ resource, relationship, target, onDelete, parent, depth: parent < 0 ? 1 : effects[parent].depth + 1 });
          if (onDelete === "cascade" && !followed.has(resource) && !ofParent) {
            followed.add(resource);
            following.push([resource, effects.length - 1]);
          }
        }
      }
      level = following;
    }
    return effects;
  }

  function summary(effects, name) {
    const deleted = new Set(effects.filter((one) => one.onDelete === "cascade" && one.resource !== name).map((one) => one.resource));
    return {
      affected: new Set(effects.map((one) => one.resource)).size,
      deleted: deleted.size,
      forbidden: effects.filter((one) => one.onDelete === "restrict").length,
    };
  }

  // As `introspect` prints it: without the folder of the environment.
  function shownPath(path, line) {
    const short = path.startsWith("/") ? path.replace(/^.*\/(?:site|dist)-packages\//, "").replace(/^.*\/lib\/python\d+\.\d+\//, "") : path;
    return line ? `${short}:${line}` : short;
  }

  // ── routes ──

  const MISSING = {
    auth: (route) => route.open,
    csrf: (route) => writes(route) && !route.csrf,
    resource: (route) => !route.resource,
    handler: (route) => !route.handler,
    documentation: (route) => !route.documentation,
    request: (route) => writes(route) && route.method !== "DELETE" && !route.request,
    response: (route) => !route.response,
  };

  const carries = (route, guard) => {
    const wanted = guard.toLowerCase();
    return route.chain.some((step) => step.name.toLowerCase() === wanted || step.name.toLowerCase().split("(")[0] === wanted) ||
      route.guards.some((name) => name.toLowerCase() === wanted);
  };

  // A part of the text, or with `*` or `?` the whole of it as a glob; case does not matter.
  function matcher(text) {
    const wanted = text.toLowerCase();
    if (!/[*?]/.test(wanted)) return (value) => value.toLowerCase().includes(wanted);
    const expression = wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
    const compiled = new RegExp(`^${expression}$`, "s");
    return (value) => compiled.test(value.toLowerCase());
  }

  // "POST without auth /api in shop": a method, a missing step, a carried step, a part of the path, an application;
  // any other word is a part of the path, the handler or the name.
  function parseFilter(text) {
    const tests = [];
    const words = text.split(/\s+/).filter(Boolean);
    for (let at = 0; at < words.length; at++) {
      const word = words[at], next = words[at + 1];
      if (METHODS.has(word.toUpperCase()) && word === word.toUpperCase()) tests.push((route) => route.method === word || route.method === "ANY");
      else if (word.toLowerCase() === "write") tests.push(writes);
      else if (word.toLowerCase() === "read") tests.push((route) => !writes(route));
      else if (/^(without|no|missing)$/i.test(word) && next) { tests.push(missing(next)); at += 1; }
      else if (/^with$/i.test(word) && next) { tests.push(Object.hasOwn(MISSING, next.toLowerCase()) ? not(missing(next)) : (route) => carries(route, next)); at += 1; }
      else if (/^in$/i.test(word) && next) { const wanted = next.toLowerCase(); tests.push((route) => route.app.toLowerCase() === wanted); at += 1; }
      else if (word.startsWith("/")) { const fits = matcher(word); tests.push((route) => fits(route.path)); }
      else { const fits = matcher(word); tests.push((route) => fits(route.path) || fits(route.handler) || fits(route.name) || fits(route.resource)); }
    }
    return (route) => tests.every((test) => test(route));
  }

  const not = (test) => (route) => !test(route);

  function missing(name) {
    const word = { authentication: "auth", guard: "auth", guards: "auth", login: "auth", docs: "documentation" }[name.toLowerCase()] || name.toLowerCase();
    return Object.hasOwn(MISSING, word) ? MISSING[word] : (route) => !carries(route, name);
  }

  // `wanted`: {q, method, path, guard, missing, app, handler, resource, all}, each a text or absent; `in` is a group of the
  // guard matrix, as "app:shop", `with` and `without` one of its columns.
  function filterRoutes(model, wanted) {
    const tests = [];
    if (!wanted.all) tests.push((route) => route.origin !== "framework");
    if (wanted.method) tests.push((route) => route.method === wanted.method);
    if (wanted.path) { const fits = matcher(wanted.path); tests.push((route) => fits(route.path)); }
    if (wanted.handler) { const fits = matcher(wanted.handler); tests.push((route) => fits(route.handler)); }
    if (wanted.guard) tests.push((route) => carries(route, wanted.guard));
    if (wanted.missing) tests.push(missing(wanted.missing));
    if (wanted.app) tests.push((route) => route.app === wanted.app);
    if (wanted.resource) { const touching = new Set(model.routesOf(wanted.resource)); tests.push((route) => touching.has(route)); }
    if (wanted.in) { const [by, ...group] = wanted.in.split(":"); tests.push((route) => GROUPS[by]?.(route) === group.join(":")); }
    if (wanted.with) tests.push(columnOf(wanted.with));
    if (wanted.without) tests.push(not(columnOf(wanted.without)));
    if (wanted.kind === "write") tests.push(writes);
    if (wanted.kind === "read") tests.push(not(writes));
    if (wanted.q) tests.push(parseFilter(wanted.q));
    return model.routes.filter((route) => tests.every((test) => test(route)));
  }

  // The routes as a tree of the parts of their paths; parts that lead to one child only are joined with it.
  function pathTree(routes) {
    const root = { part: "", prefix: "", routes: [], children: new Map(), count: 0, open: 0 };
    for (const route of routes) {
      let node = root;
      const passed = [root];
      for (const part of route.path.match(/\/?[^/]+|\/$|\//g) || []) {
        if (!node.children.has(part)) node.children.set(part, { part, prefix: node.prefix + part, routes: [], children: new Map(), count: 0, open: 0 });
        node = node.children.get(part);
        passed.push(node);
      }
      node.routes.push(route);
      for (const one of passed) { one.count += 1; one.open += route.open ? 1 : 0; }
    }
    return joined(root);
  }

  function joined(node) {
    let children = [...node.children.values()].map(joined);
    if (!node.routes.length && children.length === 1 && node.part !== "") {
      const [only] = children;
      return { ...only, part: node.part + only.part };
    }
    children = children.sort((a, b) => (a.part < b.part ? -1 : a.part > b.part ? 1 : 0));
    return { part: node.part, prefix: node.prefix, routes: node.routes, children, count: node.count, open: node.open };
  }

  // ── guards ──

  const GROUPS = { app: (route) => route.app || "(none)", resource: (route) => route.resource || "(none)", path: (route) => `/${route.path.split("/").filter(Boolean).slice(0, 2).join("/")}` };
  const SHARE = 0.75, LEAST = 4;
  const ANY = "*", CSRF = "*csrf"; // columns beside those of the guards

  // Whether a route is counted in a column of the matrix.
  const columnOf = (name) => (name === ANY ? (route) => !route.open : name === CSRF ? (route) => route.csrf : (route) => route.guards.includes(name));

  // Routes × guards by group. A guard that at least three quarters of at least four routes of a group carry is the
  // group's custom; the routes without it are its outliers, and so are those that only one of a large group carries.
  function guardMatrix(routes, groupBy) {
    const names = new Map();
    for (const route of routes) for (const name of route.guards) names.set(name, (names.get(name) || 0) + 1);
    const guards = [...names].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name, count]) => ({ name, count }));
    const rows = [...listed(routes.map((route) => [GROUPS[groupBy](route), route]))].map(([group, members]) => {
      const cells = guards.map(({ name }) => cell(members, columnOf(name)));
      return { group, routes: members, cells, csrf: cell(members, columnOf(CSRF)), guarded: cell(members, columnOf(ANY)) };
    });
    rows.sort((a, b) => (a.group < b.group ? -1 : 1));
    const outliers = rows.flatMap((row) => [
      ...row.cells.map((one, at) => ({ group: row.group, guard: guards[at].name, ...one })),
      { group: row.group, guard: "auth", ...row.guarded },
    ].filter((one) => one.outliers.length).map((one) => ({ ...one, total: row.routes.length })));
    outliers.sort((a, b) => a.outliers.length / a.total - b.outliers.length / b.total || b.total - a.total);
    return { guards, rows, outliers };
  }

  function cell(members, has) {
    const count = members.filter(has).length, share = count / members.length;
    const isCustom = members.length >= LEAST && share >= SHARE && count < members.length;
    return { count, share, outliers: isCustom ? members.filter((route) => !has(route)) : [] };
  }

  return { createModel, deletion, summary, shownPath, filterRoutes, parseFilter, pathTree, guardMatrix, ANY, CSRF, writes, MISSING, matcher };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryModel;
