// Fuzzy search over everything that has a name. Nothing here touches the page, so that Node's test runner can load it.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryFind = (() => {
  const WEIGHT = { resource: 30, task: 8, guard: 14, route: 6, handler: 2, field: 4 };
  const KINDS = ["resource", "field", "route", "handler", "guard", "task"];

  // The letters of a text as bits: a name that lacks one of a word's cannot have the word.
  function lettersOf(text) {
    let bits = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      bits |= 1 << (code >= 97 && code <= 122 ? code - 97 : code >= 48 && code <= 57 ? 26 : code === 95 ? 27 : code === 46 ? 28 : code === 47 ? 29 : code < 128 ? 30 : 31);
    }
    return bits;
  }

  // One entry for each thing: {kind, name, lower, context, key}; `key` is what the entry's address needs.
  function createIndex(model) {
    const entries = [];
    const add = (kind, name, context, key) => {
      const lower = name.toLowerCase();
      entries.push({ kind, name, lower, letters: lettersOf(lower), context, key, number: entries.length });
    };
    for (const resource of model.resources) {
      add("resource", resource.name, [resource.app, resource.kind].filter(Boolean).join(" · "), { name: resource.name });
      for (const field of resource.fields) add("field", `${resource.name}.${field.name}`, field.type, { name: resource.name, member: field.name });
      for (const one of resource.computed) add("field", `${resource.name}.${one.name}`, "computed", { name: resource.name, member: one.name });
      for (const one of resource.relations) if (!resource.fields.some((field) => field.name === one.name)) add("field", `${resource.name}.${one.name}`, `${one.type} ${one.target}`, { name: resource.name, member: one.name });
    }
    const handlers = new Map(), guards = new Map();
    for (const route of model.routes) {
      add("route", model.routeName(route), route.handler, { route: model.routeName(route) });
      if (route.handler) handlers.set(route.handler, (handlers.get(route.handler) || 0) + 1);
      for (const name of new Set(route.chain.map((step) => step.name))) guards.set(name, (guards.get(name) || 0) + 1);
    }
    for (const [name, count] of handlers) add("handler", name, `${count} ${count === 1 ? "route" : "routes"}`, { handler: name });
    for (const [name, count] of guards) add("guard", name, `${count} ${count === 1 ? "route" : "routes"}`, { guard: name });
    for (const task of model.tasks) add("task", task.name, [task.kind, task.queue, task.schedule].filter(Boolean).join(" · "), { task: task.name });
    return entries;
  }

  const isWordCode = (code) => (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57);

  // Whether a part of the name starts there: at its beginning, behind a sign, at a capital behind a small letter.
  function isBoundary(text, at) {
    if (at === 0) return true;
    const before = text.charCodeAt(at - 1), here = text.charCodeAt(at);
    if (before > 127 || here > 127) return !/[\p{L}\p{N}]/u.test(text[at - 1]) || (/\p{Lu}/u.test(text[at]) && !/\p{Lu}/u.test(text[at - 1]));
    return !isWordCode(before) || (here >= 65 && here <= 90 && !(before >= 65 && before <= 90));
  }

  // The score of one word in one entry, or null; `marks`, where given, gets the positions of its letters.
  function scoreWord(entry, word, marks) {
    const { lower, name } = entry;
    const whole = bestPlace(lower, name, word);
    if (whole >= 0) {
      if (marks) for (let at = 0; at < word.length; at++) marks.push(whole + at);
      const starts = isBoundary(name, whole), ends = whole + word.length === lower.length;
      return 100 + (starts ? 40 : 0) + (ends ? 15 : 0) + (whole === 0 ? 20 : 0) + (lower.length === word.length ? 60 : 0);
    }
    if (word.length < 2) return null;
    return scattered(entry, word, marks);
  }

  function bestPlace(lower, name, word) {
    let first = -1;
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
      if (isBoundary(name, at)) return at;
      if (first < 0) first = at;
    }
    return first;
  }

  // The letters in their order: each as the start of a part of the name where there is one, else the next that fits.
  function scattered({ lower, name }, word, marks) {
    let at = 0, score = 60, previous = -2;
    const found = [];
    for (let number = 0; number < word.length; number++) {
      const next = lower.indexOf(word[number], at);
      if (next < 0) return null;
      let chosen = next;
      if (next !== previous + 1) {
        for (let later = next; later >= 0 && later < next + 24; later = lower.indexOf(word[number], later + 1)) {
          if (isBoundary(name, later) && isSubsequence(lower, later + 1, word, number + 1)) { chosen = later; break; }
        }
      }
      if (chosen === previous + 1) score += 6;
      else if (isBoundary(name, chosen)) score += 5;
      else score -= 8;
      score -= previous < 0 ? 0 : Math.min(6, chosen - previous - 1) * 0.5;
      found.push(chosen);
      previous = chosen;
      at = chosen + 1;
    }
    if (score < 60) return null; // letters strewn over a long name are no match
    marks?.push(...found);
    return score;
  }

  function isSubsequence(text, from, word, number) {
    for (let at = from; number < word.length; number++) {
      at = text.indexOf(word[number], at) + 1;
      if (!at) return false;
    }
    return true;
  }

  // The best `limit` entries, each with `marks`, and how many of each kind match. Every word must match.
  function find(index, text, { kind = "", limit = 100 } = {}) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const letters = words.map(lettersOf);
    const counts = Object.fromEntries(KINDS.map((name) => [name, 0]));
    const hits = [];
    for (const entry of words.length ? index : []) {
      const score = scoreWords(entry, words, letters);
      if (score === null) continue;
      counts[entry.kind] += 1;
      if (!kind || entry.kind === kind) hits.push({ entry, score });
    }
    const best = smallest(hits, limit, (a, b) => b.score - a.score || a.entry.number - b.entry.number);
    return { hits: best.map(({ entry, score }) => ({ entry, score, marks: marksOf(entry, words) })), total: hits.length, counts };
  }

  function scoreWords(entry, words, letters) {
    let score = WEIGHT[entry.kind] - entry.name.length * 0.35;
    for (let at = 0; at < words.length; at++) {
      if (letters[at] & ~entry.letters) return null;
      const one = scoreWord(entry, words[at], null);
      if (one === null) return null;
      score += one;
    }
    return score;
  }

  // The positions of the words' letters in the name.
  function marksOf(entry, words) {
    const marks = [];
    for (const word of words) scoreWord(entry, word, marks);
    return marks;
  }

  // The first `count` of a list in an order; one letter matches nearly all names, and to sort them all takes longest.
  function smallest(list, count, order) {
    if (list.length <= 4 * count) return list.sort(order).slice(0, count);
    let kept = [];
    for (const one of list) {
      if (kept.length >= count && order(one, kept[count - 1]) >= 0) continue;
      kept.push(one);
      if (kept.length >= 2 * count) kept = kept.sort(order).slice(0, count);
      else if (kept.length === count) kept.sort(order);
    }
    return kept.sort(order).slice(0, count);
  }

  return { createIndex, find, KINDS };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryFind;
