// A document that is just enough for the page's scripts under Node: elements with text, attributes, classes, events, and
// selectors of tags, classes, ids and attributes. Nothing is laid out: every box is 0 wide.
"use strict";

class Fake {
  constructor(tag) {
    Object.assign(this, { tagName: tag.toUpperCase(), localName: tag, namespaceURI: "http://www.w3.org/1999/xhtml", parentElement: null, nodes: [], attributes: new Map(), listeners: new Map() });
    Object.assign(this, { id: "", className: "", hidden: false, title: "", tabIndex: -1, onclick: null, value: "", type: "", disabled: false, checked: false, open: false, colSpan: 1, scope: "", selected: false, oninput: null, onchange: null, placeholder: "", autocomplete: "", spellcheck: true, readOnly: false, download: "", name: "" });
    this.dataset = {};
    this.style = { setProperty(name, text) { this[name] = text; }, getPropertyValue(name) { return this[name] ?? ""; } };
    Object.assign(this, { offsetHeight: 0, offsetWidth: 0, clientWidth: 0, clientHeight: 0, scrollTop: 0, isContentEditable: false });
    const owner = this;
    this.classList = {
      list: () => owner.className.split(/\s+/).filter(Boolean),
      contains: (name) => this.classList.list().includes(name),
      add: (name) => { if (!this.classList.contains(name)) owner.className = [...this.classList.list(), name].join(" "); },
      remove: (name) => { owner.className = this.classList.list().filter((one) => one !== name).join(" "); },
      toggle: (name, on = !this.classList.contains(name)) => { on ? this.classList.add(name) : this.classList.remove(name); return on; },
    };
  }

  get href() { return this.attributes.get("href") ?? ""; }
  set href(text) { this.attributes.set("href", text); }
  get childNodes() { return this.nodes; }
  get children() { return this.nodes.filter((one) => one instanceof Fake); }
  get childElementCount() { return this.children.length; }
  get firstElementChild() { return this.children[0] ?? null; }
  get lastElementChild() { return this.children.at(-1) ?? null; }
  get nextElementSibling() { const all = this.parentElement?.children ?? []; return all[all.indexOf(this) + 1] ?? null; }
  get previousElementSibling() { const all = this.parentElement?.children ?? []; return all[all.indexOf(this) - 1] ?? null; }
  get offsetParent() { return this.parentElement; }
  get isConnected() { return this === document.documentElement || Boolean(this.parentElement?.isConnected); }
  get textContent() { return this.nodes.map((one) => (one instanceof Fake ? one.textContent : one)).join(""); }
  set textContent(text) { this.replaceChildren(...(text === "" ? [] : [String(text)])); }
  get innerText() { return this.textContent; }

  append(...added) { for (const one of added) { if (one instanceof Fake) { one.remove(); one.parentElement = this; } this.nodes.push(one instanceof Fake ? one : String(one)); } }
  prepend(...added) { const before = this.nodes; this.nodes = []; this.append(...added); this.nodes.push(...before.filter((one) => !this.nodes.includes(one))); }
  remove() { if (this.parentElement) { this.parentElement.nodes = this.parentElement.nodes.filter((one) => one !== this); this.parentElement = null; } }
  replaceChildren(...added) { for (const one of this.children) one.parentElement = null; this.nodes = []; this.append(...added); }
  replaceWith(other) { const { parentElement } = this; const at = parentElement.nodes.indexOf(this); parentElement.nodes[at] = other; other.parentElement = parentElement; this.parentElement = null; }
  setAttribute(name, value) { name === "class" ? (this.className = String(value)) : name === "id" ? (this.id = String(value)) : this.attributes.set(name, String(value)); }
  getAttribute(name) { return name === "class" ? this.className : name === "id" ? this.id : this.attributes.get(name) ?? null; }
  removeAttribute(name) { this.attributes.delete(name); }
  hasAttribute(name) { return this.getAttribute(name) !== null; }
  contains(other) { for (let one = other; one; one = one.parentElement) if (one === this) return true; return false; }
  matches(selector) { return selector.split(",").some((one) => fits(this, one.trim())); }
  closest(selector) { for (let one = this; one; one = one.parentElement) if (one.matches(selector)) return one; return null; }
  querySelectorAll(selector) { return [...descendants(this)].filter((one) => one.matches(selector)); }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  addEventListener(name, act) { this.listeners.set(name, [...(this.listeners.get(name) ?? []), act]); }
  removeEventListener(name, act) { this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => one !== act)); }
  focus() { document.activeElement = this; }
  blur() { document.activeElement = document.body; }
  select() {}
  scrollIntoView() {}
  showModal() { this.open = true; this.setAttribute("open", ""); }
  close() { this.open = false; this.removeAttribute("open"); fire(this, "close"); }
  getBoundingClientRect() { return { left: 0, top: 0, right: 0, bottom: 0, width: 0, height: 0, x: 0, y: 0 }; }
  getContext() { return new Proxy({}, { get: (pen, name) => pen[name] ?? (() => ({ width: 0, data: [0, 0, 0, 0] })), set: (pen, name, value) => { pen[name] = value; return true; } }); }
  click() { fire(this, "click", { button: 0 }); }
}

function* descendants(element) { for (const one of element.children) { yield one; yield* descendants(one); } }

// "table.top tbody tr[aria-selected='true']": descendants only, as the scripts use them.
function fits(element, selector) {
  const parts = selector.split(/\s+(?![^[]*\])/).filter((part) => part !== ">");
  if (!simple(element, parts.pop())) return false;
  let above = element.parentElement;
  while (parts.length) {
    while (above && !simple(above, parts.at(-1))) above = above.parentElement;
    if (!above) return false;
    parts.pop();
    above = above.parentElement;
  }
  return true;
}

function simple(element, text) {
  const tokens = text.match(/[#.]?[\w-]+|\[[^\]]+\]|\*/g) ?? [];
  return tokens.every((token) => {
    if (token[0] === "#") return element.id === token.slice(1);
    if (token[0] === ".") return element.classList.contains(token.slice(1));
    if (token === "*") return true;
    if (token[0] !== "[") return element.localName === token;
    const [, name, sign, value] = /\[([\w-]+)(\^?=)?['"]?([^'"\]]*)['"]?\]/.exec(token);
    const found = name === "open" ? (element.open ? "" : null) : name.startsWith("data-") ? element.dataset[name.slice(5).replace(/-(\w)/g, (_, letter) => letter.toUpperCase())] ?? element.getAttribute(name) : element.getAttribute(name);
    return found !== null && found !== undefined && (!sign || (sign === "^=" ? String(found).startsWith(value) : String(found) === value));
  });
}

// Sends an event through an element and those around it; returns it.
function fire(target, name, more = {}) {
  const event = { type: name, target, defaultPrevented: false, stopped: false, preventDefault() { this.defaultPrevented = true; }, stopPropagation() { this.stopped = true; }, clientX: 0, clientY: 0, button: 0, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more };
  for (let one = target; one && !event.stopped; one = one.parentElement ?? (one === document.documentElement ? document : null)) {
    one[`on${name}`]?.(event);
    for (const act of one.listeners?.get(name) ?? []) act(event);
  }
  return event;
}

// Puts a document with these ids into the globals, with data as the page has them.
function install(ids, data, hash = "") {
  const root = new Fake("html"), body = new Fake("body");
  root.parentElement = null;
  global.document = { documentElement: root, body, activeElement: body, title: "", listeners: new Map(), createElement: (tag) => new Fake(tag), createElementNS: (_, tag) => new Fake(tag),
    getElementById: (id) => [...descendants(root)].find((one) => one.id === id) ?? null, querySelector: (selector) => root.querySelector(selector), querySelectorAll: (selector) => root.querySelectorAll(selector),
    addEventListener: Fake.prototype.addEventListener, removeEventListener: Fake.prototype.removeEventListener, execCommand: () => true };
  root.append(body);
  for (const [id, tag] of Object.entries(ids)) { const one = new Fake(tag); one.id = id; body.append(one); }
  const script = new Fake("script"); script.id = "data"; script.textContent = JSON.stringify(data); body.append(script);
  const kept = new Map();
  global.localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => kept.set(name, text) };
  global.location = { hash, search: "", pathname: "/", href: `file:///page.html${hash}` };
  global.history = { pushState: (_, __, url) => { global.location.hash = url.slice(url.indexOf("#")); }, replaceState: (_, __, url) => { global.location.hash = url.slice(url.indexOf("#")); }, back() {} };
  global.matchMedia = () => ({ matches: false, addEventListener() {} });
  global.getComputedStyle = () => ({ getPropertyValue: () => "0", position: "static" });
  const windowListeners = new Map();
  global.addEventListener = (name, act) => windowListeners.set(name, [...(windowListeners.get(name) ?? []), act]);
  global.scrollTo = () => {};
  Object.assign(global, { innerWidth: 1400, innerHeight: 800, devicePixelRatio: 1, scrollY: 0, window: global });
  global.requestAnimationFrame = (act) => setTimeout(act, 0);
  global.IntersectionObserver = class { observe() {} disconnect() {} };
  global.ResizeObserver = class { observe() {} disconnect() {} };
  global.Node = Fake;
  return { root, body };
}

module.exports = { Fake, install, fire };
