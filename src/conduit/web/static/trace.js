// The frame around Perfetto's page: what the trace holds, the keys, the colours. The keyboard is Perfetto's where it has
// the focus.
"use strict";

globalThis.Conduit ??= {};

Conduit.traceFrame = (() => {
  const { $, data, listen, fillPageMenu, isDark, onColours } = Conduit.frame;
  const KEYS = [["W S", "zoom in, out"], ["A D", "move left, right"], ["F", "bring the selection into view"], ["M", "mark the selection"]];
  const SETTINGS = "perfettoSettings";

  // Perfetto's settings, which it keeps as JSON in the browser, with the colours of this page.
  function settings(before, dark) {
    let kept = {};
    try { kept = JSON.parse(before || "{}"); } catch { /* damaged: Perfetto would not read them either */ }
    return JSON.stringify({ ...kept, theme: dark ? "dark" : "light" });
  }

  // Perfetto asks for consent to analytics, which the server's policy blocks: nothing is sent, so there is nothing to ask.
  function prepare() {
    try {
      localStorage.setItem("cookieAck", "true");
      localStorage.setItem(SETTINGS, settings(localStorage.getItem(SETTINGS), isDark()));
    } catch { /* storage may be off: then it asks, and is light */ }
  }

  function open() { prepare(); $("viewer").src = "perfetto/"; }

  function start() {
    const { facts, legend } = data();
    $("facts").textContent = facts.join(" · ");
    $("legend").textContent = legend.join("\n");
    fillPageMenu($("menu-show").querySelector(".items"));
    listen({ keys: () => KEYS });
    $("viewer").addEventListener("load", () => $("viewer").focus());
    onColours(open);
    open();
  }

  return { settings, start };
})();

if (typeof module !== "undefined") module.exports = Conduit.traceFrame;
