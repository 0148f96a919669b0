// The table of functions: click a heading to sort, a row to select it. Order and picked rows are in the address.
"use strict";

Conduit.page.views.top = (() => {
  const { make, note, state } = Conduit.page;
  const { pickable, searching } = Conduit.rows(Conduit.page);
  const { percent } = Conduit.units;
  let rows, total, difference, key, falling, body, pattern, headings;

  const columns = [
    ["flat", "Flat", "time or space of the function itself"],
    ["flat%", "Flat%", "its share of the total"],
    ["sum%", "Sum%", "flat shares added up, row by row"],
    ["cum", "Cum", "with everything it called"],
    ["cum%", "Cum%", "that share of the total"],
    ["name", "Name", ""],
  ];

  // In a narrow window shares stand below their amounts.
  const kept = (n) => (n === 2 ? "optional" : n % 3 ? "share" : "");

  function choose(column) {
    const wanted = column.replace("%", "").replace("sum", "flat");
    falling = key === wanted ? !falling : wanted !== "name";
    key = wanted;
    note({ by: key === "flat" && falling ? null : key + (falling === (key === "name") ? ",turned" : "") }, true);
    sort();
  }

  const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0); // as the report has them

  function sort() {
    rows.sort((a, b) => (key === "name" ? byName(a, b) : Math.abs(a[key]) - Math.abs(b[key]) || byName(b, a)));
    if (falling) rows.reverse();
    for (const [name, heading] of headings) {
      heading.setAttribute("aria-sort", name === key ? (falling ? "descending" : "ascending") : "none");
    }
    fill();
  }

  // In a difference amounts and shares are changes, with the sign of each.
  function signed(value, text, share) {
    if (!difference || !value) return [text, share];
    return value > 0 ? [`+${text}`, `+${share}`] : [text, `-${share}`];
  }

  function fill() {
    const sum = falling ? { flat: "sumByFlat", cum: "sumByCum" }[key] : null; // adds up in these two orders only
    body.replaceChildren(...rows.map((row) => {
      const cells = [...signed(row.flat, row.flatText, row.flatPercent), sum ? row[sum] : "", ...signed(row.cum, row.cumText, row.cumPercent)];
      const change = (n) => (!difference || n === 2 ? "" : (n < 2 ? row.flat : row.cum) > 0 ? " grew" : (n < 2 ? row.flat : row.cum) < 0 ? " shrank" : "");
      const line = make("tr", { className: pattern && pattern.test(row.name) ? "hit" : "", tabIndex: 0 },
        ...cells.map((text, n) => make("td", { className: kept(n) + change(n) }, text, n % 3 ? "" : make("small", { className: "narrow", "aria-hidden": "true" }, cells[n + 1]))),
        make("td", {}, row.name, row.inline ? make("small", {}, ` ${row.inline}`) : null));
      return pickable(line, row.name);
    }));
  }

  function draw(main, content) {
    rows = content.rows; total = content.total; pattern = null;
    difference = Conduit.page.data.compared || rows.some((row) => row.flat < 0 || row.cum < 0);
    if (!rows.length) { main.append(Conduit.page.empty("No function is left to list.", Conduit.page.data.remedy)); return; }
    headings = new Map();
    const head = make("tr", {}, ...columns.map(([name, text, title], n) => {
      const cell = make("th", { scope: "col", className: n < 5 ? kept(n) : "" }, make("button", { type: "button", title, onclick: () => choose(name) }, text));
      headings.set(name, cell);
      return cell;
    }));
    body = make("tbody");
    main.append(
      make("p", { className: "explain" }, content.note, " ", content.shares, " Flat is the function itself, cum includes what it called. Click rows to select them."),
      make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Functions" }, make("table", { className: "top" }, make("thead", {}, head), body)));
    Conduit.page.restore(rows.map((row) => row.name), rows.map((row) => row.function));
    const [wanted, turned] = (state.get("by") || (state.get("sort") === "cum" ? "cum" : "flat")).split(",");
    key = ["flat", "cum", "name"].includes(wanted) ? wanted : "flat";
    falling = (key === "name") === Boolean(turned);
    sort();
  }

  function told(count) {
    const flat = rows.reduce((sum, row) => sum + (pattern.test(row.name) ? row.flat : 0), 0);
    return `${count} rows, ${percent(flat, total)} flat`;
  }

  return { draw, search: searching({ body: () => body, fill: (regexp) => { pattern = regexp; fill(); }, told }) };
})();
