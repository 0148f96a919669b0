// Peek (callers and callees as text) and Source (lines with their costs).
"use strict";

Conduit.page.views.peek = (() => {
  const { make } = Conduit.page;
  let lines;

  function draw(main, content) {
    lines = content.text.split("\n");
    main.append(
      make("p", { className: "explain" }, "Each function with its callers above and its callees below. Search and press Enter to narrow the list. ", content.note || ""),
      make("pre", { className: "text", tabIndex: 0, "aria-label": "Callers and callees" }));
    fill(null);
  }

  function fill(pattern) {
    document.querySelector("pre.text").replaceChildren(...lines.flatMap((line) => [
      pattern && pattern.test(line) ? make("span", { className: "hit" }, line) : line, "\n"]));
  }

  return { draw, search: fill };
})();

Conduit.page.views.source = (() => {
  const { make, data } = Conduit.page;

  function heat(share) { return Math.min(55, Math.round(Math.sqrt(share) * 70)); }

  function listing(one) {
    const body = make("tbody", {}, ...one.lines.map((line) => {
      const row = make("tr", {},
        make("td", {}, line.flat), make("td", {}, line.cum), make("td", { className: "number" }, String(line.number)), make("td", {}, line.text));
      if (line.share) { row.className = "hot"; row.style.setProperty("--heat", heat(line.share)); }
      return row;
    }));
    return make("section", { className: "function" },
      make("h2", {}, one.name), make("p", {}, `${one.file} — flat ${one.flat}, cum ${one.cum} (${one.percent} of total)`),
      one.error ? make("p", {}, one.error) : make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Source of ${one.name}` }, make("table", { className: "listing" }, body)));
  }

  function draw(main, content) {
    if (!content.functions.length) {
      main.append(Conduit.page.empty("No source to show.", data.file ? "The profile names no file that could be read." : "Pick a function in another view and choose Show source code, or search for one and press Enter."));
      return;
    }
    main.append(make("p", { className: "explain" }, "Flat is the line itself, cum includes what it called. ", content.note || ""));
    main.append(...content.functions.map(listing));
  }

  return { draw };
})();
