// The file that a location names: as the server reads it, or the excerpts that a single file holds.
"use strict";

globalThis.Conduit ??= {};

Conduit.registry.views.source = (() => {
  const { data, model, make, empty } = Conduit.registry;
  let asked = 0;

  async function draw(main, state) {
    const file = Number(state.get("file")), line = Number(state.get("line")) || 0;
    const path = data.files[file];
    if (path === undefined) { main.append(empty("The document names no such file.")); return; }
    const head = make("div", { className: "one-head" }, make("a", { href: "#", onclick: (event) => { event.preventDefault(); history.back(); } }, "← back"), make("h2", { className: "name mono" }, line ? `${path}:${line}` : path));
    main.append(head);
    if (!data.served) {
      const excerpts = model.excerptsOf(file, line);
      if (excerpts.length) show(main, path, line, excerpts);
      else main.append(empty("This file holds no source of it.", "conduit introspect -http=:8080 shows the sources that are on its machine."));
      return;
    }
    const number = (asked += 1);
    const response = await fetch(`source?file=${file}`).catch(() => null);
    if (number !== asked || !head.isConnected) return;
    if (!response?.ok) {
      main.append(empty("This file cannot be shown.", response ? (await response.text()).trim() : "The server does not answer."));
      return;
    }
    const lines = (await response.text()).split("\n");
    if (lines.at(-1) === "") lines.pop();
    show(main, path, line, [{ first: 1, lines }]);
  }

  function show(main, path, line, excerpts) {
    const rows = [];
    let next = 1, picked = null;
    for (const { first, lines } of excerpts) {
      if (first > next) rows.push(make("tr", { className: "gap" }, make("td", { className: "number" }, "…"), make("td", {}, first - next === 1 ? "1 line" : `${Conduit.frame.thousands(first - next)} lines`)));
      lines.forEach((text, at) => {
        const number = first + at;
        const row = make("tr", { id: `L${number}`, className: number === line ? "picked" : "" }, make("td", { className: "number" }, String(number)), make("td", {}, text));
        if (number === line) picked = row;
        rows.push(row);
      });
      next = first + lines.length;
    }
    main.append(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Source of ${path}` }, make("table", { className: "listing source" }, make("tbody", {}, rows))));
    picked?.scrollIntoView({ block: "center" });
  }

  return { parent: "find", draw, leave: () => { asked += 1; } };
})();
