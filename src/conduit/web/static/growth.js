// Memory that grew from the first heap profile to the last and is still held, a row for each allocating line.
"use strict";

Conduit.page.views.growth = (() => {
  const { make, data } = Conduit.page;
  const { leading, searching } = Conduit.rows(Conduit.page);
  let content, body;

  // Of a long path the last two parts; `origin` has a name before it.
  const shortPlace = (text) => text.replace(/\/\S+(\/[^/\s]+\/[^/\s]+)$/, "…$1");

  function told() {
    const { profiles, over, total, count } = content;
    return `${total} grown and still held at ${Conduit.frame.thousands(count)} ${count === 1 ? "line" : "lines"}, from the first of ${profiles} profiles to the last${over ? `, ${over} later` : ""}. `;
  }

  function fill(pattern = null) {
    const largest = Math.max(1, ...content.rows.map((row) => row.value));
    body.replaceChildren(...content.rows.map((row) => {
      const part = make("span", { className: "part" });
      part.style.width = `${(100 * row.value) / largest}%`;
      const link = Conduit.page.link("flamegraph", { p: Conduit.page.exactly([row.name]), z: null, si: "inuse_space", lines: "t", ...(data.imports ? { imports: data.imports.leftOut ? "f" : "t" } : {}) }, { tabIndex: -1, title: "its lines, its callers and callees in the flame graph" }, row.name);
      const line = make("tr", { tabIndex: 0, className: pattern?.test(row.name) ? "hit" : "" }, make("td", { className: "value" }, part, make("span", {}, row.grown), row.error ? make("small", { title: row.samples }, row.error) : ""),
        ...(content.over ? [make("td", { className: "optional" }, row.rate)] : []), make("td", {}, row.held, row.heldError ? make("small", {}, row.heldError) : ""), make("td", { className: "optional" }, row.objects, row.samples ? make("small", {}, row.samples) : ""),
        ...(content.profiles > 2 ? [make("td", { className: "optional" }, row.steps)] : []),
        make("td", {}, make("strong", {}, link), " ", make("span", { title: row.place }, shortPlace(row.place)), ...(row.origin ? [make("small", { title: row.origin }, `from ${shortPlace(row.origin)}`)] : []), make("small", {}, row.callers.length ? `called by ${row.callers.join(" < ")}` : "")));
      return leading(line, row.name, link);
    }));
  }

  function draw(main, given) {
    content = given;
    if (!content) return;
    if (!content.rows.length) {
      const between = `from the first of ${content.profiles} profiles to the last`;
      main.append(Conduit.page.empty(content.unseen ? `No growth seen ${between}: less than ${content.unseen} of it may go unseen.` : `Nothing grew ${between}.`, data.file ? "" : "Let the program run for longer between two profiles."));
      return;
    }
    body = make("tbody");
    const head = ["Grown", ...(content.over ? ["Per second"] : []), "Held", "Objects", ...(content.profiles > 2 ? ["Grew in"] : []), "Allocating line"];
    Conduit.page.restore(content.rows.map((row) => row.name));
    const sampled = content.sampled ? make("p", { className: "explain" }, `The heap was sampled, on average one object for each ${content.sampled} allocated, so amounts are estimates: ± is how far sampling may take them from the true ones, 19 times in 20. What rests on few samples is uncertain.`) : "";
    main.append(sampled, make("p", { className: "explain" }, make("span", {}, told() + (content.rows.length < content.count ? `The ${content.rows.length} largest are shown. ` : "")), make("span", {}, "A cache that fills up grows as well: what leaks grows in every step, for as long as the program runs.")),
      make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Growth" }, make("table", { className: "top growth" },
        make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col", className: /Per second|Objects|Grew in/.test(text) ? "optional" : "" }, text)))), body)));
    fill();
  }

  return { draw, search: searching({ body: () => body, fill }) };
})();
