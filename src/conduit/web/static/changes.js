// What changed most between a profile and its base: own and whole amounts before and after, sorted by the change.
"use strict";

Conduit.page.views.changes = (() => {
  const { make, address, data, state, note, pick, selected } = Conduit.page;
  let content, body, pattern, key;

  function rows() {
    const found = [...content.rows].sort((a, b) => Math.abs(b[key].value) - Math.abs(a[key].value) || (a.name < b.name ? -1 : 1));
    return found.filter((row) => row[key].value || !pattern);
  }

  function fill() {
    body.replaceChildren(...rows().map((row) => {
      const { before, after, change, percent, value } = row[key];
      const mark = value > 0 ? "grew" : value < 0 ? "shrank" : "";
      const line = make("tr", { tabIndex: 0, className: pattern?.test(row.name) ? "hit" : "" }, make("td", {}, before), make("td", {}, after),
        make("td", { className: mark }, change), make("td", { className: mark }, percent), make("td", {}, row.name));
      const show = () => { line.classList.toggle("picked", selected.has(row.name)); line.setAttribute("aria-selected", selected.has(row.name)); };
      show();
      const toggle = () => { pick(row.name, !selected.has(row.name)); show(); };
      line.addEventListener("click", toggle);
      line.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); toggle(); } });
      line.addEventListener("contextmenu", (event) => Conduit.page.openContext(event, row.name, [], line));
      return line;
    }));
  }

  function totals() {
    const { before, after, change, normalised } = content;
    const link = data.file ? null : make("a", { href: address("changes", { norm: normalised ? null : "t" }) }, normalised ? "Compare amounts as they are" : "Scale both to the same total");
    const text = normalised
      ? `Normalised: the amounts after are scaled so that both sides have ${before} in all. A change is a change of the share. `
      : `In all ${before} before, ${after} after (${change}). Not normalised: where one side was recorded for longer, all of it is larger. `;
    return make("p", { className: "explain totals" }, make("span", {}, text), link || "");
  }

  function kinds() {
    return make("span", { className: "keys-more", role: "group", "aria-label": "Amounts" }, ...[["flat", "Self"], ["cum", "With callees"]].map(([name, text]) => {
      const button = make("button", { type: "button", className: "key switch", "aria-pressed": String(key === name) }, text);
      button.addEventListener("click", () => {
        key = name;
        note({ by: key === "flat" ? null : key }, true);
        for (const each of button.parentElement.children) each.setAttribute("aria-pressed", String(each === button));
        fill();
      });
      return button;
    }));
  }

  function draw(main, given) {
    content = given; pattern = null;
    if (!content) return;
    key = state.get("by")?.startsWith("cum") ? "cum" : "flat";
    if (!content.rows.length) { main.append(Conduit.page.empty("No function is left to compare.", data.remedy)); return; }
    body = make("tbody");
    const head = ["Before", "After", "Change", "Change %", "Name"].map((text, n) => make("th", { scope: "col", "aria-sort": n === 2 ? "descending" : "none" }, text));
    Conduit.page.restore(content.rows.map((row) => row.name));
    main.append(totals(), kinds(), make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Changes" },
      make("table", { className: "top changes" }, make("thead", {}, make("tr", {}, ...head)), body)));
    fill();
  }

  function search(regexp) {
    pattern = regexp;
    if (!body?.isConnected) return;
    fill();
    Conduit.page.matched(regexp ? `${body.querySelectorAll(".hit").length} rows` : "");
  }

  return { draw, search };
})();
