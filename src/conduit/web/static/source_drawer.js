// The source of the selected function below the flame graph, each line with what it took and coloured by it.
"use strict";

globalThis.Conduit ??= {};

// `folds` says whether the picture counts the libraries' functions as their callers' own.
Conduit.sourceDrawer = ({ tree, folds, closed }) => {
  const { make, data, state } = Conduit.page;
  const title = make("h2", {}), body = make("div", { className: "listing-body" });
  const close = make("button", { type: "button", className: "actions", onclick: () => { drawer.open = false; element.hidden = true; closed(); } }, "Close");
  const element = make("section", { className: "drawer", hidden: true, "aria-label": "Source of the selected function" }, make("div", { className: "drawer-head" }, title, close), body);
  let asked = 0;

  async function fetchListings(name) {
    if (data.file) return (data.views.source?.functions || []).filter((one) => one.name === name);
    const query = new URLSearchParams(state);
    query.set("function", name);
    const response = await fetch(`./lines?${query}`);
    if (!response.ok) throw new Error((await response.text()).trim());
    return (await response.json()).functions;
  }

  async function show(source) {
    element.hidden = !drawer.open;
    if (!drawer.open) return;
    const number = ++asked;
    const name = source === null ? "" : Conduit.flameTree.bare(tree().names[source]);
    title.textContent = name || "Lines";
    if (!name) { body.replaceChildren(make("p", {}, "Select a function, in the table or by a click on its box, to see its lines.")); return; }
    body.replaceChildren(make("p", {}, "Loading…"));
    let found;
    try { found = await fetchListings(name); }
    catch (error) { if (number === asked) body.replaceChildren(make("p", {}, `The source could not be had: ${error.message}`)); return; }
    if (number !== asked) return;
    const file = tree().files[source];
    const best = found.filter((one) => one.file === file);
    const listings = best.length ? best : found;
    body.replaceChildren(...listings.flatMap((one) => [
      make("p", {}, Conduit.page.views.source.summary(one)),
      folds() ? make("p", { className: "explain" }, "With “Only your code”, the picture adds the libraries that a function called to its own amount. The column Self does not.") : "",
      one.textMissing ? make("p", { className: "missing" }, make("strong", {}, "The text of these lines is missing. "), one.error ? `${one.error}. ` : "", data.file ? "" : "Start conduit pprof with -source_path=FOLDER to say where the file is.") : "",
      one.lines.length ? Conduit.page.views.source.table(one) : ""]).filter(Boolean));
    if (!listings.length) body.replaceChildren(make("p", {}, data.file ? "The file holds the source of the heaviest functions only." : data.compared ? "No line of this function changed." : "No lines of this function have samples."));
    const hottest = [...body.querySelectorAll("tr.hot")].sort((a, b) => b.style.getPropertyValue("--heat") - a.style.getPropertyValue("--heat"))[0];
    if (hottest) body.scrollTop += hottest.getBoundingClientRect().top - body.getBoundingClientRect().top - 60;
  }

  const drawer = { element, open: false, show, toggle: (source) => { drawer.open = !drawer.open; show(source); } };
  return drawer;
};
