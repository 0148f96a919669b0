// Rows of the profile's tables, with the menu of their function: a click picks one in Top, and leads to its function in
// Changes, Growth and Labels.
"use strict";

globalThis.Conduit ??= {};

// `page`: {pick, selected, openContext, matched} of the frame. `table` names the rows that `search` counts.
Conduit.rows = (page) => {
  // Make `line` the row of a function: picked by a click, Enter or Space; its menu by the other button.
  function pickable(line, name) {
    const show = () => {
      line.classList.toggle("picked", page.selected.has(name));
      line.setAttribute("aria-selected", String(page.selected.has(name)));
    };
    const toggle = () => { page.pick(name, !page.selected.has(name)); show(); };
    show();
    line.addEventListener("click", toggle);
    line.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      toggle();
    });
    line.addEventListener("contextmenu", (event) => page.openContext(event, name, [], line));
    return line;
  }

  // Make `line` the row of a function that a click, on its link or beside it, or Enter leads to; Space picks it.
  function leading(line, name, link) {
    const show = () => {
      line.classList.toggle("picked", page.selected.has(name));
      line.setAttribute("aria-selected", String(page.selected.has(name)));
    };
    show();
    line.addEventListener("click", (event) => { if (!event.target.closest("a")) link.click(); });
    line.addEventListener("keydown", (event) => {
      if (event.target !== line || (event.key !== " " && event.key !== "Enter")) return;
      event.preventDefault();
      if (event.key === "Enter") { link.click(); return; }
      page.pick(name, !page.selected.has(name));
      show();
    });
    line.addEventListener("contextmenu", (event) => page.openContext(event, name, [], line));
    return line;
  }

  // The search of a view whose rows `fill` makes anew, those that match with the class "hit".
  function searching({ body, fill, told = (found) => `${found} rows` }) {
    return (regexp) => {
      if (!body()?.isConnected) return;
      fill(regexp);
      const hits = body().querySelectorAll(".hit");
      page.matched(regexp ? told(hits.length) : "");
      if (regexp) hits[0]?.scrollIntoView({ block: "nearest" });
    };
  }

  return { pickable, leading, searching };
};

if (typeof module !== "undefined") module.exports = Conduit.rows;
