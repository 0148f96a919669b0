// Labels (thread, task, route, any other): how much each value took, a click filters by it; functions by one label.
"use strict";

Conduit.page.views.labels = (() => {
  const { make, address, data, state } = Conduit.page;
  const { leading } = Conduit.rows(Conduit.page);
  const LONGEST_PIECE = 20; // letters of a value that stand in one line
  let shown, content;

  // A text that breaks after / and . and where a piece is too long for a column, not within other words.
  function breaking(text) {
    const pieces = text.match(new RegExp(`[^/.\\s]{1,${LONGEST_PIECE}}[/.]*\\s*|[/.\\s]+`, "gu")) || [text];
    return pieces.flatMap((piece, n) => (n ? [make("wbr"), piece] : [piece]));
  }

  function facet(one, counted) {
    // A row keeps its samples by one filter on labels and excludes them by the other.
    const rowOf = (value, kept, excluded) => {
      const bar = make("span", { className: "part" });
      bar.style.width = `${value.part * 100}%`;
      const name = data.file ? make("span", {}, breaking(value.text)) : make("a", { href: address("labels", kept), title: `keep only the samples ${value.having ? value.text : `with ${one.key} ${value.text}`}` }, breaking(value.text));
      const row = make("tr", {}, make("td", { className: "value" }, bar, name), ...(content.compared ? [make("td", {}, value.before), make("td", {}, value.shareBefore)] : []), make("td", {}, value.amount), make("td", {}, value.share), make("td", { className: "optional" }, value.count),
        data.file ? null : make("td", {}, make("a", { href: address("labels", excluded), "aria-label": `exclude ${value.having ? "samples" : one.key} ${value.text}` }, "exclude")));
      row.dataset.text = `${one.key}:${value.text}`;
      if (!data.file) row.addEventListener("click", (event) => { if (!event.target.closest("a")) name.click(); });
      return row;
    };
    const rows = one.values.map((value) => rowOf(value, { tf: filtered(value.filter) }, { ti: value.filter }));
    // A label with a value for each request is a long list: the rest is a click away.
    const rest = rows.length > 15 ? rows.splice(12) : [];
    const without = one.without ? rowOf(one.without, { ti: one.without.having }, { tf: filtered(one.without.having) }) : "";
    const all = rest.length ? make("button", { type: "button", className: "more", onclick: () => { all.previousElementSibling.querySelector("tbody").append(...rest, without); all.remove(); } }, `${rest.length} more`) : "";
    const more = one.count > one.values.length ? make("p", { className: "explain" }, `and ${Conduit.frame.thousands(one.count - one.values.length)} more values`) : null;
    const head = make("h2", {}, one.key, " ", make("small", {}, one.count === 1 ? "1 value" : `${Conduit.frame.thousands(one.count)} values`));
    if (!data.file) head.append(" ", make("a", { href: address("flamegraph", { tagroot: one.key }), title: "a box for each value below the root" }, "flame graph by it"));
    return make("section", { className: "facet" }, head,
      make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Values of ${one.key}` }, make("table", { className: "top facets" },
        make("thead", {}, make("tr", {}, ...["Value", ...(content.compared ? ["Before", "of all before", "After", "of all after"] : [content.type, "Share"]), counted, ...(data.file ? [] : ["Exclude"])].map((text) => make("th", { scope: "col", className: text === counted ? "optional" : "" }, text)))),
        make("tbody", {}, ...rows, without))), all, more ?? "");
  }

  // Filters on labels narrow each other: all of a comma's parts that name a key have to match.
  function filtered(filter) {
    const before = state.get("tf");
    if (!before || before.includes("=") || filter.includes("=")) return filter;
    return before.split(",").includes(filter) ? before : `${before},${filter}`;
  }

  function top() {
    const { columns, rows } = content.top;
    const choice = make("select", { "aria-label": "Functions by label" }, ...content.keys.map((key) => make("option", { value: key, selected: key === content.by }, key)));
    choice.addEventListener("change", () => Conduit.page.go("labels", { label: choice.value }));
    choice.disabled = data.file;
    const head = ["Function", "All", ...columns].map((text) => make("th", { scope: "col" }, text));
    const body = rows.map((row) => {
      const link = Conduit.page.link("flamegraph", { p: Conduit.page.exactly([row.name]), z: null }, { tabIndex: -1, title: "its callers and callees in the flame graph" }, breaking(row.name));
      const line = make("tr", { tabIndex: 0 }, make("td", { className: "value" }, link), make("td", {}, row.total), ...row.cells.map((cell) => make("td", {}, cell)));
      line.dataset.text = row.name;
      return leading(line, row.name, link);
    });
    return make("section", { className: "facet wide" }, make("h2", {}, "Functions by ", choice, " ", make("small", {}, content.compared ? "what each took itself more or less than before" : "what each took itself")),
      make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Functions by ${content.by}` }, make("table", { className: "top facets by-label" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body))));
  }

  function draw(main, given) {
    content = given;
    if (!content.facets.length) {
      main.append(Conduit.page.empty("No sample has a label.", "Recordings carry thread and task; conduit.record.labels adds your own, such as the route of a request."));
      return;
    }
    if (content.top) Conduit.page.restore(content.top.rows.map((row) => row.name), content.top.rows.map((row) => row.function));
    shown = make("div", { className: content.compared ? "facet-list compared" : "facet-list" }, ...content.facets.map((one) => facet(one, content.counted)), content.top ? top() : "");
    main.append(make("p", { className: "explain" }, data.file ? "" : "Click a value to keep only its samples."), shown);
  }

  function search(regexp) {
    let found = 0;
    for (const row of shown?.querySelectorAll("tr[data-text]") || []) {
      const hit = Boolean(regexp) && regexp.test(row.dataset.text);
      row.classList.toggle("hit", hit);
      found += hit;
    }
    Conduit.page.matched(regexp ? `${found} rows` : "");
  }

  return { draw, search };
})();
