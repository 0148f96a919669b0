// The difference to an older document: guards that were loosened and deletions that reach more first, then every change.
"use strict";

Conduit.registry.views.difference = (() => {
  const { data, model, make, address, setState, link, counted, grow, empty, framed, stacked } = Conduit.registry;
  const SIGNS = { added: "+", removed: "−", changed: "~" };

  function draw(main, state) {
    const found = data.difference;
    if (!found) { main.append(empty("There is no older document to compare with.", "Give one: conduit introspect -http=:8080 -base OLD.json")); return; }
    const kind = state.get("kind") || "", action = state.get("action") || "", filter = (state.get("filter") || "").toLowerCase();
    const shown = found.changes.filter((one) => (!kind || one[1] === kind) && (!action || one[0] === action) && one[2].toLowerCase().includes(filter));
    main.append(make("p", { className: "explain" }, make("span", {}, `Since ${found.base}: ${["added", "removed", "changed"].map((word) => `${found.changes.filter(([each]) => each === word).length} ${word}`).join(", ")}.`)));
    risks(main, found);
    if (!found.changes.length) { main.append(empty("Nothing changed.")); return; }
    const choose = (id, name, options, value) => make("label", {}, `${name} `, make("select", { id, onchange: (event) => setState({ [name]: event.target.value }) }, ["", ...options].map((text) => make("option", { value: text, selected: text === value }, text || "all"))));
    main.append(
      make("h2", {}, "Changes"),
      make("div", { className: "controls" }, choose("difference-kind", "kind", [...new Set(found.changes.map((one) => one[1]))], kind), choose("difference-action", "action", ["added", "removed", "changed"], action),
        make("label", {}, "name ", make("input", { id: "difference-filter", type: "search", value: state.get("filter") || "", oninput: (event) => setState({ filter: event.target.value }, { replace: true }) })),
        make("output", {}, shown.length === found.changes.length ? counted(shown.length, "change") : `${shown.length} of ${counted(found.changes.length, "change")}`)));
    const body = make("tbody");
    const columns = ["", "kind", "name", "attribute", "before", "after"];
    const label = stacked(["", "", "", "", "before", "after"]);
    const sentinel = grow(body, shown.length, (number) => label(row(shown[number])));
    const heads = columns.map((text) => make("th", { scope: "col" }, text || make("span", { className: "hidden" }, "action")));
    main.append(framed(heads, body, { className: "rows changes", label: "Changes" }), sentinel);
    markdown(main, found);
  }

  function risks(main, found) {
    const rows = [
      ...found.lost.map((one) => make("li", {}, make("span", { className: "guard open" }, "less guarded "), named("route", one.route), one.gained ? " gained " : " lost ", make("span", { className: "mono" }, one.guard))),
      ...found.unclear.map((one) => make("li", {}, make("span", { className: "effect" }, "guards exchanged "), named("route", one.route), `: ${one.lost.join(", ") || "(none)"} → ${one.gained.join(", ") || "(none)"}`)),
      ...found.deletions.map((one) => make("li", {}, make("a", { href: address({ view: "resource", name: one.resource }) }, one.resource), `: ${one.text}`)),
    ];
    main.append(make("h2", {}, "To review first", make("small", {}, ` ${rows.length}`)), rows.length ? make("ul", { className: "risks" }, rows) : make("p", {}, "No guard was loosened, and deletions reach the same resources."));
  }

  function named(kind, name) {
    if (kind === "route") return model.route(name) ? link("route", name) : make("span", { className: "mono" }, name);
    const resource = [name, name.split(".").slice(0, -1).join(".")].map((each) => model.resources.find((one) => (one.id || one.name) === each || one.name === each)).find(Boolean);
    return resource ? make("a", { href: address({ view: "resource", name: resource.name, member: kind === "resource" ? null : name.split(".").at(-1) }) }, name) : make("span", {}, name);
  }

  function row([action, kind, name, attribute, before, after]) {
    return make("tr", { className: action }, make("td", {}, make("span", { "aria-hidden": "true" }, SIGNS[action]), make("span", { className: "hidden" }, action)), make("td", {}, kind), make("td", { className: "mono" }, named(kind, name)), make("td", {}, attribute), make("td", { className: "mono" }, before), make("td", { className: "mono" }, after));
  }

  function markdown(main, found) {
    const text = make("textarea", { id: "markdown", readOnly: true, value: found.markdown, rows: 12, "aria-label": "The difference as Markdown" });
    const copy = make("button", { type: "button", className: "key", onclick: () => { text.select(); document.execCommand("copy"); copy.textContent = "Copied"; } }, "Copy");
    main.append(make("details", { className: "markdown" }, make("summary", {}, "As Markdown, for a pull request"), copy, text));
  }

  return { title: "Difference", order: 50, shows: () => Boolean(data.difference), draw };
})();
