// Fuzzy search over everything that has a name. Nothing here touches the page, so that Node's test runner can load it.
"use strict";

globalThis.Conduit ??= {};

Conduit.registryFind = (() => {
  const WEIGHT = { resource: 30, task: 8, guard: 14, route: 6, handler: 2, field: 4 };
  const KINDS = ["resource", "field", "route", "handler", "guard", "task"];

  // One entry for each thing: {kind, name, lower, context, key}; `key` is what the entry's address needs.
  function createIndex(model) {
    const entries = [];
    const add = (kind, name, context, key) => entries.push({ kind, name, lower: name.toLowerCase(), context, key, number: entries.length });
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

  const isBoundary = (text, at) => at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]) || (/\p{Lu}/u.test(text[at]) && !/\p{Lu}/u.test(text[at - 1]));

  // The score of one word in one entry, or null; `marks` gets the positions of its letters.
  function scoreWord(entry, word, marks) {
    const { lower, name } = entry;
    const whole = bestPlace(lower, name, word);
    if (whole >= 0) {
      for (let at = 0; at < word.length; at++) marks.push(whole + at);
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
    marks.push(...found);
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
    const counts = Object.fromEntries(KINDS.map((name) => [name, 0]));
    const hits = [];
    for (const entry of words.length ? index : []) {
      let score = WEIGHT[entry.kind] - entry.name.length * 0.35;
      const marks = [];
      const fits = words.every((word) => {
        const one = scoreWord(entry, word, marks);
        score += one ?? 0;
        return one !== null;
      });
      if (!fits) continue;
      counts[entry.kind] += 1;
      if (!kind || entry.kind === kind) hits.push({ entry, score, marks });
    }
    hits.sort((a, b) => b.score - a.score || a.entry.number - b.entry.number);
    return { hits: hits.slice(0, limit), total: hits.length, counts };
  }

  return { createIndex, find, KINDS };
})();

if (typeof module !== "undefined") module.exports = Conduit.registryFind;
