// Draws what model.js says. Data enters the document as text only, and a node is touched only when
// what it shows has changed, so that a thousand servers cost little.
import { bytes, choose, count, dict, list, num, plain, short, sick, span, together, words } from './model.js';

export const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
/** Rows of the farm; beyond, the page says how many are left. */
const ROWS_MAX = 1500;
const CLIENTS_MAX = 20;
const ITEMS_MAX = 8;
const STEPS = 60;
/** Milliseconds after the last touch of the farm in which its rows keep their places. */
const STILL_MS = 8000;

export function el(tag, attributes = {}, ...children) {
  const node = /^(svg|path)$/.test(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
export function put(node, text) {
  const clean = plain(text);
  if (node.textContent !== clean) node.textContent = clean;
}
function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}
/** As many children as there are things; `make` makes what is missing, `fill` fills each. */
function each(parent, things, make, fill) {
  while (parent.children.length > things.length) parent.lastChild.remove();
  things.forEach((thing, i) => fill(parent.children[i] ?? parent.appendChild(make()), thing, i));
}
/** The lamp of a row or line: the level of what is around it gives it colour and shape. */
const lamp = () => el('i', { class: 'mark' });
const graph = () => el('svg', { class: 'graph', viewBox: `0 0 ${STEPS} 20`, preserveAspectRatio: 'none', role: 'img' }, el('path'));

const speed = (n) => bytes(n, 'B/s');
const UNITS = { new: short, conn: short, in: speed, out: speed };

/** Steps as bars, the newest at the right; returns the highest in words. */
function plot(svg, steps, kind, step_s) {
  const values = list(steps).slice(-STEPS).map((v) => num(v) / (kind === 'conn' ? 1 : step_s));
  const most = Math.max(0, ...values);
  const peak = UNITS[kind](most);
  const from = STEPS - values.length;
  mark(svg.firstChild, 'd', `M${from} 20${values.map((v, i) => `V${(20 - (most && (19 * v) / most)).toFixed(1)}H${from + i + 1}`).join('')}V20z`);
  mark(svg, 'aria-label', `last 5 minutes: peak ${peak}, last ${UNITS[kind](values.at(-1))}`);
  return peak;
}

const DIALS = { conn: 'Connections', new: 'New per second', in: 'From clients', out: 'To clients' };

function drawDials(rows, step_s) {
  const make = () => el('div', { class: 'panel' }, el('dt'), el('dd', { class: 'quiet' }), el('dd', { class: 'big' }), el('dd', {}, graph()));
  each($('dials'), Object.entries(DIALS), make, (dial, [kind, name]) => {
    const [title, peak, now, picture] = dial.children;
    put(title, name);
    put(peak, `peak ${plot(picture.firstChild, together(rows, kind), kind, step_s)}`);
    put(now, UNITS[kind](rows.reduce((all, r) => all + r[kind], 0)));
  });
}

/** Key, heading and what a row shows there: the value, then what is less important. */
const COLUMNS = [
  ['server', 'Server', (r) => [r.name, r.address]],
  ['state', 'State', (r) => [r.word, r.note]],
  ['conn', 'Connections', (r) => [count(r.conn), r.most ? `/ ${r.most < 1e4 ? count(r.most) : short(r.most)}` : '']],
  ['new', 'New/s', (r) => [short(r.new)]],
  ['in', 'From clients', (r) => [speed(r.in)]],
  ['out', 'To clients', (r) => [speed(r.out)]],
  ['fail', 'Failures', (r) => [count(r.fail)]],
  ['graph', 'Last 5 minutes, peak'],
];
const kindOf = (i) => `c-${COLUMNS[i][0]}${i > 1 && i < 7 ? ' n' : ''}`;

export function drawHeads(view, sort) {
  each($('heads'), COLUMNS, () => el('th', { scope: 'col', role: 'columnheader' }), (head, [key, name, sortable], i) => {
    if (!head.firstChild) {
      head.className = kindOf(i);
      head.append(sortable ? el('button', { type: 'button' }, name) : name);
      head.firstChild.onclick = () => sort(key);
    }
    if (sortable) mark(head, 'aria-sort', key !== view.sort ? 'none' : view.dir === 'down' ? 'descending' : 'ascending');
  });
}

function makeRow(key, toggle) {
  const open = el('button', { type: 'button', class: 'open' });
  open.onclick = () => toggle(key);
  const cells = COLUMNS.map(([name, heading, texts], i) => {
    const parts = [i ? (texts ? el('b') : graph()) : open, ' ', el('span', { class: i ? 'quiet' : 'quiet address' })];
    const kind = { class: kindOf(i), 'data-name': heading };
    if (i) return [el('td', { role: 'cell', ...kind }, ...parts), parts];
    return [el('th', { role: 'rowheader', scope: 'row', ...kind }, el('div', {}, lamp(), el('div', {}, ...parts))), parts];
  });
  const node = el('tr', { role: 'row' }, ...cells.map(([cell]) => cell));
  node.dataset.key = key;
  watch.observe(node);
  return { node, open, parts: cells.map(([, parts]) => parts) };
}

const drawn = new Map();
let current;
/** Rows that nobody sees get their figures when they come near. */
const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const made = drawn.get(target.dataset.key);
    if (made) fillRow(Object.assign(made, { near: isIntersecting }));
  }
}, { rootMargin: '300px' });

function fillRow(made) {
  const { node, open, parts, row, near } = made;
  mark(open, 'aria-expanded', String(current.view.open === row.key));
  if (!near && made.level === row.level) return;
  made.level = row.level;
  mark(node, 'class', `${row.kind} ${row.level}`);
  COLUMNS.forEach(([, , texts], i) => {
    if (!texts) return;
    const [value, rest = ''] = texts(row);
    put(parts[i][0], value);
    put(parts[i][2], rest);
  });
  const [picture, , peak] = parts.at(-1);
  const { graph: kind } = current.view;
  put(peak, plot(picture, row.steps[kind], kind, current.step_s));
}

/** A field of the answer as people read it, under its own name, so that new ones need no change here. */
function field([key, v]) {
  const name = words(key.replace(/_s$/, ''));
  if (Array.isArray(v)) return [name, v.join(' ')];
  if (v && typeof v === 'object') return [name, Object.entries(v).map(([k, n]) => `${words(k)} ${count(n)}`).join(', ') || 'none'];
  if (!Number.isFinite(v)) return [name, { true: 'yes', false: 'no' }[v] ?? v ?? '–'];
  return [name, key.endsWith('_s') ? span(v) : /^(sent|received)$/.test(key) ? bytes(v) : key === 'port' ? v : count(v)];
}
const APART = ['servers', 'top_clients', 'totals', 'emergency', 'abuse', 'service'];

let more = { key: '' };
function closeMore() {
  more.node?.remove();
  more = { key: '' };
}

/** What opens below a row: every field, and control where it is on. */
function drawMore(row, above, steer) {
  if (more.key !== row.key) {
    closeMore();
    const cell = el('td', { colspan: COLUMNS.length, role: 'cell' }, el('dl'), steer(row) ?? '');
    more = { key: row.key, node: el('tr', { class: 'more', role: 'row' }, cell), list: cell.firstChild };
  }
  const { accepted, received, sent } = dict(row.raw.totals);
  const all = Object.entries(row.kind === 'service' ? { ...row.raw, accepted, received, sent } : row.raw);
  each(more.list, all.filter(([key]) => !APART.includes(key)).map(field), () => el('div', {}, el('dt'), el('dd')), (pair, [name, value]) => {
    put(pair.firstChild, name);
    put(pair.lastChild, value);
  });
  if (above.nextSibling !== more.node) above.after(more.node);
}

let touched = -Infinity;
for (const act of ['pointermove', 'focusin', 'keydown']) $('farm').addEventListener(act, () => (touched = performance.now()));

/** Rows do not jump away from who is at work among them, as long as they are the same ones. */
function keptStill(body, rows) {
  if (performance.now() - touched > STILL_MS) return rows;
  const places = new Map([...body.children].map((node, i) => [node.dataset.key, i]));
  return rows.every((r) => places.has(r.key)) ? [...rows].sort((a, b) => places.get(a.key) - places.get(b.key)) : rows;
}

function drawFarm({ services }, view, { toggle, steer, settle }) {
  const body = $('farm').tBodies[0];
  const fitting = choose(services, view);
  const rows = settle ? fitting.slice(0, ROWS_MAX) : keptStill(body, fitting.slice(0, ROWS_MAX));
  const keys = new Set(rows.map((r) => r.key));
  for (const [key, { node }] of drawn)
    if (!keys.has(key) && drawn.delete(key)) {
      watch.unobserve(node);
      node.remove();
    }
  if (!keys.has(view.open)) closeMore();
  const held = document.activeElement;
  let last = null;
  for (const row of rows) {
    if (!drawn.has(row.key)) drawn.set(row.key, makeRow(row.key, toggle));
    const made = Object.assign(drawn.get(row.key), { row });
    fillRow(made);
    const here = last ? last.nextSibling : body.firstChild;
    if (here !== made.node) body.insertBefore(made.node, here);
    last = made.node;
    if (view.open === row.key) {
      drawMore(row, last, steer);
      last = more.node;
    }
  }
  // A row that was moved has lost the focus.
  if (body.contains(held) && held !== document.activeElement) held.focus({ preventScroll: true });
  const servers = current.chosen.flatMap((s) => s.rows);
  put($('n-all'), count(servers.length));
  put($('n-trouble'), count(servers.filter(sick).length));
  put($('n-available'), count(servers.filter((r) => r.level === 'ok').length));
  const cut = fitting.length - rows.length;
  const shown = rows.filter((r) => r.kind === 'server').length;
  $('left').hidden = !cut && shown === servers.length;
  put($('left'), cut ? `${count(cut)} further rows: the filter finds them.` : `${count(shown)} of ${count(servers.length)} servers fit the filter.`);
}

export function drawVerdict(v, jump) {
  mark($('verdict'), 'class', `panel ${v.level}`);
  put($('title'), v.title);
  put($('sub'), v.sub);
  each($('items'), v.items.slice(0, ITEMS_MAX), () => el('li', {}, lamp(), el('button', { type: 'button', class: 'link' })), (line, item, i) => {
    const left = v.items.length - i;
    mark(line, 'class', item.level);
    put(line.lastChild, i + 1 === ITEMS_MAX && left > 1 ? `… and ${count(left)} more: see Trouble below` : item.text);
    line.lastChild.onclick = () => jump(item.row);
  });
}

/** Rows of text; a row of one cell heads those below it. */
function fillTable(id, rows) {
  each($(id).tBodies[0], rows, () => el('tr'), (row, cells) => {
    const group = cells.length === 1;
    row.className = group ? 'group' : '';
    each(row, cells, () => el(row.firstChild ? 'td' : 'th'), put);
    mark(row.firstChild, 'scope', group ? 'colgroup' : 'row');
    row.firstChild.colSpan = group ? 9 : 1;
  });
}

function drawClients(services) {
  const clients = services.flatMap((s) => list(s.raw.top_clients).map((c) => ({ ...c, s })));
  clients.sort((a, b) => num(b.connects) - num(a.connects));
  fillTable('clients', clients.slice(0, CLIENTS_MAX).map((c) => {
    const name = c.s.rows.find((r) => r.number === c.server)?.name ?? '–';
    return [c.address, services.length > 1 ? `${c.s.name} / ${name}` : name, count(c.connects), bytes(c.received), bytes(c.sent), `${span(c.age_s)} ago`];
  }));
}

function drawEnds(services) {
  const groups = new Map();
  for (const { group, reason, n, lately } of services.flatMap((s) => s.ends)) {
    if (!groups.has(group)) groups.set(group, new Map());
    const [before, all] = groups.get(group).get(reason) ?? [0, 0];
    groups.get(group).set(reason, [before + lately, all + n]);
  }
  fillTable('ends', [...groups].flatMap(([name, reasons]) => [[name],
    ...[...reasons].sort((a, b) => b[1][1] - a[1][1]).map(([why, [lately, n]]) => [words(why), lately ? `+${count(lately)}` : '', count(n)])]));
}

export const clock = (at) => new Date(at).toLocaleTimeString('en-GB');
/** What keys of events tell by their words; the others are news. */
const TELLING = { bad: /down|failed|lost|no_server|conflict|defect/, ok: /_up|recovered/, warn: /limit|expiring|refused|moved|missing|losses|warning/ };

function drawEvents(events) {
  const today = new Date().toDateString();
  each($('events'), events.slice(-100).reverse(), () => el('li', {}, lamp(), el('time'), el('span')), (line, e) => {
    const at = new Date(num(e.time_ms));
    const level = Object.keys(TELLING).find((name) => TELLING[name].test(e.key)) ?? 'off';
    mark(line, 'class', level);
    put(line.children[1], `${at.toDateString() === today ? '' : `${at.toLocaleDateString('en-CA')} `}${clock(at)}`);
    put(line.lastChild, e.text || words(e.key));
  });
}

export function drawAll(data, view, hooks) {
  const chosen = data.services.filter((s) => !view.service || s.service === view.service);
  current = { view, chosen, step_s: data.step_s };
  drawDials(chosen, data.step_s);
  drawFarm(data, view, hooks);
  drawClients(chosen);
  drawEnds(chosen);
  drawEvents(data.events.filter((e) => !view.service || e.service === view.service));
}
