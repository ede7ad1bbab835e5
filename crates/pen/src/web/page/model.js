// What /status.json means: states, rates, the verdict, order and choice. Nothing here touches the
// document, so that node tests it alone.

export const num = (v) => (Number.isFinite(v) ? v : 0);
export const list = (v) => (Array.isArray(v) ? v : []);
export const dict = (v) => (v && typeof v === 'object' ? v : {});
const sum = (values) => values.reduce((all, v) => all + num(v), 0);

/** Levels, worst first; also the names of the marks. */
const RANK = { bad: 0, warn: 1, info: 2, ok: 3, off: 4 };
export const sick = (row) => RANK[row.level] < RANK.info;
/** A sentence so long is an operator's and no failure's. */
const FOR_GOOD_S = 86400;
/** What rates are taken over, and what "last minute" means, with room for a late poll. */
const RATE_S = 7;
const MINUTE_S = 61;
/** Ends of clients that were not served though nothing was wrong with them. */
const UNSERVED = ['no_server', 'no_port', 'service_full', 'out_of_resources', 'stubborn', 'not_transparent'];

// Control characters and those that turn the direction of writing.
const STRANGE = /[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
/** Any value as harmless text of bounded length. */
export function plain(value, most = 400) {
  const text = String(value ?? '');
  return (text.length > most ? `${text.slice(0, most)}…` : text).replace(STRANGE, '\ufffd');
}
export const words = (key) => plain(key, 60).replaceAll('_', ' ');

const grouped = new Intl.NumberFormat('en');
export const count = (n) => (num(n) < 1e9 ? grouped.format(num(n)) : short(n));
export function short(n, unit = '') {
  let [v, i] = [num(n), 0];
  for (; v >= 999.5 && i < 6; i += 1) v /= 1000;
  const digits = v >= 99.95 || (!i && Number.isInteger(v)) ? 0 : v < 9.995 && i ? 2 : 1;
  return `${v.toFixed(digits)} ${['', 'k', 'M', 'G', 'T', 'P', 'E'][i]}${unit}`.trimEnd();
}
export const bytes = (n, unit = 'B') => short(Math.round(num(n)), unit);
export function span(seconds) {
  const s = Math.max(0, Math.round(num(seconds)));
  const [m, h, d] = [60, 3600, 86400].map((unit) => Math.floor(s / unit));
  return s < 120 ? `${s} s` : m < 120 ? `${m} min` : h < 48 ? `${h} h ${m % 60} min` : `${d} d ${h % 24} h`;
}
const some = (n, one) => `${count(n)} ${one}${n === 1 ? '' : 's'}`;
const are = (n) => (n === 1 ? 'is' : 'are');

/** Counters as the polls of the last minute saw them. One that falls begins anew. */
export class Traces {
  #all = new Map();
  #before;
  #now;

  begin(t) {
    [this.#before, this.#now] = [this.#now, t];
  }

  add(key, values, keep = MINUTE_S) {
    let trace = this.#all.get(key);
    // What was not listed a poll ago was zero then.
    if (!trace) this.#all.set(key, (trace = this.#before === undefined ? [] : [{ t: this.#before, v: values.map(() => 0) }]));
    if (trace.length && values.some((v, i) => v < trace.at(-1).v[i])) trace.length = 0;
    trace.push({ t: this.#now, v: values });
    while (trace[0].t < this.#now - keep) trace.shift();
  }

  end() {
    for (const [key, trace] of this.#all) if (trace.at(-1).t !== this.#now) this.#all.delete(key);
  }

  /** By how much the i-th value grew in the last seconds, and in how many of them. */
  grown(key, i, seconds = MINUTE_S) {
    const trace = this.#all.get(key);
    const first = trace.find((seen) => seen.t >= this.#now - seconds);
    return [trace.at(-1).v[i] - first.v[i], this.#now - first.t];
  }

  /** Growth a second; right after the start what the last steps of the history say. */
  rate(key, i, steps, step_s) {
    const [by, time] = this.grown(key, i, RATE_S);
    const last = list(steps).slice(-2);
    return time > 0 ? by / time : last.length ? sum(last) / last.length / step_s : 0;
  }
}

function addressOf(s) {
  const host = plain(s.address);
  const port = num(s.port) && !host.startsWith('/') ? `:${s.port}` : '';
  return (port && host.includes(':') ? `[${host}]` : host) + port;
}

/** Level, word, note and cause of a server. */
function serverState(s, cause) {
  const [left, conn] = [num(s.sentence_s), num(s.connections)];
  if (s.blacklisted) {
    const operator = cause === 'operator' || left >= FOR_GOOD_S || s.failed_ago_s == null;
    const note = left >= FOR_GOOD_S ? 'until pardoned' : left ? `${span(left)} left` : '';
    return [operator ? 'warn' : 'bad', 'blacklisted', note, operator ? ' by the operator' : cause ? `: ${words(cause)}` : ''];
  }
  if (!s.usable) return ['off', 'not set', '', ''];
  if (s.hard && conn >= s.hard) return ['warn', 'full', `hard limit ${count(s.hard)}`, ''];
  if (s.max && conn >= s.max) return ['warn', 'full', `limit ${count(s.max)}`, ''];
  return ['ok', 'available', '', ''];
}

/** Level, word and the end of a sentence about a service. */
function serviceState(s, { own, usable, rows, conn, most, what, unserved, draining }) {
  if (draining) return ['info', 'draining', ''];
  if (own && !usable) {
    const spare = rows.some((r) => r.number === -1 && r.raw.usable);
    const text = spare ? 'lives on its emergency server' : 'serves nobody';
    return ['bad', spare ? 'emergency' : text, `${text}: its ${some(own, 'server')} ${are(own)} blacklisted`];
  }
  if (s.ready === false) return own ? ['bad', 'not ready', `is not ready: ${list(s.not_ready).map(words)}`] : ['warn', 'no servers', 'has no servers'];
  if (!own && !list(s.listen).length) return ['off', 'not in use', ''];
  if (most && conn >= most) return ['bad', 'full', `is full: ${some(conn, what)}, further clients wait`];
  if (unserved) return ['warn', 'turns away', `turned ${some(unserved, 'client')} away in the last minute`];
  if (most && conn >= most * 0.9) return ['warn', 'nearly full', `is nearly full: ${count(conn)} of ${some(most, what)}`];
  return ['ok', 'ready', ''];
}

function rates(row, steps, step_s, traces, values) {
  const kinds = ['new', 'in', 'out'];
  traces.add(row.key, values.map(num), RATE_S + 3);
  kinds.forEach((kind, i) => (row[kind] = traces.rate(row.key, i, steps[kind], step_s)));
  row.steps = steps;
  return row;
}

function serverRow(s, service, past, step_s, causes, traces) {
  // As commands, events and the history call it.
  const ref = { '-1': 'emergency', '-2': 'abuse' }[s.number] ?? String(s.number);
  const key = `${service}\0${ref}`;
  const own = dict(dict(past.servers)[ref]);
  const name = plain(num(s.number) < 0 ? ref : s.name || `server ${ref}`);
  const [level, word, note, why] = serverState(s, causes.get(key));
  const row = { kind: 'server', key, service, ref, raw: s, number: num(s.number), name, address: addressOf(s), level, word, note, why,
    conn: num(s.connections), most: num(s.max || s.hard), fail: sum(Object.values(dict(s.failures))) };
  return rates(row, { new: own.total, conn: own.connections, in: own.sent, out: own.received }, step_s, traces, [s.total, s.sent, s.received]);
}

/** Ends, drops, handshakes and failed connects of a service by reason. */
function endings(key, s, traces) {
  const totals = dict(s.totals);
  const { full, resumed, failed } = dict(totals.handshakes);
  const connects = {};
  for (const server of list(s.servers))
    for (const [reason, n] of Object.entries(dict(server.failures))) connects[reason] = num(connects[reason]) + num(n);
  const groups = { 'Connections': totals.closed, 'Dropped datagrams': totals.dropped, 'TLS handshakes': { full, resumed },
    'Failed TLS handshakes': failed, 'Failed connects to servers': connects };
  return Object.entries(groups).flatMap(([group, counts]) =>
    Object.entries(dict(counts)).filter(([, n]) => num(n)).map(([reason, n]) => {
      const trace = `${key}${group}\0${reason}`;
      traces.add(trace, [n]);
      return { group, reason, n, lately: traces.grown(trace, 0)[0] };
    }));
}

function serviceRow(s, { history, causes, draining }, traces) {
  const service = String(s.service ?? '');
  const key = `${service}\0`;
  const past = dict(dict(history.services)[service]);
  const step_s = num(history.step_s) || 5;
  const rows = [...list(s.servers), s.emergency, s.abuse].filter(Boolean).map((one) => serverRow(one, service, past, step_s, causes, traces));
  const own = rows.filter((r) => r.number >= 0 && r.level !== 'off');
  const ends = endings(key, s, traces);
  const flows = s.mode === 'udp';
  const facts = { rows, draining, own: own.length, usable: own.filter((r) => r.raw.usable).length, what: flows ? 'flow' : 'connection',
    conn: num(flows ? s.flows : s.conn_used), most: num(flows ? s.flows_max : s.conn_max),
    unserved: sum(ends.filter((e) => UNSERVED.includes(e.reason)).map((e) => e.lately)) };
  const [level, word, text] = serviceState(s, facts);
  const totals = dict(s.totals);
  const address = [s.mode === 'tcp' ? '' : s.mode, ...list(s.listen)].join(' ').trim();
  const row = { ...facts, kind: 'service', key, service, raw: s, ends, number: -9, name: plain(service), address: plain(address), level, word, text,
    note: `${facts.usable} of ${own.length}`, fail: sum(rows.map((r) => r.fail)) };
  return rates(row, { new: past.accepted, conn: past.connections, in: past.received, out: past.sent }, step_s, traces,
    [totals.accepted, totals.received, totals.sent]);
}

/** The answer of /status.json, read at `t` seconds of a steady clock, as rows for the page. */
export function digest(status, traces, t) {
  const causes = new Map();
  const events = list(status.events).map(dict);
  for (const e of events) if (e.server != null) causes.set(`${e.service}\0${e.server}`, e.cause);
  const [history, pen] = [dict(status.history), dict(status.pen)];
  traces.begin(t);
  const all = list(status.services).map((s) => serviceRow(dict(s), { history, causes, draining: pen.draining }, traces));
  const services = all.filter((s) => s.word !== 'not in use');
  traces.end();
  return { pen, services, events, step_s: num(history.step_s) || 5 };
}

/** What is not well, worst first; many servers of one service are one item. */
function troubles(services) {
  const found = [];
  for (const s of services) {
    if (sick(s)) found.push({ row: s, level: s.level, text: `${s.name} ${s.text}` });
    const out = s.rows.filter(sick);
    if (out.length > 4) {
      const level = out.some((r) => r.level === 'bad') ? 'bad' : 'warn';
      found.push({ row: s, level, text: `${s.name}: ${out.length} of ${s.rows.length} servers are blacklisted or full` });
    } else {
      for (const r of out)
        found.push({ row: r, level: r.level, text: `${s.name} / ${r.name} (${r.address}) is ${r.word}${r.why}${r.note && `, ${r.note}`}` });
    }
  }
  return found.sort((a, b) => RANK[a.level] - RANK[b.level]);
}

/** One line that says whether all is well, one below it, and the list of what is not. */
export function verdict({ pen, services }) {
  const items = troubles(services);
  const [own, usable] = ['own', 'usable'].map((key) => sum(services.map((s) => s[key])));
  const dead = services.filter((s) => s.level === 'bad');
  const say = (title, level = items[0]?.level ?? 'ok', sub = `${count(usable)} of ${some(own, 'server')} in ${some(services.length, 'service')} can take clients.`) =>
    ({ title, level, sub, items });
  if (pen.draining) {
    const left = num(pen.connections);
    return say('Pen is draining', 'info', `It takes no new clients; ${some(left, 'connection')} ${are(left)} left.`);
  }
  if (!services.length) return say('Pen has no services', 'warn');
  if (dead.length === 1) return say(`Service ${dead[0].name} ${dead[0].text.split(':')[0]}`);
  if (dead.length) return say(`${dead.length} of ${some(services.length, 'service')} are in trouble`);
  if (own > usable) return say(`${count(own - usable)} of ${some(own, 'server')} ${are(own - usable)} blacklisted`);
  if (items.length === 1) return say(items[0].text);
  return say(items.length ? `${count(items.length)} things need a look` : 'All is well');
}

const ORDERS = { server: (a, b) => a.number - b.number, state: (a, b) => RANK[a.level] - RANK[b.level] };
for (const key of ['conn', 'new', 'in', 'out', 'fail']) ORDERS[key] = (a, b) => a[key] - b[key];
export const SORTS = Object.keys(ORDERS);

/** Rows as `view` (q, show, service, sort, dir) wants them, each service before its servers. */
export function choose(services, view) {
  const wanted = plain(view.q).toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (r, above = '') => {
    const text = `${above} ${r.name} ${r.number} ${r.address} ${r.word}`.toLowerCase();
    return (!view.show || (view.show === 'trouble' ? sick(r) : r.level === 'ok')) && wanted.every((w) => text.includes(w));
  };
  const turn = view.dir === 'down' ? -1 : 1;
  const sorted = (rows) => [...rows].sort((a, b) => turn * ORDERS[view.sort](a, b));
  return sorted(services.filter((s) => !view.service || s.service === view.service)).flatMap((s) => {
    const inside = s.rows.filter((r) => fits(r, `${s.name} ${s.address}`));
    return inside.length || fits(s) ? [s, ...(view.sort === 'server' && turn > 0 ? inside : sorted(inside))] : [];
  });
}

/** Steps of several rows added up, the newest last. */
export function together(rows, kind) {
  const all = rows.map((r) => list(r.steps[kind]));
  const long = Math.max(0, ...all.map((steps) => steps.length));
  return Array.from({ length: long }, (_, i) => sum(all.map((steps) => steps[steps.length - long + i])));
}
