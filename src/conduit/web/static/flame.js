// The flame graph. Each box is a function in one context; its width is its share, its callees stand below it.
//
// A canvas as tall as the window shows the part of the picture that is scrolled to, so a frame costs the boxes that can
// be seen, however many there are. Over it lie invisible buttons for the boxes wide enough to hold a name: they carry
// names and numbers for screen readers and take the keyboard's focus. They are placed when the picture rests.
"use strict";

Conduit.page.views.flamegraph = (() => {
  const { make, data, state, note } = Conduit.page;
  const { amount, percent } = Conduit.units;
  const { own, hiddenBelow, zoomAt, pan, bare, placeOf, bareExpression } = Conduit.flameTree;
  const LEAST_ROW = 20, MOST_ROW = 30; // pixels
  const NAMED = 14; // pixels: the narrowest box with a button of its own
  const MAX_BUTTONS = 800;
  const REST_MS = 120;

  let palette, scheme;
  const given = {}; // by scheme: the colours that groups have had since the page was opened
  let content, tree, order, pivot, zoom, laid, pattern, hits, hidden, mine;
  let area, canvas, pen, overlay, detail, heads, remark, whole, bar, tip, separator, pointed, letter, colours, spelled, fetched, resting = 0, waiting = 0;

  let chains, opened, table, lines, pair, marked = 0;
  let rowHeight = LEAST_ROW, letterSize = 12;

  const GAP = 12; // pixels between two pictures
  let sides = null; // the trees of before and after, where they are two pictures

  const differs = () => Boolean(tree.difference) && !sides;
  const nameOf = (source) => (source === 0 ? "all" : tree.names[source]);
  const short = (source) => Conduit.flameTree.spellings(nameOf(source), tree.shortNames?.[source]).slice(0, 3).at(-1);
  const isHit = (box) => (box.frames || [box]).some((one) => one.source !== 0 && hits[one.source] === 1);
  const holds = (box, source) => source > 0 && (box.frames || [box]).some((one) => one.source === source);

  // A box's name; of a folded chain, how many frames it holds, and which.
  function titleOf(box) {
    if (sides && box.source === 0) return `${box.pane ? "after" : "before"}: all`;
    if (!box.frames) return nameOf(box.source);
    const drawn = box.kind === "caller" ? [...box.frames].reverse() : box.frames; // from the top of the picture down
    const sources = [...new Set(drawn.map((one) => one.source))];
    const names = sources.length <= 2 ? sources.map(short).join(" and ") : `${short(sources[0])} … ${short(drawn.at(-1).source)}`;
    return `${box.frames.length} frames: ${names}`;
  }
  // Every box asks for it, and to read it from the page lays that out: kept from one measurement to the next.
  let wideNow = 0;
  const width = () => (wideNow ||= area.clientWidth);
  const measureAgain = () => { wideNow = 0; };
  const topRow = () => -laid.highest + (pivot === null ? 0 : 1);
  const rowTop = (box) => (box.row + topRow() - (box.kind === "caller" ? 1 : 0)) * rowHeight;
  const paneWidth = () => (sides ? (width() - GAP) / 2 : width());
  const paneLeft = (pane) => (pane ? paneWidth() + GAP : 0);
  const left = (box) => paneLeft(box.pane) + Math.min(1, Math.max(0, (box.x - zoom.x) * zoom.scale)) * paneWidth();
  const right = (box) => paneLeft(box.pane) + Math.max(0, Math.min(1, (box.x + box.share - zoom.x) * zoom.scale)) * paneWidth();
  const treeOf = (box) => (sides ? sides[box.pane || 0] : tree);
  // The same function in the same place of the other picture.
  const twin = (box) => (sides && box ? (laid.panes[1 - box.pane].get(box.row) || []).find((one) => one.source === box.source && one.nodes[0] === box.nodes[0]) : null);

  // ── painting ──

  const OWNERS = { project: "your code", library: "libraries", standard: "standard library", runtime: "runtime" };
  const SCHEMES = { owner: "whose code", package: "package", module: "module", file: "file" };
  const KEYS = 12; // of a scheme's groups, how many the legend names

  // What the legend's entries are, and so what fades together: owners, or the scheme's packages, modules or files.
  function groupOf(source) {
    if (scheme === "owner") return tree.owners[source];
    if (scheme === "package") return tree.owners[source] === "library" ? tree.packages[source] : OWNERS[tree.owners[source]];
    return (scheme === "module" ? tree.modules : tree.files)[source] || "no file";
  }

  function hash(text) {
    let value = 2166136261;
    for (const each of text) value = Math.imul(value ^ each.codePointAt(0), 16777619);
    return value >>> 0;
  }

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const dark = of("--dark") === "1";
    colours = { dark, ground: of("--ground"), panel: of("--panel"), ink: of("--ink"), text: of("--box-ink"), same: of("--same"),
      grew: of("--grew"), shrank: of("--shrank"), mark: of("--mark"), accent: of("--accent"), line: of("--line"), made: new Map() };
  }

  function fill(source) {
    let made = colours.made.get(source);
    if (made) return made;
    const { hue, saturation, shade } = palette.of(scheme === "owner" ? `${tree.owners[source]} ${tree.packages[source]}` : groupOf(source));
    made = `hsl(${hue} ${saturation}% ${(colours.dark ? 31 : 80) + shade}%)`;
    colours.made.set(source, made);
    return made;
  }

  // The places are kept for the tab, too: the page of another recording or a page that is loaded again has the same colours.
  const placesKey = () => `conduit colours of ${scheme} in ${data.title}`;

  function colourPlaces() {
    try {
      return new Map(JSON.parse(sessionStorage.getItem(placesKey())).map(([range, keys]) => [range, new Map(keys.map((key, place) => [key, place]))]));
    } catch { return new Map(); } // nothing kept, or a browser that keeps nothing for this page
  }

  function keepColourPlaces() {
    try { sessionStorage.setItem(placesKey(), JSON.stringify([...given[scheme]].map(([range, places]) => [range, [...places.keys()]]))); } catch { /* then only this page knows them */ }
  }

  // Every group its own colour, the heaviest the farthest apart.
  function mix() {
    const keyed = tree.names.map((_, source) => (scheme === "owner" ? [tree.owners[source], `${tree.owners[source]} ${tree.packages[source]}`] : ["all", groupOf(source)]));
    const weights = new Float64Array(tree.names.length);
    for (let n = 1; n < tree.count; n += 1) weights[tree.sources[n]] += tree.total[n];
    palette = Conduit.palette.assign(keyed, weights, given[scheme] ??= colourPlaces());
    keepColourPlaces();
    colours.made.clear();
  }

  function paint() {
    const ratio = devicePixelRatio || 1;
    const wide = width(), tall = canvas.clientHeight;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(tall * ratio)) {
      canvas.width = Math.round(wide * ratio); canvas.height = Math.round(tall * ratio);
    }
    const scrolled = Math.max(0, canvas.getBoundingClientRect().top - area.getBoundingClientRect().top);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, wide, tall);
    pen.translate(0, -scrolled);
    pen.font = `${letterSize}px system-ui, 'Segoe UI', Roboto, sans-serif`;
    pen.textBaseline = "middle";
    letter ||= pen.measureText("abcdefghijklmnopqrstuvwxyz._").width / 28;
    const from = Math.floor(scrolled / rowHeight) - topRow() - 1, to = Math.ceil((scrolled + tall) / rowHeight) - topRow() + 1;
    for (const [row, boxes] of laid.rows) if (row >= from && row <= to) for (const box of boxes) paintBox(box);
    pen.globalAlpha = 1;
    if (pointed) outline(pointed, colours.ink, 1);
    const other = twin(pointed);
    if (other) outline(other, colours.ink, 2);
    const focused = document.activeElement?.box;
    if (focused) outline(focused, colours.accent, 2);
  }

  function paintBox(box) {
    const x = left(box), end = right(box), y = rowTop(box), wide = Math.max(0.7, end - x - (end - x > 3 ? 1 : 0));
    if (end < paneLeft(box.pane) || x > paneLeft(box.pane) + paneWidth() || end <= x) return;
    const hit = pattern && isHit(box);
    pen.globalAlpha = faded(box, hit) ? 0.3 : 1;
    pen.fillStyle = differs() ? colours.same : box.source === 0 ? colours.panel : fill(box.source);
    pen.fillRect(x, y, wide, rowHeight - 1);
    if (differs()) paintDelta(box, x, y, wide);
    paintHidden(box, x, y);
    if (hit) { pen.strokeStyle = colours.mark; pen.lineWidth = 2; pen.strokeRect(x + 1, y + 1, Math.max(0, wide - 2), rowHeight - 3); }
    if (box.frames) paintChain(box, x, y, wide);
    if (holds(box, marked)) { pen.strokeStyle = colours.accent; pen.lineWidth = 2; pen.strokeRect(x + 1, y + 1, Math.max(0, wide - 2), rowHeight - 3); }
    const text = wide > NAMED ? label(box, wide) : "";
    if (!text) return;
    pen.fillStyle = box.source === 0 ? colours.ink : colours.text;
    pen.fillText(text, x + 4, y + rowHeight / 2 - 0.5, wide - 5);
  }

  // A folded chain has the look of a stack of sheets.
  function paintChain(box, x, y, wide) {
    pen.fillStyle = colours.ground;
    for (const at of [y + 4, y + rowHeight - 6]) pen.fillRect(x, at, Math.min(3, wide), 1.5);
    if (wide > 40) for (const at of [y + 4, y + rowHeight - 6]) pen.fillRect(x + wide - 3, at, 3, 1.5);
  }

  const faded = (box, hit) => box.source !== 0 && ((pattern && !hit) || (!differs() && hidden.has(groupOf(box.source))));

  // The coloured part is the net change's share of the box.
  function paintDelta(box, x, y, wide) {
    pen.save();
    pen.globalAlpha *= 0.45;
    pen.fillStyle = box.grown >= box.shrunk ? colours.grew : colours.shrank;
    pen.fillRect(x, y, (wide * Math.abs(box.grown - box.shrunk)) / (box.total || 1), rowHeight - 1);
    pen.restore();
  }

  // A hatch where the server left boxes out: they stand at the right end, after the callees that are shown.
  function paintHidden(box, x, y) {
    const { value } = hiddenBelow(tree, box);
    if (!value) return;
    const end = right(box), start = Math.max(x, end - ((value / (box.total || 1)) * box.share) * zoom.scale * paneWidth());
    pen.save();
    pen.beginPath();
    pen.rect(start, y + rowHeight, Math.max(1, end - start), 6);
    pen.clip();
    pen.strokeStyle = colours.line; pen.lineWidth = 1;
    pen.beginPath();
    for (let at = start - 6; at < Math.min(end, width()) + 6; at += 4) { pen.moveTo(at, y + rowHeight + 6); pen.lineTo(at + 6, y + rowHeight); }
    pen.stroke();
    pen.restore();
  }

  function outline(box, colour, thick) {
    const x = left(box), wide = Math.max(1, right(box) - x - 1);
    pen.strokeStyle = colour; pen.lineWidth = thick;
    pen.strokeRect(x + thick / 2, rowTop(box) + thick / 2, Math.max(0, wide - thick), rowHeight - 1 - thick);
  }

  function label(box, pixels) {
    const room = Math.floor((pixels - 6) / letter);
    if (room < 3) return "";
    let texts = sides && box.source === 0 ? [`${titleOf(box)}, ${describe(box)}`, titleOf(box)] : box.frames ? [titleOf(box), `${box.frames.length} frames`, `${box.frames.length}×`] : spelled.get(box.source);
    if (!texts) spelled.set(box.source, (texts = Conduit.flameTree.spellings(nameOf(box.source), tree.shortNames?.[box.source])));
    for (const text of texts) if (text.length <= room) return text;
    return `${texts.at(-1).slice(0, room - 1)}…`;
  }

  // ── placing ──

  function layOut(part) {
    const folds = chains ? (one) => !opened.has(hash(keyOf(one.nodes[0]))) : null;
    if (!sides) return Conduit.flameTree.layOut(tree, { pivot, order, zoom: part, width: Math.max(width(), 200), folds });
    // One scale for both: unless their totals were made equal, the smaller side is narrower.
    const scale = Math.max(...sides.map((one) => Conduit.flameTree.wholeOf(one, pivot))) || 1;
    return Conduit.flameTree.inStep(sides.map((one) => Conduit.flameTree.layOut(one, { pivot, order, zoom: part, width: Math.max(paneWidth(), 200), folds, scale })));
  }

  // Measures before it changes anything: each measurement after a change lays the page out once more.
  function redraw({ first = false } = {}) {
    measureAgain();
    laid = layOut(zoom);
    nameSides();
    fitRows();
    if (first) layOutWindow();
    area.style.setProperty("--row", `${rowHeight - 1}px`);
    area.style.setProperty("--letters", `${letterSize}px`);
    area.style.height = `${(laid.deepest + topRow() + 1) * rowHeight + 8}px`;
    measureAgain(); // a taller picture may bring the window's scroll bar
    area.dataset.cut = laid.cut ? "yes" : "";
    placeSeparator();
    whole.hidden = pivot === null && zoom.scale === 1;
    pointed = null;
    table?.mark(0);
    paint();
    clearTimeout(resting);
    resting = setTimeout(rest, REST_MS);
    showDetail(null);
  }

  // Rows as tall as the window has room for. Not while zoomed: the depth on show then changes with every step.
  function fitRows() {
    if (zoom.scale > 1) return;
    const top = area.getBoundingClientRect().top + scrollY, drawer = lines.open ? innerHeight * 0.34 + 50 : 0;
    const fitting = Math.floor((innerHeight - top - drawer - 30) / (laid.deepest + topRow() + 1));
    rowHeight = Math.max(LEAST_ROW, Math.min(MOST_ROW, fitting));
    const size = rowHeight >= 27 ? 14 : rowHeight >= 23 ? 13 : 12;
    if (size !== letterSize) { letterSize = size; letter = 0; }
  }

  function schedule(work = redraw) {
    if (waiting) { waiting.work = work === redraw ? redraw : waiting.work; return; }
    waiting = { work };
    requestAnimationFrame(() => { const { work: wanted } = waiting; waiting = 0; wanted(); });
  }

  function placeSeparator() {
    separator?.remove();
    separator = null;
    if (pivot === null) return;
    separator = make("div", { className: "separator" }, inAll(laid.boxes[0]) + (width() < 500 ? "" : " — callers above, callees below"));
    separator.style.top = `${(topRow() - 1) * rowHeight}px`;
    area.append(separator);
  }

  // Above two pictures, which is which: a box may be too narrow to say it.
  function nameSides() {
    const amounts = sides?.map((one, pane) => `${pane ? "After" : "Before"}: ${amount(Conduit.flameTree.wholeOf(one, pivot), tree.amounts)}`) || [];
    heads.replaceChildren(...amounts.map((text) => make("span", {}, text)));
    if (heads.hidden === !sides) return;
    heads.hidden = !sides;
    layOutWindow();
  }

  // The buttons, once the picture rests; the widest if there are too many.
  function rest() {
    const focused = document.activeElement?.box;
    const wide = laid.boxes.filter((box) => right(box) - left(box) >= NAMED);
    const shown = wide.length > MAX_BUTTONS ? wide.sort((a, b) => b.share - a.share).slice(0, MAX_BUTTONS) : wide;
    clearTimeout(resting);
    overlay.replaceChildren(...shown.map(button));
    if (overlay.firstElementChild) overlay.firstElementChild.tabIndex = 0;
    if (focused) shown.find((box) => box.row === focused.row && box.nodes[0] === focused.nodes[0])?.element.focus({ preventScroll: true });
    markHits();
    fetchFiner();
  }

  function button(box) {
    const element = make("button", { type: "button", className: "box", tabIndex: -1 });
    const name = label(box, right(box) - left(box));
    if (box.source === 0) element.classList.add("root");
    if (box.kind === "pivot") element.classList.add("pivot");
    // A visible name stands in the accessible one, as speech input needs it; a cut one would not.
    if (name) element.append(make("span", { className: "text" }, name.endsWith("…") ? name.slice(0, -1) : name));
    element.setAttribute("aria-label", `${titleOf(box)}: ${describe(box)}${box.frames ? ". Unfold" : ""}`);
    if (box.frames) element.classList.add("chain");
    if (differs() && box.source !== 0) element.append(make("span", { className: `delta ${box.grown >= box.shrunk ? "grew" : "shrank"}` }));
    Object.assign(element.style, { left: `${left(box)}px`, top: `${rowTop(box)}px`, width: `${Math.max(1, right(box) - left(box) - 1)}px` });
    element.box = box; box.element = element;
    return element;
  }

  // ── numbers ──

  function describe(box) {
    const share = `${amount(box.total, tree.amounts)} (${shareOf(box.total, box.pane)}${box.source === 0 ? ofAll(box.pane) : ""})`;
    if (sides && box.source !== 0) {
      const other = twin(box), missing = { total: 0 };
      const [before, after] = box.pane ? [other || missing, box] : [box, other || missing];
      const change = after.total - before.total;
      return `${share} ${box.pane ? "after" : "before"} │ ${amount(before.total, tree.amounts)} → ${amount(after.total, tree.amounts)}, ${before.total ? `${change >= 0 ? "+" : "−"}${percent(change, before.total)}` : "new"}`;
    }
    if (!differs()) return share;
    if (!tree.hasBase) {
      const net = box.grown - box.shrunk;
      return `${net < 0 ? "−" : "+"}${amount(Math.abs(net), tree.amounts)}`;
    }
    const after = amount(box.grown, tree.amounts), before = amount(box.shrunk, tree.amounts);
    const change = box.shrunk ? `, ${box.grown >= box.shrunk ? "+" : "−"}${percent(box.grown - box.shrunk, box.shrunk)}` : ", new";
    return `${before} → ${after}${change}`;
  }

  // Shares are of one total, in the picture and in the table: that of all samples, also where a filter leaves few of them.
  // In a comparison each side has its own. `pane`: 0 before, 1 after.
  const totalOf = (pane = 1) => (content.bases ? content.bases[pane] : content.total);
  const shareOf = (value, pane) => percent(value, totalOf(pane));
  const ofAll = (pane) => (treeOf({ pane }).total[0] === totalOf(pane) ? "" : ` of ${amount(totalOf(pane), tree.amounts)}`);

  // The amounts of a function in all of its places, as shares of named totals.
  function inAll(box) {
    const whole = (pane, word) => (word && width() < 500 ? "" : ` ${amount(totalOf(pane), tree.amounts)}`) + word;
    const of = (value, pane, word) => `${amount(value, tree.amounts)} (${shareOf(value, pane)} of${whole(pane, word)})`;
    if (!tree.difference) return of(box.total, 1, content.bases ? " after" : "");
    if (!tree.hasBase) return describe(box);
    const [before, after] = sides ? laid.panes.map((rows) => rows.get(0)?.[0]?.total || 0) : [box.shrunk, box.grown];
    return `${of(before, 0, " before")} → ${of(after, 1, " after")}`;
  }

  // A selected function also occurs inside itself: what it took there is its own, and in the table.
  function selfOf(box) {
    const one = treeOf(box);
    if (box.kind !== "pivot") return own(one, box);
    return Conduit.flameTree.ownInAll(one, box.source);
  }

  function numbersOf(box) {
    const self = selfOf(box), left_out = hiddenBelow(tree, box);
    if (box.frames) return `${describe(box)} │ click to see the ${box.frames.length} frames`;
    return (self > 0 && !differs() ? `${tree.folded ? "self + libraries" : "self"} ${amount(self, tree.amounts)} │ total ` : "") + describe(box)
      + (left_out.boxes ? ` │ ${Conduit.frame.thousands(left_out.boxes)} narrow boxes below: zoom in to see them` : "");
  }

  // Where a box's function begins: `file:line`.
  function beginOf(box) {
    if (box.frames || !tree.files[box.source]) return "";
    return tree.starts[box.source] ? `${tree.files[box.source]}:${tree.starts[box.source]}` : tree.files[box.source];
  }

  function showDetail(box) {
    const one = box || laid.boxes[0];
    if (!one) return;
    detail.querySelector(".name").textContent = [titleOf(one), beginOf(one)].filter(Boolean).join("  ");
    detail.querySelector(".numbers").textContent = numbersOf(one);
    detail.querySelector(".choices").disabled = one.source === 0;
    detail.box = one;
  }

  function point(box, event) {
    if (box !== pointed) {
      pointed = box;
      showDetail(box);
      table?.mark(box && !box.frames ? box.source : 0);
      schedule(paint);
    }
    tip.hidden = !box || !event;
    if (tip.hidden) return;
    tip.replaceChildren(make("strong", {}, titleOf(box)), beginOf(box) && make("div", {}, beginOf(box)), make("div", {}, numbersOf(box)));
    const size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - size.width - 8))}px`;
    tip.style.top = `${event.clientY + 20 + size.height < innerHeight ? event.clientY + 20 : Math.max(4, event.clientY - size.height - 12)}px`;
  }

  // ── search ──

  function markHits() {
    area.classList.toggle("searching", Boolean(pattern));
    for (const element of overlay.children) element.classList.toggle("hit", Boolean(pattern) && isHit(element.box));
  }

  // The share of all samples that have a match anywhere on their stack (each counts once), and the matching functions.
  function matchedText() {
    let sum = 0, grown = 0, shrunk = 0, boxes = 0;
    const inside = new Uint8Array(tree.count);
    for (let n = 1; n < tree.count; n += 1) {
      const hit = hits[tree.sources[n]] === 1;
      if (hit) boxes += 1;
      if (inside[tree.parents[n]]) inside[n] = 1;
      else if (hit) { inside[n] = 1; sum += tree.total[n]; grown += tree.grown[n]; shrunk += tree.shrunk[n]; }
    }
    const found = boxes === 1 ? "1 box" : `${Conduit.frame.thousands(boxes)} boxes`;
    const out = functionsHidden(), more = out.length ? `, ${out.length === 1 ? "1 function" : `${Conduit.frame.thousands(out.length)} functions`} hidden by “Only your code”` : "";
    if (tree.difference && tree.hasBase) return `${found}, ${shareOf(shrunk, 0)} of before, ${shareOf(grown, 1)} of after${more}`;
    return `${found}, ${shareOf(sum, 1)} matched${more}`;
  }

  // The functions that match and that "Only your code" leaves out of the picture.
  function functionsHidden() {
    if (!mine || !pattern) return [];
    return [...new Set(content.sources)].filter((source) => source !== 0 && hits[source] === 1 && !isMine(source));
  }

  function search(regexp) {
    pattern = regexp;
    hits = Uint8Array.from(tree.names, (name) => (regexp && regexp.test(name) ? 1 : 0));
    paint();
    markHits();
    table?.search(regexp);
    Conduit.page.matched(regexp ? matchedText() : "");
    if (regexp) showHit();
  }

  // ── the window ──

  // From where to where the window shows the picture: under the bars, above the source.
  function sight() {
    const drawer = lines.open ? Math.max(lines.element.offsetHeight, innerHeight * 0.34 + 50) : 0;
    return { from: (parseFloat(bar.style.top) || 0) + bar.offsetHeight, to: innerHeight - drawer - (document.getElementById("picked")?.offsetHeight || 0) };
  }

  const isInSight = (box, { from, to }) => {
    const top = area.getBoundingClientRect().top + rowTop(box);
    return top >= from && top + rowHeight <= to && right(box) > left(box);
  };

  // Scroll as little as leaves a box's row in the window, with the rows above it and below it as far as there is room.
  function bring(box) {
    const { from, to } = sight(), room = to - from, row = rowTop(box);
    const rowsAbove = row, rowsBelow = (laid.deepest + topRow() + 1) * rowHeight - row;
    const above = Math.min(rowsAbove, Math.max(room * 0.4, room - rowsBelow)), below = Math.min(rowsBelow, room * 0.5);
    const top = area.getBoundingClientRect().top + scrollY;
    const least = top + row + below - to, most = top + row - above - from;
    scrollTo({ left: scrollX, top: Math.max(0, Math.min(Math.max(scrollY, least), most)), behavior: "instant" });
  }

  // A search leads to its widest hit where the window shows none.
  function showHit() {
    const found = laid.boxes.filter((box) => box.source !== 0 && isHit(box)), seen = sight();
    if (found.some((box) => isInSight(box, seen))) return;
    const widest = widestOf(found);
    if (widest) { bring(widest); return; }
    if (zoom.scale === 1) return;
    const beside = widestOf(layOut({ x: 0, scale: 1 }).boxes.filter((box) => box.source !== 0 && isHit(box)));
    if (!beside) return;
    moveTo({ scale: zoom.scale, x: Math.min(1 - 1 / zoom.scale, Math.max(0, beside.x + beside.share / 2 - 0.5 / zoom.scale)) });
    redraw(); // the picture may be deeper there
    bring(beside);
  }

  function widestOf(boxes) {
    let found = null;
    for (const box of boxes) if (!found || box.total > found.total) found = box;
    return found;
  }

  // Several functions selected in another view are marked as those that a search finds, until one is selected here.
  function markSelected() {
    if (pivot !== null || !state.get("sel")) return;
    const { selected, restore } = Conduit.page;
    restore(tree.names);
    if (selected.size < 2) return;
    search({ test: (name) => selected.has(name) });
    say(`The ${selected.size} selected functions are marked.`);
  }

  function forgetSelected() {
    if (Conduit.page.selected.size < 2) return;
    Conduit.page.restore([]);
    if (!document.getElementById("search").value) search(null);
  }

  function enter() {
    const hit = (box) => (box.frames || [box]).find((one) => one.source !== 0 && hits[one.source] === 1)?.source;
    const widest = hit(widestOf(laid.boxes.filter((box) => box.source !== 0 && isHit(box))) || { source: 0 }) ?? heaviest(functionsFound());
    if (widest === undefined) return false;
    pivotOn(widest);
    return true;
  }

  // All functions that match, also those without a box in the picture on show: neither callers nor callees of the selected
  // one, too narrow, or hidden by "Only your code".
  function functionsFound() {
    const present = new Set(content.sources);
    return [...tree.names.keys()].filter((source) => source !== 0 && hits[source] === 1 && present.has(source));
  }

  // ── moving ──

  function heaviest(sources) {
    const all = Conduit.flameTree.read(content), weights = Conduit.flameTree.wholes(all, sources);
    return sources.sort((a, b) => weights.get(b) - weights.get(a))[0];
  }

  function pivotOn(source) {
    say("");
    forgetSelected();
    if (mine && source !== 0 && !isMine(source)) showOthersFor(source);
    pivot = source === 0 ? null : source;
    zoom = { x: 0, scale: 1 };
    note(Conduit.page.selecting(pivot === null ? [] : [tree.names[source]]));
    Conduit.page.settle(selectedNames());
    redraw();
    rest();
    overlay.querySelector(".box.pivot, .box.root")?.focus({ preventScroll: true });
    table?.select(pivot);
    lines.show(pivot);
    bringPivot();
  }

  function bringPivot() {
    const box = pivot === null ? null : widestOf(laid.boxes.filter((one) => one.kind === "pivot"));
    if (box) bring(box);
    else if (area.getBoundingClientRect().top < 0) area.scrollIntoView({ block: "nearest" });
  }

  // What the frame knows as selected: the function, also where a box is one of its lines.
  const selectedNames = () => (pivot === null ? [] : [bare(tree.names[pivot])]);

  function unfold(box) {
    opened.add(hash(keyOf(box.nodes[0])));
    note({ open: [...opened].map((each) => each.toString(36)).join(".") }, true);
    redraw();
    rest();
  }

  function moveTo(next) {
    if (next.x === zoom.x && next.scale === zoom.scale) return;
    zoom = next;
    tip.hidden = true;
    schedule();
    clearTimeout(moveTo.timer);
    moveTo.timer = setTimeout(() => note({ z: zoom.scale > 1 ? `${zoom.x.toPrecision(6)},${zoom.scale.toPrecision(6)}` : null }, true), 300);
  }

  function place(event) {
    const box = area.getBoundingClientRect(), x = event.clientX - box.left;
    const pane = sides && x > paneWidth() + GAP / 2 ? 1 : 0;
    return { share: (x - paneLeft(pane)) / paneWidth(), y: event.clientY - box.top, pane };
  }

  function boxUnder(event) {
    const { share, y, pane } = place(event);
    let row = Math.floor(y / rowHeight) - topRow();
    if (pivot !== null && row < 0) row += 1;
    if (pivot !== null && row === 0 && Math.floor(y / rowHeight) < topRow()) return null; // the separator's line
    return Conduit.flameTree.boxAt((sides ? laid.panes[pane] : laid.rows).get(row) || [], zoom.x + share / zoom.scale) || null;
  }

  function onWheel(event) {
    const step = event.deltaMode === 1 ? 16 : 1; // some browsers count lines
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      moveTo(zoomAt(zoom, place(event).share, Math.exp((-event.deltaY * step) / (Math.abs(event.deltaY) < 20 ? 60 : 300))));
      return;
    }
    const sideways = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
    if (zoom.scale > 1 && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) {
      event.preventDefault();
      moveTo(pan(zoom, (sideways * step) / paneWidth()));
    }
  }

  // One pointer drags, two pinch; a press that does not move is a click.
  const pointers = new Map();
  let dragged = false;

  function onPointerDown(event) {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, event);
    if (pointers.size === 1) dragged = false;
  }

  function onPointerMove(event) {
    const before = pointers.get(event.pointerId);
    if (!before || !event.buttons) { pointers.delete(event.pointerId); point(event.pointerType === "touch" ? null : boxUnder(event), event); return; }
    if (pointers.size === 2) {
      const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
      const apart = (one) => Math.max(8, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
      dragged = true;
      moveTo(zoomAt(zoom, place({ clientX: (event.clientX + other.clientX) / 2, clientY: 0 }).share, apart(event) / apart(before)));
    } else {
      const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
      if (!dragged && Math.hypot(dx, dy) < 4) return;
      if (!dragged) { dragged = true; area.setPointerCapture(event.pointerId); area.classList.add("dragging"); }
      moveTo(pan(zoom, -dx / paneWidth()));
      if (event.pointerType === "mouse") scrollBy(0, -dy);
    }
    tip.hidden = true;
    pointers.set(event.pointerId, event);
  }

  function onPointerUp(event) {
    pointers.delete(event.pointerId);
    area.classList.remove("dragging");
  }

  function onKey(event) {
    const here = event.target.box;
    if (event.key === "+" || event.key === "-") { moveTo(zoomAt(zoom, 0.5, event.key === "+" ? 1.5 : 1 / 1.5)); return; }
    if (!here) return;
    if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      const at = here.element.getBoundingClientRect();
      openMenu(event, here, at.left, at.bottom);
      return;
    }
    const target = neighbour(here, event.key);
    if (!target) return;
    event.preventDefault();
    target.element.focus();
  }

  function neighbour(here, key) {
    const reachable = (boxes) => boxes.filter((box) => box.element?.isConnected);
    const middle = here.x + here.share / 2;
    if (key === "ArrowDown" || key === "ArrowUp") {
      const row = reachable(laid.rows.get(here.row + (key === "ArrowDown" ? 1 : -1)) || []);
      const covering = row.find((box) => box.x <= middle && middle <= box.x + box.share);
      return covering || row.filter((box) => box.x >= here.x && box.x < here.x + here.share).sort((a, b) => b.total - a.total)[0];
    }
    const level = reachable(laid.rows.get(here.row) || []), at = level.indexOf(here);
    return key === "ArrowRight" ? level[at + 1] : key === "ArrowLeft" ? level[at - 1] : null;
  }

  function openMenu(event, box, x, y) {
    if (!box || box.source === 0 || box.frames) return;
    tip.hidden = true;
    const position = { preventDefault: () => event.preventDefault(), clientX: x, clientY: y };
    Conduit.page.openContext(position, bare(tree.names[box.source]), [
      ["Pivot here", () => pivotOn(box.source), "its callers above, its callees below"],
      ["Copy stack", () => Conduit.page.copy(stackOf(box).join("\n"))],
      ["Copy link", () => Conduit.page.copy(new URL(Conduit.page.address("flamegraph", { p: Conduit.page.exactly([tree.names[box.source]]), z: null }), location.href).href)]]);
  }

  // The names from the root to a box; of a caller above a pivot, from the root down to it.
  function stackOf(box) {
    const names = [];
    for (let n = box.nodes[0]; n > 0; n = tree.parents[n]) names.unshift(tree.names[tree.sources[n]]);
    return names;
  }

  // The picture on show, from its first row to its last, as boxes with colours and labels.
  function picture() {
    const wide = width(), tall = (laid.deepest + topRow() + 1) * rowHeight + 4;
    const boxes = laid.boxes.map((box) => ({ x: left(box), y: rowTop(box), width: Math.max(0.5, right(box) - left(box) - (right(box) - left(box) > 3 ? 1 : 0)), height: rowHeight - 1,
      fill: differs() ? deltaColour(box) : box.source === 0 ? colours.panel : fill(box.source), faded: faded(box, pattern && isHit(box)),
      label: right(box) - left(box) > NAMED ? label(box, right(box) - left(box)) : "", title: `${titleOf(box)}: ${describe(box)}`, ink: box.source === 0 ? colours.ink : colours.text }))
      .filter((box) => box.width > 0);
    return { width: wide, height: tall, ground: colours.ground, letters: letterSize, boxes, title: data.title };
  }

  const deltaColour = (box) => (box.grown === box.shrunk ? colours.same : `color-mix(in srgb, ${box.grown > box.shrunk ? colours.grew : colours.shrank} ${Math.round((45 * Math.abs(box.grown - box.shrunk)) / (box.total || 1))}%, ${colours.same})`);

  function listen() {
    area.addEventListener("click", (event) => {
      if (dragged) { dragged = false; return; }
      const box = event.detail === 0 ? event.target.box : boxUnder(event); // 0: by the keyboard
      tip.hidden = true;
      if (box?.frames) unfold(box); else if (box) pivotOn(box.source);
    });
    area.addEventListener("contextmenu", (event) => openMenu(event, event.target.box && !event.clientY ? event.target.box : boxUnder(event), event.clientX, event.clientY));
    area.addEventListener("pointerdown", onPointerDown);
    area.addEventListener("pointermove", onPointerMove);
    area.addEventListener("pointerup", onPointerUp);
    area.addEventListener("pointercancel", onPointerUp);
    area.addEventListener("pointerleave", () => point(null));
    area.addEventListener("focusin", (event) => { if (event.target.box) { showDetail(event.target.box); schedule(paint); } });
    area.addEventListener("focusout", () => schedule(paint));
    area.addEventListener("keydown", onKey);
    area.addEventListener("wheel", onWheel, { passive: false });
    detail.querySelector(".choices").addEventListener("click", (event) => {
      event.stopPropagation();
      const at = event.target.getBoundingClientRect();
      openMenu(event, detail.box, at.left, at.bottom);
    });
  }

  // ── finer boxes ──

  // What the server left out below the boxes that are wide by now comes when the picture rests, one subtree at a time.
  async function fetchFiner() {
    if (data.file || mine || !content.hidden?.length) return;
    const coarse = (node) => node > 0 && tree.hidden.has(node) && !fetched.has(keyOf(node));
    const wide = laid.boxes.filter((box) => box.kind !== "caller" && box.nodes.some(coarse) && box.share * zoom.scale > 0.2);
    const box = wide.sort((a, b) => a.row - b.row)[0];
    const node = box?.nodes.filter(coarse).sort((a, b) => tree.total[b] - tree.total[a])[0];
    if (node === undefined || (zoom.scale === 1 && pivot === null)) return;
    const key = keyOf(node);
    fetched.add(key);
    const query = new URLSearchParams(state);
    query.set("below", key);
    let part;
    try {
      const response = await fetch(`./subtree?${query}`);
      if (!response.ok) throw new Error(await response.text());
      part = await response.json();
    } catch (error) { Conduit.page.complain(`The finer boxes could not be fetched: ${error.message}`); return; }
    if (!area.isConnected) return;
    content = Conduit.flameTree.graft(content, node, part);
    const { scrollY: scrolled } = window;
    setTree();
    redraw();
    scrollTo(0, scrolled);
  }

  // The numbers of the sources from the root to a node.
  function keyOf(node) {
    const path = [];
    for (let n = node; n > 0; n = tree.parents[n]) path.unshift(tree.sources[n]);
    return path.join(".");
  }

  // ── the view ──

  // Everything that is not the project's own joins its nearest caller that is.
  function foldOthers(whole) {
    const kept = whole.parents.map((_, n) => n === 0 || whole.owners[whole.sources[n]] === "project");
    const number = new Int32Array(whole.parents.length);
    const folded = { ...whole, folded: true, parents: [], sources: [], values: [], negatives: whole.negatives ? [] : null, hidden: [] };
    whole.parents.forEach((parent, n) => {
      if (!kept[n]) number[n] = number[parent];
      else {
        number[n] = folded.parents.length;
        folded.parents.push(n ? number[parent] : 0); folded.sources.push(whole.sources[n]); folded.values.push(0);
        folded.negatives?.push(0);
      }
      folded.values[number[n]] += whole.values[n];
      if (folded.negatives) folded.negatives[number[n]] += whole.negatives[n];
    });
    return folded;
  }

  function setTree() {
    tree = Conduit.flameTree.read(mine ? foldOthers(content) : content);
    sides = state.get("pictures") === "two" && tree.difference && tree.hasBase ? ["shrunk", "grown"].map((which) => Conduit.flameTree.side(tree, which)) : null;
    if (!pattern) return;
    hits = Uint8Array.from(tree.names, (name) => (pattern.test(name) ? 1 : 0));
    Conduit.page.matched(matchedText());
  }

  const isMine = (source) => content.owners[source] === "project";

  // What the picture did by itself, in a line above it, which stays in the window as it scrolls.
  function say(text) {
    remark.textContent = text;
    if (area?.isConnected) layOutWindow();
  }

  // "Only your code" hides neither the selection nor everything: it is switched off, and a line says so.
  function showOthersFor(source) {
    mine = false;
    note({ mine: null }, true);
    setTree();
    if (area?.isConnected) { document.querySelector(".keys")?.replaceWith(legend()); if (table) showTable(true); }
    say(source === null ? "“Only your code” is off: none of your code has samples here." : `“Only your code” is off: ${short(source)} is not your code.`);
  }

  function pivotInSight() {
    let found = pivotFromAddress();
    if (mine && tree.count === 1) { showOthersFor(null); found = pivotFromAddress(); }
    const several = found === null ? 0 : namedInAddress(tree).length;
    if (several > 1) say(`${short(found)} is the heaviest of the ${several} lines of ${bare(tree.names[found])}.`);
    if (found !== null || !state.get("p")) return found;
    if (mine) found = pivotFromAddress(Conduit.flameTree.read(content));
    if (found !== null) showOthersFor(found);
    else say(state.get("g") === "files" ? `The boxes are files: ${Conduit.page.plainly(state.get("p"))} has none of its own.` : `${Conduit.page.plainly(state.get("p"))} has no samples in this picture.`);
    return found;
  }

  // One colour, or those of an owner's packages side by side.
  function swatchOf(hues) {
    const parts = hues.map(({ hue, saturation, shade }, n) => `hsl(${hue} ${saturation}% ${(colours.dark ? 38 : 74) + shade}%) ${(100 * n) / hues.length}% ${(100 * (n + 1)) / hues.length}%`);
    return `linear-gradient(to right, ${parts.join(", ")})`;
  }

  // What the colours of a difference say.
  function changeKeys() {
    const keys = [["grew", colours.grew, 45], ["shrank", colours.shrank, 45], [content.hasBase ? "in both" : "cancelled out", colours.same, 100]].map(([text, colour, part]) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = `color-mix(in srgb, ${colour} ${part}%, ${colours.same})`;
      return make("span", { className: "meaning" }, swatch, text);
    });
    return make("span", { className: "keys" }, ...keys, onlyMine());
  }

  function legend() {
    if (differs()) return changeKeys();
    const present = scheme === "owner" ? Object.keys(OWNERS).filter((owner) => content.owners.indexOf(owner, 1) > 0) : palette.keys.slice(0, KEYS);
    const keys = present.map((group) => {
      const name = scheme === "owner" ? OWNERS[group] : group;
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = swatchOf(scheme === "owner" ? palette.ofRange(group) : [palette.of(group)]);
      const key = make("button", { type: "button", className: "key", title: `fade ${name}`, "aria-pressed": String(!hidden.has(group)) }, swatch, name);
      key.addEventListener("click", () => {
        hidden.has(group) ? hidden.delete(group) : hidden.add(group);
        key.setAttribute("aria-pressed", String(!hidden.has(group)));
        note({ fade: [...hidden].join(",") || null }, true);
        paint();
      });
      return key;
    });
    if (palette.keys.length > present.length && scheme !== "owner") keys.push(make("span", {}, `and ${palette.keys.length - present.length} more`));
    return make("span", { className: "keys" }, schemes(), ...keys, onlyMine());
  }

  function onlyMine() {
    const owners = new Set(content.owners.slice(1));
    if (!owners.has("project") || owners.size < 2) return null;
    const only = make("button", { type: "button", className: "key switch", "aria-pressed": String(mine), title: "functions of others join their nearest caller in your code" }, "Only your code");
    only.addEventListener("click", () => {
      const leaves = !mine && pivot !== null && !isMine(pivot) ? short(pivot) : "";
      say(leaves && `The whole profile is shown: ${leaves} is not your code.`);
      if (leaves) pivot = null;
      mine = !mine;
      note({ mine: mine ? "t" : null, ...(leaves ? { p: null, sel: null } : {}) }, true);
      if (leaves) Conduit.page.settle([]);
      setTree();
      if (mine && tree.count === 1) showOthersFor(null);
      only.setAttribute("aria-pressed", String(mine));
      redraw();
      if (table) showTable(true);
      lines.show(pivot);
    });
    return only;
  }

  function schemes() {
    const choice = make("select", { "aria-label": "Colours by", title: "Colours by" }, ...Object.entries(SCHEMES).map(([value, text]) => make("option", { value, selected: value === scheme }, `Colours: ${text}`)));
    choice.addEventListener("change", () => {
      scheme = choice.value;
      hidden.clear();
      note({ colour: scheme === "owner" ? null : scheme, fade: null }, true);
      mix();
      document.querySelector(".keys").replaceWith(legend());
      document.querySelector(".keys select").focus();
      paint();
    });
    return choice;
  }

  function toggle(text, title, on, change) {
    const button = make("button", { type: "button", className: "key switch", "aria-pressed": String(on), title }, text);
    button.addEventListener("click", () => button.setAttribute("aria-pressed", String(change())));
    return button;
  }

  function switches() {
    return make("span", { className: "keys-more" }, content.hasBase ? comparison() : null,
      toggle("Table", "the functions in a table beside the picture", Boolean(table), () => { showTable(!table); note({ table: Boolean(table) === wideWindow() ? null : table ? "t" : "f" }, true); return Boolean(table); }),
      toggle("Lines", "the lines of the selected function below the picture, with what each took", lines.open, () => { lines.toggle(pivot); note({ lines: lines.open ? "t" : null }, true); bringPivot(); return lines.open; }),
      toggle("All frames", "unfold the chains of frames in which nothing branches", !chains, () => { chains = !chains; opened.clear(); note({ frames: chains ? null : "all", open: null }, true); redraw(); rest(); return !chains; }));
  }

  // Of a comparison: one picture of the difference, or before and after as two; and whether their totals were made equal.
  function comparison() {
    const equal = state.get("norm") === "t";
    return make("span", { className: "keys-more" },
      toggle("Two pictures", "before and after side by side, in step", Boolean(sides), () => {
        note({ pictures: sides ? null : "two" }, true);
        setTree(); redraw(); rest();
        explainAgain();
        layOutWindow();
        return Boolean(sides);
      }),
      data.file ? "" : Conduit.page.link("flamegraph", { norm: equal ? null : "t" }, { title: equal ? "The amounts after are scaled to the total before" : "Totals are as recorded" }, equal ? "Show totals as recorded" : "Make totals equal"));
  }

  // ── the table beside it ──

  const wideWindow = () => innerWidth >= 1200;

  function showTable(on) {
    table?.remove();
    table = null;
    if (!on || !content.rows?.length) return;
    table = Conduit.flameTable(content, tree, {
      hover: (source) => { marked = source; paint(); },
      choose: (source) => pivotOn(source === pivot ? 0 : source),
      menu: (event, source, row) => Conduit.page.openContext(event, bare(tree.names[source]), [["Pivot here", () => pivotOn(source), "its callers above, its callees below"]], row),
    });
    pair.prepend(table.element);
    if (pattern) table.search(pattern);
    if (pivot !== null) table.select(pivot);
    layOutWindow();
  }

  let resize = null;

  // A single file draws itself what a server would send for a range of the time, or in order of time.
  function inFile(given) {
    const range = (state.get("range") || "").split(",").map(Number);
    const chosen = range.length === 2 && range[0] < range[1] && data.strip ? range : null;
    return Conduit.timeRange.applied(given, { range: chosen, inOrder: state.get("time") === "t", seconds: data.strip?.seconds });
  }

  function draw(main, given) {
    content = data.file ? inFile(given) : given;
    if (!content.values.length || !content.total) {
      main.append(Conduit.page.empty("No samples to draw.", data.remedy));
      return;
    }
    order = state.get("order") || "heavy";
    mine = state.get("mine") === "t";
    chains = state.get("frames") !== "all";
    opened = new Set((state.get("open") || "").split(".").filter(Boolean).map((each) => parseInt(each, 36)));
    table = null; marked = 0;
    hidden = new Set((state.get("fade") || "").split(",").filter(Boolean));
    fetched = new Set();
    pattern = null; spelled = new Map();
    scheme = state.get("colour") in SCHEMES ? state.get("colour") : "owner";
    readColours();
    setTree();
    remark = make("p", { className: "remark", role: "status" });
    pivot = pivotInSight();
    if (pivot !== null || !state.get("sel")) Conduit.page.settle(selectedNames());
    mix();
    hits = new Uint8Array(tree.names.length);
    zoom = zoomFromAddress();
    whole = make("button", { type: "button", className: "actions whole", title: "leave the zoom and the selected function", onclick: showWhole }, "Whole profile");
    detail = make("div", { className: "detail" }, make("span", { className: "name" }), make("span", { className: "numbers" }), whole,
      make("button", { type: "button", className: "actions choices", "aria-haspopup": "menu" }, "Actions…"));
    heads = make("div", { className: "sides", hidden: true });
    bar = make("div", { className: "flame-bar" }, remark, detail, heads);
    canvas = make("canvas", { "aria-hidden": "true" });
    pen = canvas.getContext("2d");
    overlay = make("div", { className: "overlay" });
    area = make("div", { className: "flame", role: "group", "aria-label": "Flame graph" }, canvas, overlay);
    tip = document.getElementById("tip");
    lines = Conduit.sourceDrawer({ tree: () => tree, folds: () => mine, closed: () => { note({ lines: null }, true); explainAgain(); } });
    lines.open = state.get("lines") === "t";
    pair = make("div", { className: "pair" }, make("div", { className: "picture" }, bar, area));
    const wanted = state.get("table");
    showTable(wanted ? wanted === "t" : wideWindow());
    main.append(explain(), pair, lines.element);
    lines.show(pivot);
    if (pivot !== null) table?.select(pivot);
    listen();
    redraw({ first: true });
    rest();
    markSelected();
    if (pivot !== null) bringPivot();
    resize?.disconnect();
    let before = width();
    resize = new ResizeObserver(() => { measureAgain(); layOutWindow(); if (width() !== before) { before = width(); schedule(); } });
    resize.observe(area);
    resize.observe(document.querySelector("header.bar")); // the result of a search may take a second line
  }

  // The bar keeps its place under the page's; the canvas takes the rest of the window.
  function layOutWindow() {
    measureAgain();
    if (!area.isConnected) return; // while the view is put together
    const head = document.querySelector("header.bar");
    const under = getComputedStyle(head).position === "sticky" ? head.offsetHeight : 0, barred = bar.offsetHeight;
    bar.style.top = `${under}px`;
    canvas.style.top = `${under + barred}px`;
    canvas.style.height = `${Math.max(120, innerHeight - under - barred)}px`;
    pair.style.setProperty("--under", `${under}px`);
  }

  addEventListener("scroll", () => { if (area?.isConnected) { tip.hidden = true; schedule(paint); } }, { passive: true });
  addEventListener("resize", () => { if (area?.isConnected) { layOutWindow(); schedule(); } });

  function recolour() {
    if (!area?.isConnected) return;
    readColours();
    document.querySelector(".keys")?.replaceWith(legend());
    paint();
  }

  // The functions with samples that the address names, the heaviest first. Views group in different ways: a box may be a
  // line of the function (`name:18`), and the address may name a line (`name:18`, `name file:18`) where boxes are functions.
  function namedInAddress(among) {
    const wanted = state.get("p");
    if (!wanted) return [];
    const found = (expression, ...forms) => {
      let regexp;
      try { regexp = new RegExp(expression); } catch { return []; } // someone changed the address
      const sources = [...among.names.keys()].filter((n) => n > 0 && forms.some((form) => regexp.test(form(n))));
      const weights = Conduit.flameTree.wholes(among, sources);
      return sources.filter((n) => weights.get(n) > 0);
    };
    const name = (n) => among.names[n], plain = (n) => bare(name(n));
    const direct = found(wanted, name);
    if (direct.length || !/^\^.*\$$/.test(wanted)) return direct.slice(0, 1);
    const lines = found(wanted, plain, (n) => `${plain(n)} ${among.files[n]}${placeOf(name(n))}`, (n) => `${plain(n)} ${among.files[n]}`);
    const others = lines.length ? lines : found(bareExpression(wanted), plain, (n) => `${plain(n)} ${among.files[n]}`);
    const weights = Conduit.flameTree.wholes(among, others);
    return others.sort((a, b) => weights.get(b) - weights.get(a));
  }

  const pivotFromAddress = (among = tree) => namedInAddress(among)[0] ?? null;

  function zoomFromAddress() {
    const [x, scale] = (state.get("z") || "").split(",").map(Number);
    return scale > 1 && x >= 0 && x < 1 ? zoomAt({ x, scale }, 0, 1) : { x: 0, scale: 1 };
  }

  function explain() {
    const meaning = sides ? "Left is before, right is after, in one scale: zoom, pivot and pointer move both." : content.difference
      ? (content.hasBase ? "Width = before and after added up. Grey: what both have. Red: what only after has. Green: what only before has." : "Width = growth and reduction added up. Red: net growth. Green: net reduction.")
      : `Each box is a function. Width = share of ${content.type}; its callees are drawn below.`;
    const other = order === "heavy" ? ["recorded", "Sort by recorded order"] : ["heavy", "Sort by weight"];
    const help = make("details", { className: "help" }, make("summary", { title: "Help" }, "?"),
      make("p", {}, meaning, content.inOrder ? " Left is earlier: a row for each thread, widths without the gaps between samples." : order === "heavy" ? " Left is heavier, not earlier." : " Boxes are in recorded order.",
        " Click a box for its callers and callees. Scroll to move, Ctrl+scroll or pinch to zoom, drag to pan, right-click or Actions… for more. ",
        make("kbd", {}, "/"), " searches, ", make("kbd", {}, "+"), make("kbd", {}, "−"), " zoom, arrows walk, ", make("kbd", {}, "Esc"), " goes back."));
    const line = make("div", { className: "explain bar-of-view" }, help, legend(), switches(),
      content.inOrder ? null : Conduit.page.link("flamegraph", { order: other[0] === "heavy" ? null : other[0] }, {}, other[1]));
    if (content.hasTimes && (!data.file || content.byTime)) line.append(Conduit.page.link("flamegraph", { time: content.inOrder ? null : "t", z: null, p: null }, {}, content.inOrder ? "Sort by weight" : "Sort by time"));
    if (content.untimed) line.append(make("span", {}, content.untimed === 1 ? "1 sample without a time is left out" : `${Conduit.frame.thousands(content.untimed)} samples without a time are left out`));
    if (content.pruned) {
      line.append(make("span", { className: "pruned" }, `${Conduit.frame.thousands(content.pruned.nodes)} boxes under ${percent(content.pruned.below, content.total)} are hidden (hatched). ${data.file ? "" : "Zoom in or focus a function to see them."}`));
    }
    return Conduit.frame.cue(line);
  }

  // The bar anew, where it was scrolled to.
  function explainAgain() {
    const bar = document.querySelector(".bar-of-view"), { scrollLeft } = bar, made = explain();
    bar.replaceWith(made);
    made.scrollLeft = scrollLeft;
  }

  function showWhole() {
    if (pivot !== null) { pivotOn(0); return; }
    zoom = { x: 0, scale: 1 };
    note({ z: null });
    redraw();
    rest();
    overlay.querySelector(".box.root")?.focus({ preventScroll: true });
  }

  function escape() {
    if (zoom.scale > 1) { zoom = { x: 0, scale: 1 }; note({ z: null }, true); redraw(); }
    else if (pivot !== null) pivotOn(0);
  }

  const keys = [["arrows", "the box beside, above, below"], ["Enter", "callers and callees of the box"], ["+ −", "zoom"], ["Shift F10", "the menu of the box"]];

  return { draw, search, enter, escape, recolour, keys, picture: () => (area?.isConnected ? Conduit.exporting.svgOf(picture()) : null) };
})();
