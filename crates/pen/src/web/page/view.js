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

export function el(tag, attributes = {}, ...children) {
  const node = /^(svg|use|path)$/.test(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
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
const lamp = () => el('svg', { class: 'mark', 'aria-hidden': 'true' }, el('use', { href: '#off' }));
const light = (svg, level) => mark(svg.firstChild, 'href', `#${level}`);
const graph = () => el('svg', { class: 'graph', viewBox: `0 0 ${STEPS} 20`, preserveAspectRatio: 'none', role: 'img' }, el('path', { d: '' }));

const speed = (n) => bytes(n, 'B/s');
const UNITS = { new: short, conn: short, in: speed, out: speed };

/** Steps as bars, the newest at the right; returns the highest in words. */
function plot(svg, steps, kind, step_s) {
  const values = list(steps).slice(-STEPS).map((v) => num(v) / (kind === 'conn' ? 1 : step_s));
  const most = Math.max(0, ...values);
  const bars = values.map((v, i) => `V${most ? (20 - (19 * v) / most).toFixed(1) : 20}H${STEPS - values.length + i + 1}`);
  mark(svg.firstChild, 'd', bars.length ? `M${STEPS - bars.length} 20${bars.join('')}V20z` : '');
  const peak = UNITS[kind](most);
  mark(svg, 'aria-label', bars.length ? `last 5 minutes: peak ${peak}, last ${UNITS[kind](values.at(-1))}` : 'no history yet');
  return peak;
}

const DIALS = [['conn', 'Connections'], ['new', 'New per second'], ['in', 'From clients'], ['out', 'To clients']];

function drawDials(rows, step_s) {
  const make = () => el('div', {}, el('dt'), el('dd', { class: 'quiet' }), el('dd', { class: 'big' }), el('dd', {}, graph()));
  each($('dials'), DIALS, make, (dial, [kind, name]) => {
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

export function drawHeads(view, sort) {
  const make = () => el('th', { scope: 'col', role: 'columnheader' });
  each($('heads'), COLUMNS, make, (head, [key, name]) => {
    if (!head.firstChild) {
      head.className = `c-${key}`;
      head.append(key === 'graph' ? name : el('button', { type: 'button' }, name));
      head.firstChild.onclick = () => sort(key);
    }
    if (key !== 'graph') mark(head, 'aria-sort', key !== view.sort ? 'none' : view.dir === 'down' ? 'descending' : 'ascending');
  });
}

function makeRow(key, toggle) {
  const cells = COLUMNS.map(([name, heading, texts]) => {
    const first = name === 'server';
    const open = el('button', { type: 'button', class: 'open' });
    open.onclick = () => toggle(key);
    const parts = !texts ? [graph(), el('span', { class: 'quiet' })] : [first ? open : el('b'), ' ', el('span', { class: first ? 'quiet address' : 'quiet' })];
    const rank = first ? ['th', 'rowheader'] : ['td', 'cell'];
    const cell = el(rank[0], { role: rank[1], class: `c-${name}`, 'data-name': heading }, ...(first ? [el('div', {}, lamp(), el('div', {}, ...parts))] : parts));
    if (first) cell.scope = 'row';
    return { cell, value: parts[0], rest: parts.at(-1) };
  });
  const node = el('tr', { role: 'row' }, ...cells.map((c) => c.cell));
  node.dataset.key = key;
  return { node, cells, open: cells[0].value, lamp: node.querySelector('.mark'), picture: cells.at(-1) };
}

const drawn = new Map();
let current = null;
/** Rows that nobody sees get their figures when they come near. */
const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const parts = drawn.get(target.dataset.key);
    if (!parts) continue;
    parts.near = isIntersecting;
    fillRow(parts);
  }
}, { rootMargin: '300px' });

function fillRow(parts) {
  const { row } = parts;
  const { view, step_s } = current;
  const news = parts.level !== row.level;
  if (news) {
    parts.level = row.level;
    mark(parts.node, 'class', `${row.kind} ${row.level}`);
    light(parts.lamp, row.level);
  }
  mark(parts.open, 'aria-expanded', String(view.open === row.key));
  if (!news && !parts.near) return;
  COLUMNS.forEach(([, , texts], i) => {
    if (!texts) return;
    const [value, rest = ''] = texts(row);
    put(parts.cells[i].value, value);
    put(parts.cells[i].rest, rest);
  });
  const steps = list(row.steps[view.graph]);
  const seen = `${view.graph} ${steps}`;
  if (parts.seen === seen) return;
  parts.seen = seen;
  put(parts.picture.rest, plot(parts.picture.value, steps, view.graph, step_s));
}

/** A field of the answer as people read it, under its own name, so that new ones need no change here. */
function field([key, v]) {
  const name = words(key.replace(/_s$/, ''));
  if (Array.isArray(v)) return [name, v.join(' ')];
  if (v && typeof v === 'object') return [name, Object.entries(v).map(([k, n]) => `${words(k)} ${count(n)}`).join(', ') || 'none'];
  if (v === null) return [name, '–'];
  if (key.endsWith('_s')) return [name, span(v)];
  if (key === 'sent' || key === 'received') return [name, bytes(v)];
  return [name, Number.isFinite(v) && key !== 'port' ? count(v) : v === true ? 'yes' : v === false ? 'no' : v];
}
const APART = ['servers', 'top_clients', 'totals', 'emergency', 'abuse', 'service'];

const more = { key: '' };

/** What opens below a row: every field, and control where it is on. */
function drawMore(row, above, steer) {
  if (more.key !== row.key) {
    more.node?.remove();
    const cell = el('td', { colspan: COLUMNS.length, role: 'cell' }, el('dl'), steer(row) ?? '');
    Object.assign(more, { key: row.key, node: el('tr', { class: 'more', role: 'row' }, cell), list: cell.firstChild });
  }
  const { accepted, received, sent } = dict(row.raw.totals);
  const all = Object.entries(row.kind === 'service' ? { ...row.raw, accepted, received, sent } : row.raw);
  each(more.list, all.filter(([key]) => !APART.includes(key)).map(field), () => el('div', {}, el('dt'), el('dd')), (pair, [name, value]) => {
    put(pair.firstChild, name);
    put(pair.lastChild, value);
  });
  if (above.nextSibling !== more.node) above.after(more.node);
}

/** Rows do not jump from under a pointer or a focus as long as they are the same ones. */
function keptStill(body, rows) {
  if (!body.matches(':hover, :focus-within')) return rows;
  const places = new Map([...body.children].map((node, i) => [node.dataset.key, i]));
  return rows.every((r) => places.has(r.key)) ? [...rows].sort((a, b) => places.get(a.key) - places.get(b.key)) : rows;
}

function drawFarm(data, view, { toggle, steer, settle }) {
  const body = $('farm').tBodies[0];
  const fitting = choose(data.services, view);
  const rows = settle ? fitting.slice(0, ROWS_MAX) : keptStill(body, fitting.slice(0, ROWS_MAX));
  const keys = new Set(rows.map((r) => r.key));
  for (const [key, parts] of drawn) if (!keys.has(key) && drawn.delete(key)) {
    watch.unobserve(parts.node);
    parts.node.remove();
  }
  if (!keys.has(view.open)) {
    more.node?.remove();
    more.key = '';
  }
  let last = null;
  for (const row of rows) {
    let parts = drawn.get(row.key);
    if (!parts) {
      drawn.set(row.key, (parts = makeRow(row.key, toggle)));
      watch.observe(parts.node);
    }
    parts.row = row;
    fillRow(parts);
    const here = last ? last.nextSibling : body.firstChild;
    if (here !== parts.node) body.insertBefore(parts.node, here);
    last = parts.node;
    if (view.open === row.key) {
      drawMore(row, last, steer);
      last = more.node;
    }
  }
  const servers = data.services.flatMap((s) => (view.service && s.service !== view.service ? [] : s.rows));
  const counts = { all: servers, trouble: servers.filter(sick), available: servers.filter((r) => r.level === 'ok') };
  for (const [name, some] of Object.entries(counts)) put($(`n-${name}`), count(some.length));
  const cut = fitting.length - rows.length;
  const shown = rows.filter((r) => r.kind === 'server').length;
  $('left').hidden = !cut && shown === servers.length;
  put($('left'), cut ? `${count(cut)} further rows: the filter finds them.` : `${count(shown)} of ${count(servers.length)} servers fit the filter.`);
}

const TINTS = { bad: '#d33', warn: '#d90', info: '#48f', ok: '#2a6' };
const SHAPES = { bad: 'M0 0h2v2H0z', warn: 'M1 0l1 2H0z' };

export function drawVerdict(v, jump) {
  mark($('verdict'), 'class', v.level);
  light($('verdict').firstElementChild, v.level);
  put($('title'), v.title);
  put($('sub'), v.sub);
  const make = () => el('li', {}, lamp(), el('button', { type: 'button', class: 'link' }));
  each($('items'), v.items.slice(0, ITEMS_MAX), make, (line, { level, text, row }, i) => {
    mark(line, 'class', level);
    light(line.firstChild, level);
    const further = v.items.length - ITEMS_MAX + 1;
    put(line.lastChild, i + 1 === ITEMS_MAX && further > 1 ? `… and ${count(further)} more: see Trouble below` : text);
    line.lastChild.onclick = () => jump(row);
  });
  const shape = `<svg xmlns="${SVG}" viewBox="0 0 2 2"><path fill="${TINTS[v.level] ?? '#888'}" d="${SHAPES[v.level] ?? 'M1 0a1 1 0 010 2a1 1 0 010-2'}"/></svg>`;
  mark($('icon'), 'href', `data:image/svg+xml,${encodeURIComponent(shape)}`);
}

/** Rows of text; a row of one cell heads those below it. */
function fillTable(body, rows) {
  each(body, rows, () => el('tr'), (row, cells) => {
    row.className = cells.length === 1 ? 'group' : '';
    each(row, cells, () => el(row.firstChild ? 'td' : 'th'), (cell, text) => put(cell, text));
    mark(row.firstChild, 'scope', cells.length === 1 ? 'colgroup' : 'row');
    row.firstChild.colSpan = cells.length === 1 ? 9 : 1;
  });
}

function drawClients(services) {
  const clients = services.flatMap((s) => list(s.raw.top_clients).map((c) => ({ ...c, s })));
  clients.sort((a, b) => num(b.connects) - num(a.connects));
  fillTable($('clients').tBodies[0], clients.slice(0, CLIENTS_MAX).map((c) => {
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
  fillTable($('ends').tBodies[0], [...groups].flatMap(([name, reasons]) => [[name],
    ...[...reasons].sort((a, b) => b[1][1] - a[1][1]).map(([why, [lately, n]]) => [words(why), lately ? `+${count(lately)}` : '', count(n)])]));
}

export const clock = (at) => new Date(at).toLocaleTimeString('en-GB');

function drawEvents(events) {
  const today = new Date().toDateString();
  const make = () => el('li', {}, lamp(), el('time'), el('span'));
  each($('events'), events.slice(-100).reverse(), make, (line, e) => {
    const at = new Date(num(e.time_ms));
    const key = String(e.key);
    const level = /down|failed|lost|no_server|conflict|defect/.test(key) ? 'bad' : /_up|recovered/.test(key) ? 'ok' : /limit|expiring|refused|moved|missing|losses|warning/.test(key) ? 'warn' : 'off';
    mark(line, 'class', level);
    light(line.firstChild, level);
    put(line.children[1], `${at.toDateString() === today ? '' : at.toLocaleDateString('en-CA')} ${clock(at)}`.trim());
    put(line.lastChild, e.text || words(key));
  });
}

export function drawAll(data, view, hooks) {
  const chosen = data.services.filter((s) => !view.service || s.service === view.service);
  current = { view, step_s: data.step_s };
  drawDials(chosen, data.step_s);
  drawFarm(data, view, hooks);
  drawClients(chosen);
  drawEnds(chosen);
  drawEvents(data.events.filter((e) => !view.service || e.service === view.service));
}
