/* The page alive: takes over what the server drew, from the stream of changes at admin/api/events.
 *
 * Everything foreign (model names, labels, errors, user agents) becomes text nodes, never markup. State is three maps of
 * rows by id, and the newest head, totals and series; each table is drawn from its map, and a cell is only touched when
 * what it shows has changed, so that focus and selection stay. URLs are relative: behind a reverse proxy the page may
 * stand under any path that ends in a slash. Without this file the page is complete, but still. */
"use strict";
(() => {
  const body = document.body, W = JSON.parse(body.dataset.words), mayAct = body.dataset.act === "yes";
  const rows = { keys: new Map(), models: new Map(), requests: new Map() };
  let order = [], head = {}, totals = {}, series = {}, log = [], source = null, behind = 0, connected = false;

  /* ---- elements ---- */

  const el = (tag, props, ...children) => {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
      if (name === "class") e.className = value;
      else if (name === "onclick") e.addEventListener("click", value);
      else if (value !== null && value !== undefined) e.setAttribute(name, value);
    }
    e.append(...children.filter((c) => c !== null && c !== undefined));
    return e;
  };
  const byId = (id) => document.getElementById(id);
  const tag = (look) => el("span", { class: "tag " + look.class }, look.symbol ? el("i", { "aria-hidden": "true" }, look.symbol) : null, look.word);
  const small = (...text) => el("small", {}, ...text);

  /* ---- words for numbers; as html.c writes them ---- */

  const count = (n) => {
    const suffix = ["", "K", "M", "G", "T", "P", "E"];
    let i = 0, v = n;
    while (v >= 1000 && i + 1 < suffix.length) { v /= 1000; i++; }
    return i ? (v < 10 ? Math.floor(v * 100) / 100 : v < 100 ? Math.floor(v * 10) / 10 : Math.floor(v)).toFixed(v < 10 ? 2 : v < 100 ? 1 : 0) + suffix[i] : String(n);
  };
  const two = (n) => String(n).padStart(2, "0");
  const millis = (ms) => {
    const s = Math.floor(ms / 1000);
    if (ms === null || ms < 0) return "-";
    if (ms < 1000) return ms + " ms";
    if (s < 60) return s + "." + Math.floor((ms % 1000) / 100) + " s";
    return s < 3600 ? Math.floor(s / 60) + "m " + two(s % 60) + "s" : Math.floor(s / 3600) + "h " + two(Math.floor(s / 60) % 60) + "m";
  };
  const age = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    return s < 120 ? s + "s" : s < 7200 ? Math.floor(s / 60) + "m" : s < 172800 ? Math.floor(s / 3600) + "h" : Math.floor(s / 86400) + "d";
  };
  const money = (value) => (value < 0 ? "-" : "") + "¥" + Math.abs(value).toFixed(2);
  const clock = (ms) => { const d = new Date(ms); return two(d.getHours()) + ":" + two(d.getMinutes()) + ":" + two(d.getSeconds()); };
  const now = () => Date.now() + behind;
  const keyName = (k) => k.label || k.masked;

  /* ---- tables: columns are {name, class, label, of(row) -> what it shows, as text; draw(row) -> nodes} ---- */

  const table = (place, className, columns) => {
    const body = el("tbody", {}), lines = new Map();
    const whole = el("table", { class: className }, el("thead", {}, el("tr", {}, ...columns.map((c) => el("th", { scope: "col", class: c.class || "" }, c.name)))), body);
    const fill = (line, row) => columns.forEach((c, i) => {
      const shown = c.of(row);
      if (line.shown[i] === shown) return;
      line.shown[i] = shown;
      const nodes = c.draw ? c.draw(row) : [shown];
      line.cells[i].replaceChildren(...nodes.filter((n) => n !== null));
      line.cells[i].classList.toggle("blank", shown === "" || shown === "-");
    });
    const make = () => {
      const cells = columns.map((c, i) => i ? el("td", { class: c.class || "", "data-label": c.name }) : el("th", { scope: "row" }));
      return { tr: el("tr", {}, ...cells), cells, shown: [] };
    };
    return (list, empty) => {
      const seen = new Set();
      let at = body.firstChild;
      for (const row of list) {
        let line = lines.get(row.id);
        if (!line) { line = make(); lines.set(row.id, line); }
        seen.add(row.id);
        fill(line, row);
        if (line.tr === at) at = at.nextSibling;
        else body.insertBefore(line.tr, at);
      }
      for (const [id, line] of lines) if (!seen.has(id)) { line.tr.remove(); lines.delete(id); }
      const want = list.length ? whole : empty;
      if (place.firstElementChild !== want || place.children.length !== 1) place.replaceChildren(want);
    };
  };

  /* ---- asking ---- */

  let toastTimer = 0;
  const toast = (text, bad) => {
    const t = byId("toast");
    t.textContent = text;
    t.className = "toast shown" + (bad ? " bad" : "");
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { t.className = "toast"; }, bad ? 12000 : 5000);
  };
  const act = async (button, path, sent) => {
    button.disabled = true;
    try {
      const r = await fetch("admin/api/" + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: sent ? JSON.stringify(sent) : "" });
      const answer = await r.json();
      toast(r.ok ? answer.message : answer.error.message, !r.ok);
      if (r.status === 401) location.reload();
    } catch (e) {
      toast(W.words.no_connection, true);
    }
    button.disabled = false;
  };
  const button = (word, path, sent, name) => el("button", { type: "button", class: "act", "aria-label": word + ": " + name, onclick: (e) => act(e.currentTarget, path, sent) }, word);
  const canAct = () => mayAct && !head.readonly;

  /* ---- keys ---- */

  const errorText = (e) => e ? (e.status ? e.status + " " : "") + (W.verdicts[e.verdict] || e.verdict) : "";
  const balance = (k) => k.balance ? (k.balance.origin === "api" ? "" : "≤ ") + money(k.balance.value) : "?";
  const balanceNote = (k) => k.balance ? (W.words["by_" + k.balance.origin] || W.words.by_hand) + (k.balance.at ? ", " + age((now() - k.balance.at) / 1000) + " " + W.words.ago : "") : W.words.unknown;
  const cooldown = (c) => c ? age((c.until - now()) / 1000) : "";
  const cooldownNote = (c) => (c.model || W.words.every_model) + ": " + (W.verdicts[c.reason] || c.reason) + (c.more > 0 ? " +" + c.more : "");
  const keyActions = (k) => [button(k.enabled ? W.words.disable : W.words.enable, "keys/" + k.id + (k.enabled ? "/disable" : "/enable"), null, keyName(k)),
    button(W.words.test, "keys/" + k.id + "/test", null, keyName(k)),
    k.cooldown ? button(W.words.reset, "keys/" + k.id + "/reset", null, keyName(k)) : null];
  const keyTable = table(byId("keys-table"), "keys", [
    { name: W.words.key, of: (k) => keyName(k) + k.masked, draw: (k) => [keyName(k), small((k.label ? k.masked + " " : "") + k.id)] },
    { name: W.words.state, class: "nowrap half", of: (k) => k.state, draw: (k) => [tag(W.states[k.state])] },
    { name: W.words.class, class: "nowrap half", of: (k) => k.class, draw: (k) => [tag({ ...W.classes[k.class], symbol: "" })] },
    { name: W.words.in_flight, class: "num", of: (k) => count(k.in_flight) },
    { name: "RPM", class: "num", of: (k) => count(k.rpm) },
    { name: "TPM", class: "num", of: (k) => count(k.tpm) },
    { name: "429", class: "num", of: (k) => count(k.limited) },
    { name: W.words.balance, class: "num wide", of: (k) => balance(k) + balanceNote(k), draw: (k) => [balance(k), small(balanceNote(k))] },
    { name: W.words.cooldown, class: "text", of: (k) => k.cooldown ? cooldown(k.cooldown) + cooldownNote(k.cooldown) : "-", draw: (k) => k.cooldown ? [cooldown(k.cooldown), " ", small(cooldownNote(k.cooldown))] : ["-"] },
    { name: W.words.last_error, class: "text", of: (k) => k.error ? errorText(k.error) + k.error.at : "-", draw: (k) => k.error ? [errorText(k.error), small(clock(k.error.at) + " " + k.error.message)] : ["-"] },
    ...(mayAct ? [{ name: W.words.actions, class: "acts", of: (k) => canAct() ? [k.enabled, !!k.cooldown].join() : "-", draw: (k) => canAct() ? keyActions(k) : ["-"] }] : []),
  ]);

  /* ---- requests ---- */

  const result = (r) => r.live ? { class: "ok", symbol: "▸", word: W.words.running + ": " + r.state }
    : { class: r.is_error ? "bad" : r.state === "ok" && r.status < 400 ? "ok" : "warn", symbol: r.is_error ? "✗" : r.state === "ok" && r.status < 400 ? "✓" : "!", word: (r.status ? r.status + " " : "") + (W.ends[r.state] || r.state) };
  const requestTable = table(byId("requests-table"), "", [
    { name: W.words.time, of: (r) => clock(r.time) },
    { name: W.words.result, class: "nowrap half", of: (r) => r.state + r.status, draw: (r) => [tag(result(r))] },
    { name: W.words.client, class: "half", of: (r) => r.client },
    { name: W.words.model, class: "text", of: (r) => (r.model || "-") + r.stream, draw: (r) => [r.model || "-", r.stream ? small(W.words.stream) : null] },
    { name: W.words.key, class: "half", of: (r) => r.key || "-" },
    { name: W.words.tries, class: "num", of: (r) => String(r.tries) },
    { name: "TTFT", class: "num", of: (r) => millis(r.ttft_ms) },
    { name: W.words.duration, class: "num", of: (r) => millis(r.live ? Math.max(0, now() - r.time) : r.duration_ms) },
    { name: W.words.tokens, class: "num half", of: (r) => r.tokens_in === null ? "-" : count(r.tokens_in) + " / " + count(r.tokens_out) },
    ...(mayAct ? [{ name: W.words.actions, class: "acts", of: (r) => r.live && canAct() ? r.id : "-", draw: (r) => r.live && canAct() ? [button(W.words.cancel, "requests/" + r.id + "/cancel", null, r.model)] : ["-"] }] : []),
  ]);

  /* ---- models ---- */

  const isDown = (breaker) => breaker !== "" && breaker !== "closed";
  const modelLook = (m) => m.banned ? { class: "off", symbol: "-", word: W.words.banned } : isDown(m.breaker) ? { class: "bad", symbol: "!", word: W.words.down }
    : m.keys_usable ? { class: "ok", symbol: "✓", word: W.words.usable } : { class: "warn", symbol: "~", word: W.words.not_now };
  const modelTable = (place, free) => table(place, "", [
    { name: W.words.model, of: (m) => m.id + m.sub_type + m.cost, draw: (m) => [m.id === "(other)" ? W.words.other_models : m.id, small(m.id === "(other)" ? "" : m.sub_type + (m.cost === "unknown" ? ", " + W.words.unknown_cost : ""))] },
    { name: W.words.status, class: "nowrap half", of: (m) => modelLook(m).word, draw: (m) => [tag(modelLook(m)), isDown(m.breaker) && !m.banned ? small(m.trouble) : null] },
    { name: W.words.keys_usable, class: "num", of: (m) => count(m.keys_usable) },
    { name: "RPM", class: "num", of: (m) => count(m.rpm) },
    { name: "TPM", class: "num", of: (m) => count(m.tpm) },
    ...(free ? [] : [{ name: W.words.price, class: "rest", of: (m) => m.price || "?" }]),
    ...(mayAct ? [{ name: W.words.actions, class: "acts", of: (m) => canAct() && !m.ban_from_file && m.id !== "(other)" ? String(m.banned) : "-", draw: (m) => canAct() && !m.ban_from_file && m.id !== "(other)" ? [button(m.banned ? W.words.unban : W.words.ban, m.banned ? "models/unban" : "models/ban", { model: m.id }, m.id)] : ["-"] }] : []),
  ]);
  const freeTable = modelTable(byId("free-table"), true), paidTable = modelTable(byId("paid-table"), false);

  /* ---- strip, alerts, figures, attention, log ---- */

  const drawStrip = () => {
    const counts = {};
    for (const k of rows.keys.values()) counts[k.state] = (counts[k.state] || 0) + 1;
    byId("states").replaceChildren(...Object.keys(W.states).filter((s) => counts[s]).map((s) => tag({ ...W.states[s], word: counts[s] + " " + W.states[s].word })));
    const items = [["RPM", totals.rpm], ["TPM", totals.tpm], ["RPD", totals.rpd], ["TPD", totals.tpd], [W.words.in_flight, totals.in_flight],
      ...(totals.cost_today >= 0.005 ? [[W.words.spent_today, money(totals.cost_today)]] : []),
      ...(totals.waiting ? [[W.words.waiting, totals.waiting, "warn"]] : []), [W.words.limited_min, totals.limited_per_min, totals.limited_per_min ? "warn" : ""],
      [W.words.errors_min, totals.errors_per_min, totals.errors_per_min ? "bad" : ""]];
    byId("health").replaceChildren(...items.map(([name, n, cls]) => el("div", {}, el("dt", {}, name), el("dd", cls ? { class: cls } : {}, typeof n === "string" ? n : count(n)))));
  };

  const alertBox = (strong, text, warn) => el("p", { class: "alert" + (warn ? " warn" : ""), role: "status" }, el("strong", {}, strong), text ? ": " + text : "");
  const drawAlerts = () => {
    const boxes = [];
    if (isDown(head.breaker)) boxes.push(alertBox(W.words.upstream_down, head.trouble));
    else if (head.trouble) boxes.push(alertBox(W.words.upstream_trouble, head.trouble));
    if (head.alarm) boxes.push(alertBox(W.words.alarm, head.alarm));
    for (const m of rows.models.values()) if (isDown(m.breaker) && boxes.length < 8) boxes.push(alertBox(W.words.model_down, m.id + ": " + m.trouble));
    if (head.conf_error) boxes.push(alertBox(W.words.conf_error, head.conf_error));
    if (head.draining) boxes.push(alertBox(W.words.draining, "", true));
    if (!rows.keys.size) boxes.push(alertBox(W.words.no_keys_yet, W.words.no_keys_how, true));
    byId("alerts").replaceChildren(...boxes);
  };

  const svg = (name, props) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(props)) e.setAttribute(k, v);
    return e;
  };
  const BAR = 10, GAP = 2, HEIGHT = 100, LEAST = 2;
  const graph = (bars, label) => {
    const peak = Math.max(1, ...bars.filter((b) => b !== null));
    const g = svg("svg", { viewBox: "0 0 " + bars.length * BAR + " " + HEIGHT, preserveAspectRatio: "none", role: "img", "aria-label": label });
    const rect = (name, i, width, h) => g.append(svg("rect", { class: name, x: i * BAR, y: HEIGHT - h, width, height: h }));
    for (let i = 0; i < bars.length; i++) {
      let none = 0;
      while (bars[i + none] === null) none++;
      if (none) { rect("none", i, none * BAR, HEIGHT); i += none - 1; continue; }
      if (bars[i] === 0) rect("zero", i, BAR - GAP, LEAST);
      else rect("bar", i, BAR - GAP, Math.max(bars[i] / peak * HEIGHT, LEAST + 1));
    }
    return g;
  };
  const drawFigure = (name, value, bars, span) => {
    const f = document.querySelector("figure.g-" + name), known = bars.filter((b) => b !== null);
    const say = known.length ? [[W.words.now, known[known.length - 1]], [W.words.peak, Math.max(...known)], [W.words.low, Math.min(...known)]] : [];
    f.querySelector(".value").textContent = count(value);
    f.querySelector("svg").replaceWith(graph(bars, name.toUpperCase() + ", " + span + say.slice(0, 2).map(([w, n]) => ": " + w + " " + n).join(",")));
    f.querySelector("figcaption").replaceChildren(el("span", { class: "span" }, span), ...(say.length ? say.map(([w, n]) => el("span", {}, w + " " + count(n))) : [W.words.no_data]));
  };
  const drawFigures = () => {
    drawFigure("rpm", totals.rpm, series.rpm, W.words.per_minute_1h);
    drawFigure("tpm", totals.tpm, series.tpm, W.words.per_minute_1h);
    drawFigure("rpd", totals.rpd, series.rpd, W.words.per_hour_24h);
    drawFigure("tpd", totals.tpd, series.tpd, W.words.per_hour_24h);
  };

  const setback = (k) => k.class === "INVALID" || k.class === "UNVER";
  const needsCare = (k) => k.enabled && (k.state === "bad" || k.state === "cooling" || setback(k) || (k.balance && k.balance.value <= 0));
  const reason = (k) => k.state === "cooling" && k.cooldown ? cooldown(k.cooldown) + ": " + (W.verdicts[k.cooldown.reason] || k.cooldown.reason)
    : k.error ? (k.error.status ? k.error.status + " " : "") + (k.error.message || W.verdicts[k.error.verdict]) : setback(k) ? k.evidence : k.balance ? W.words.balance + " " + money(k.balance.value) : "";
  const drawAttention = (keys) => {
    const bad = keys.filter(needsCare), shown = bad.slice(0, 12), place = byId("attention-list");
    const list = shown.map((k) => el("li", {}, tag(k.state === "bad" || k.state === "cooling" ? W.states[k.state] : { ...W.classes[k.class], symbol: "!" }), el("strong", {}, keyName(k)), el("span", { class: "why" }, reason(k))));
    place.replaceChildren(list.length ? el("ul", { class: "attention" }, ...list) : el("p", { class: "calm" }, keys.length ? W.words.all_fine : W.words.no_keys_yet));
    if (bad.length > shown.length) place.append(el("p", { class: "note" }, W.words.and_more));
  };

  const drawLog = () => byId("log-list").replaceChildren(log.length
    ? el("ul", { class: "log" }, ...log.slice(-50).reverse().map((l) => el("li", {}, el("time", {}, clock(l.time)), " ", tag({ class: l.level === "error" ? "bad" : "warn", symbol: l.level === "error" ? "✗" : "!", word: l.level }), " ", l.text)))
    : el("p", { class: "calm" }, W.words.no_warnings));

  /* ---- usage, from the ledger: asked for when chosen and once a minute ---- */

  const usageName = { day: (r) => r.day, model: (r) => r.model, key: (r) => r.label || r.key || "-", client: (r) => r.client };
  const bar = (share) => {
    const g = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "share", "aria-hidden": "true" });
    g.append(svg("rect", { class: "bar", x: 0, y: 0, width: Math.max(share * 100, share > 0 ? 1 : 0), height: 10 }));
    return g;
  };
  const tokensOf = (r) => r.tokens_in + r.tokens_out;
  let usageMost = 1;
  const usageTable = (by) => table(byId("usage-table"), "usage", [
    { name: { day: W.words.usage_day, model: W.words.model, key: W.words.key, client: W.words.client }[by], of: (r) => usageName[by](r) },
    { name: W.words.usage_requests, class: "num", of: (r) => count(r.requests) },
    { name: W.words.usage_errors, class: "num", of: (r) => count(r.errors) },
    { name: W.words.tokens, class: "num half", of: (r) => count(r.tokens_in) + " / " + count(r.tokens_out) },
    { name: W.words.usage_cost, class: "num", of: (r) => r.cost === null ? "?" : (r.unpriced ? "≥ " : "") + money(r.cost) },
    { name: W.words.usage_share, class: "wide", of: (r) => tokensOf(r) + "/" + usageMost, draw: (r) => [bar(tokensOf(r) / usageMost)] },
  ]);
  let usageAsked = 0;
  const showUsage = async () => {
    const by = byId("usage-by").value, asked = ++usageAsked;
    try {
      const r = await fetch("admin/api/usage?since=" + byId("usage-since").value + "&by=" + by);
      if (!r.ok || asked !== usageAsked) return;
      const answer = await r.json();
      const list = answer.rows.map((row) => ({ ...row, id: usageName[by](row) }));
      list.sort(by === "day" ? (a, b) => (a.day < b.day ? 1 : -1) : (a, b) => tokensOf(b) - tokensOf(a) || b.requests - a.requests);
      usageMost = Math.max(1, ...list.map(tokensOf));
      usageTable(by)(list.slice(0, 60), el("p", { class: "empty" }, W.words.usage_none));
      byId("usage").hidden = false;
    } catch (e) { /* shown again with the next picture */ }
  };

  /* ---- one picture ---- */

  let keyFilter = "", modelFilter = "";
  const fits = (text, filter) => !filter || text.toLowerCase().includes(filter);
  const draw = () => {
    const keys = order.map((id) => rows.keys.get(id)).filter(Boolean);
    const models = [...rows.models.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    const requests = [...rows.requests.values()].sort((a, b) => b.live - a.live || b.time - a.time || Number(b.id) - Number(a.id)).slice(0, 50);
    const free = models.filter((m) => m.cost === "free"), paid = models.filter((m) => m.cost !== "free");
    const none = (word) => el("p", { class: "empty" }, word);
    drawStrip();
    drawAlerts();
    drawFigures();
    drawAttention(keys);
    drawLog();
    keyTable(keys.filter((k) => fits([keyName(k), k.id, k.masked, k.account, k.state, W.states[k.state].word, k.class, W.classes[k.class].word].join(" "), keyFilter)), none(keys.length ? W.words.nothing_fits : W.words.no_keys_how));
    requestTable(requests, none(W.words.no_requests + " " + body.dataset.base));
    freeTable(free.filter((m) => fits(m.id, modelFilter)), none(free.length ? W.words.nothing_fits : W.words.no_models));
    paidTable(paid.filter((m) => fits(m.id, modelFilter)), none(paid.length ? W.words.nothing_fits : W.words.no_models));
    byId("key-count").textContent = keys.length;
    byId("free-count").textContent = free.length;
    byId("paid-count").textContent = paid.length;
    byId("as-of").textContent = clock(head.time);
  };

  const take = (data, whole) => {
    if (whole) { for (const m of Object.values(rows)) m.clear(); log = []; }
    for (const kind of Object.keys(rows)) {
      for (const row of data[kind]) rows[kind].set(row.id, row);
      if (!whole) for (const id of data.gone[kind]) rows[kind].delete(id);
    }
    ({ head, totals, series } = data);
    if (data.order) order = data.order;
    log = log.concat(data.log).slice(-50);
    behind = head.time - Date.now();
    if (!connected) showUsage();
    connected = true;
    draw();
    showLive();
  };

  /* ---- the stream: one a page, closed while nobody looks ---- */

  const showLive = () => {
    const e = byId("live");
    e.className = "live " + (connected ? "on" : "off");
    e.textContent = connected ? W.words.live : W.words.reconnecting;
  };
  let retry = 0;
  const close = () => { if (source) source.close(); source = null; clearTimeout(retry); };
  const refused = async () => {
    close();
    connected = false;
    showLive();
    try { /* an event stream does not tell why it was refused */
      const r = await fetch("admin/api/keys", { headers: { Accept: "application/json" } });
      if (r.status === 401) { location.reload(); return; }
    } catch (e) { /* gone for now */ }
    retry = setTimeout(open, 5000);
  };
  const open = () => {
    close();
    source = new EventSource("admin/api/events");
    source.addEventListener("snap", (e) => take(JSON.parse(e.data), true));
    source.addEventListener("d", (e) => take(JSON.parse(e.data), false));
    source.addEventListener("error", () => {
      connected = false;
      if (source && source.readyState === EventSource.CLOSED) refused();
      else showLive();
    });
  };

  /* ---- start ---- */

  const themes = ["auto", "light", "dark"];
  const setTheme = (t) => {
    if (t === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = t;
    byId("theme").textContent = W.words["theme_" + t];
    try { localStorage.setItem("theme", t); } catch (e) { /* private mode */ }
  };
  let theme = "auto";
  try { theme = themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto"; } catch (e) { /* private mode */ }
  byId("theme").addEventListener("click", () => { theme = themes[(themes.indexOf(theme) + 1) % themes.length]; setTheme(theme); });
  byId("key-filter").addEventListener("input", (e) => { keyFilter = e.target.value.trim().toLowerCase(); if (connected) draw(); });
  byId("model-filter").addEventListener("input", (e) => { modelFilter = e.target.value.trim().toLowerCase(); if (connected) draw(); });
  for (const id of ["usage-since", "usage-by"]) byId(id).addEventListener("change", showUsage);
  setInterval(() => { if (!document.hidden && connected) showUsage(); }, 60000);
  setTheme(theme);
  body.classList.add("alive");
  for (const id of ["live", "theme", "key-filter", "model-filter"]) byId(id).hidden = false;
  showLive();
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  if (!document.hidden) open();
})();
