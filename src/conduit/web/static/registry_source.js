// The file that a location names, as the server reads it.
"use strict";

Conduit.registry.views.source = (() => {
  const { data, make, empty } = Conduit.registry;
  let asked = 0;

  async function draw(main, state) {
    const file = Number(state.get("file")), line = Number(state.get("line")) || 0;
    const path = data.files[file];
    if (path === undefined) { main.append(empty("The document names no such file.")); return; }
    const head = make("div", { className: "one-head" }, make("a", { href: "#", onclick: (event) => { event.preventDefault(); history.back(); } }, "← back"), make("h2", { className: "name mono" }, line ? `${path}:${line}` : path));
    main.append(head);
    const number = (asked += 1);
    const response = await fetch(`source?file=${file}`).catch(() => null);
    if (number !== asked || !head.isConnected) return;
    if (!response?.ok) {
      main.append(empty("This file cannot be shown.", response ? (await response.text()).trim() : "The server does not answer."));
      return;
    }
    const lines = (await response.text()).split("\n");
    if (lines.at(-1) === "") lines.pop();
    const rows = lines.map((text, at) => make("tr", { id: `L${at + 1}`, className: at + 1 === line ? "picked" : "" }, make("td", { className: "number" }, String(at + 1)), make("td", {}, text)));
    main.append(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Source of ${path}` }, make("table", { className: "listing source" }, make("tbody", {}, rows))));
    rows[line - 1]?.scrollIntoView({ block: "center" });
  }

  return { parent: "find", draw, leave: () => { asked += 1; } };
})();
