// Peek (callers and callees as text) and Source (lines with their costs), some functions at a time.
"use strict";

// Links to the functions before and after those on show; null where all are.
Conduit.page.pager = (view, { first, page, total, noun, where = "above" }) => {
  const { make, address, data } = Conduit.page;
  if (total <= page && !first) return null;
  const last = Math.min(total, first + page);
  const link = (text, to) => data.file ? null : make("a", { href: address(view, { first: to ? String(to) : null }) }, text);
  return make("nav", { className: "pager", "aria-label": where === "above" ? "Pages" : `Pages, ${where}` },
    first > 0 ? link("← heavier", Math.max(0, first - page)) : null,
    make("span", {}, `${Conduit.frame.thousands(first + 1)} to ${Conduit.frame.thousands(last)} of ${Conduit.frame.thousands(total)} ${noun}, heaviest first`),
    last < total ? link("lighter →", last) : null);
};

// What an address with `fn` lists, and the way back to all; null where it lists all.
Conduit.page.chosen = (view) => {
  const { make, link, state } = Conduit.page, wanted = state.get("fn");
  if (!wanted) return null;
  const name = wanted.replace(/^\^/, "").replace(/(\( \|\$\)|\$)$/, "").replace(/\\(.)/g, "$1");
  return make("p", { className: "explain" }, make("span", {}, "Only ", make("strong", {}, name), "."), link(view, { fn: null }, {}, "Show all functions"));
};

Conduit.page.views.peek = (() => {
  const { make, address, data, pager } = Conduit.page;
  let lines;

  function draw(main, content) {
    lines = content.lines;
    const pages = (where) => pager("peek", { first: content.first, page: content.page, total: content.functions, noun: "lines with samples", where });
    main.append(
      Conduit.page.chosen("peek") ?? "",
      make("p", { className: "explain" }, "Each line of code that has samples, its callers above and its callees below. A name leads to its function."),
      pages("above") || "",
      make("pre", { className: "text", tabIndex: 0, "aria-label": "Callers and callees" }), pages("below") || "");
    fill(null);
  }

  // A line without the columns' blanks, where the window has no room for them: the names would stand beyond its edge.
  function narrowed(line) {
    if (/^-+(\+-+)?$/.test(line)) return "—".repeat(20);
    const bar = line.indexOf("|");
    return bar < 0 ? line.trim().replace(/\s+/g, " ") : `${/^\s{30}/.test(line) ? "    " : ""}${line.slice(0, bar).trim().replace(/\s+/g, " ")} | ${line.slice(bar + 1).trim()}`;
  }

  // A line that the window has no room for loses the beginning of its path, which its title has; not the file's name.
  function shortened(line, room) {
    const at = line.search(/ (?=\S*[/\\])/);
    if (line.length <= room || at < 0) return line;
    const path = line.slice(at + 1), left = room - at - 2;
    const ends = [...path.matchAll(/[/\\]/g)].map(({ index }) => path.slice(index));
    const found = ends.find((end) => end.length <= left) ?? ends.at(-1);
    return found && found.length + 1 < path.length ? `${line.slice(0, at + 1)}…${found}` : line;
  }

  // The letters that a line of the window has.
  function roomOf(text) {
    const probe = make("span", {}, "0".repeat(50));
    text.replaceChildren(probe);
    return Math.floor(text.clientWidth / (probe.getBoundingClientRect().width / 50)) - 1;
  }

  const COLUMNS = 60, NAMES = 66; // letters: those of the numbers, and the room that names need beside them
  let searched = null;

  function fill(pattern) {
    const text = document.querySelector("main pre.text");
    if (!text) return;
    searched = pattern;
    const room = roomOf(text), tight = room < COLUMNS + NAMES;
    text.classList.toggle("tight", tight);
    text.replaceChildren(...lines.flatMap(([whole, expression]) => {
      const full = tight ? narrowed(whole) : whole, line = shortened(full, tight ? 2 * room : room); // tight lines wrap
      const bar = line.indexOf("|") + 1, hit = pattern && pattern.test(full) ? "hit" : "", title = line === full ? null : full.slice(bar).trim();
      if (!expression || data.file) return [make("span", { className: hit, title }, line), "\n"];
      const start = bar + line.slice(bar).search(/\S/);
      return [make("span", { className: hit }, line.slice(0, start), make("a", { href: address("peek", { fn: expression }), title }, line.slice(start))), "\n"];
    }));
  }

  if (typeof window !== "undefined") addEventListener("resize", () => { if (document.querySelector("main pre.text")) fill(searched); });

  return { draw, search: fill };
})();

Conduit.page.views.source = (() => {
  const { make, data, state, address, exactly, pager } = Conduit.page;

  function heat(share) { return Math.min(40, Math.round(8 + Math.cbrt(share) * 32)); }

  // Of a comparison amounts are changes.
  const signed = (text) => (data.compared && /[1-9]/.test(text) && !text.startsWith("-") ? `+${text}` : text);

  // In a narrow window lines lose the indentation that all of them have: their text would stand beyond its edge.
  function indentation(lines) {
    const indents = lines.map(({ text }) => text).filter((text) => text.trim()).map((text) => /^[ \t]*/.exec(text)[0]);
    let common = indents[0] ?? "";
    for (const indent of indents) while (!indent.startsWith(common)) common = common.slice(0, -1);
    return innerWidth > 640 ? "" : common;
  }

  function table(one) {
    const indent = indentation(one.lines);
    const body = make("tbody", {}, ...one.lines.map((line) => {
      const row = make("tr", {},
        make("td", {}, signed(line.flat)), make("td", {}, signed(line.cum)), make("td", { className: "number" }, String(line.number)), make("td", {}, line.text.startsWith(indent) ? line.text.slice(indent.length) : line.text));
      if (line.share) { row.className = line.shrank ? "hot shrank" : "hot"; row.style.setProperty("--heat", heat(line.share)); }
      return row;
    }));
    return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Source of ${one.name}` }, make("table", { className: "listing" },
      one.moved ? make("caption", {}, `The file has changed: ${one.moved}.`) : "",
      make("thead", {}, make("tr", {}, [...(data.compared ? ["Self change", "Total change"] : ["Self", "Total"]), "Line", one.textMissing ? "Source (its text is missing)" : "Source"].map((text) => make("th", { scope: "col" }, text)))), body));
  }

  // A function's file and amounts; of a comparison, by how much they changed.
  function summary({ file, flat, cum, percent }) {
    return data.compared ? `${file} — self change ${signed(flat)}, total change ${signed(cum)} (${percent} of all before)`
      : `${file} — self (flat) ${flat}, total (cum) ${cum} (${percent} of the profile)`;
  }

  function listing(one) {
    const name = data.file ? one.name : make("a", { href: address("peek", { fn: `${exactly([one.name]).slice(0, -1)}( |$)` }), title: "callers and callees" }, one.name);
    return make("section", { className: "function" },
      make("h2", {}, name), make("p", {}, summary(one)), table(one));
  }

  // Said once for all functions whose file is not here.
  function missing({ count, named, reason }) {
    const names = named.map((one) => `${one.name} (${one.file}, ${one.percent})`).join(", ");
    const some = count > named.length ? ` and ${Conduit.frame.thousands(count - named.length)} more` : "";
    return make("p", { className: "missing" }, make("strong", {}, `${count === 1 ? "1 function names a file" : `${Conduit.frame.thousands(count)} functions name files`} that cannot be read here, so their lines have numbers and no text: `), `${names}${some}. First reason: ${reason}. Start conduit pprof with -source_path=FOLDER to say where the files are.`);
  }

  // A file holds all functions; a server sent those that the address asks for.
  function wanted() {
    let regexp = null;
    try { regexp = data.file && state.get("fn") ? new RegExp(state.get("fn")) : null; } catch { /* someone changed the address */ }
    return ({ name }) => !regexp || regexp.test(name);
  }

  function draw(main, content) {
    if (!content.functions.length && !content.missing) {
      main.append(Conduit.page.chosen("source") ?? "", Conduit.page.empty("No source to show.", data.file ? "The profile names no file that could be read." : "Pick a function in another view and choose Show source code, or search for one and press Enter."));
      return;
    }
    const pages = (where) => pager("source", { first: content.first, page: content.page, total: content.count, noun: "functions", where }) || "";
    main.append(make("p", { className: "explain" }, "Self (flat) is the line itself, total (cum) includes what it called. ", content.shares), Conduit.page.chosen("source") ?? "", pages("above"));
    if (content.missing) main.append(missing(content.missing));
    main.append(...content.functions.filter(wanted()).map(listing), content.functions.length > 3 ? pages("below") : "");
  }

  return { draw, table, summary };
})();
