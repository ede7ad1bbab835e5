// Pen's live page. Asks for status.json every two seconds while somebody looks, keeps what was chosen
// in the address, and says when Pen does not answer. model.js decides, view.js draws.
import { Traces, SORTS, digest, num, plain, span, verdict } from './model.js';
import { $, clock, drawAll, drawHeads, drawVerdict, put } from './view.js';
import { steerFor } from './steer.js';

const EVERY_MS = 2000;
const PATIENCE_MS = 5000;
/** What can be chosen, as it is before anybody chose. */
const FRESH = { q: '', show: '', service: '', sort: 'server', dir: 'up', graph: 'new', open: '' };
const view = { ...FRESH };
let [traces, data, run] = [new Traces(), null, ''];
let [heardAt, timer, asking] = [0, 0, false];
let told = { title: '', states: new Map() };

/* What was chosen: in the address, in the form. Keys of rows hold a zero byte, an address a slash. */

function toForm() {
  for (const id of ['q', 'graph', 'service']) if ($(id).value !== view[id]) $(id).value = view[id];
  for (const radio of document.getElementsByName('show')) radio.checked = radio.value === view.show;
}

function keep() {
  const kept = Object.entries(view).filter(([key, value]) => value !== FRESH[key]);
  history.replaceState(null, '', `#${new URLSearchParams(kept.map(([key, value]) => [key, value.replace('\0', '/')]))}`);
}

function readAddress() {
  const hash = location.hash.slice(1);
  if (hash && !hash.includes('=')) return keep(); // a jump within the page
  Object.assign(view, FRESH);
  for (const [key, value] of new URLSearchParams(hash)) if (key in FRESH) view[key] = value;
  view.open = view.open.replace(/\/([^/]*)$/, '\0$1');
  if (!SORTS.includes(view.sort)) view.sort = FRESH.sort;
  if (![...$('graph').options].some((o) => o.value === view.graph)) view.graph = FRESH.graph;
  toForm();
}

function change(what) {
  Object.assign(view, what);
  keep();
  toForm();
  draw(true);
}

function sort(key) {
  const most = key === 'server' || key === 'state' ? 'up' : 'down';
  change({ sort: key, dir: view.sort !== key ? most : view.dir === 'up' ? 'down' : 'up' });
}

function jump(row) {
  change({ q: '', show: '', service: '', open: row.key });
  const button = document.querySelector('.open[aria-expanded=true]');
  button?.focus({ preventScroll: true });
  button?.scrollIntoView({ block: 'center' });
}

function offerServices() {
  const names = ['', ...data.services.map((s) => s.service)];
  const have = [...$('service').options].map((o) => o.value);
  if (String(have) !== String(names)) $('service').replaceChildren(...names.map((name) => new Option(plain(name, 60) || 'all', name)));
  if (!names.includes(view.service)) view.service = '';
  $('service').parentNode.hidden = names.length < 3;
  toForm();
}

/* What Pen said. */

const others = (row) => data.services.find((s) => s.service === row.service).rows.filter((r) => r !== row && r.raw.usable && r.number > -2);
const steering = { now: () => data, alone: (row) => !others(row).some((r) => r.key !== row.key), after: () => poll() };

function draw(settle) {
  drawHeads(view, sort);
  if (data) drawAll(data, view, { settle, toggle: (key) => change({ open: view.open === key ? '' : key }), steer: (row) => steerFor(row, steering) });
}

/** Tells a screen reader what has changed, a few things at a time. */
function announce(title, states = told.states) {
  const news = [...states].filter(([key, state]) => (told.states.get(key) ?? state) !== state).map(([, state]) => state);
  const rest = news.length > 3 ? [`and ${news.length - 3} more`] : [];
  if (told.title && (news.length || title !== told.title)) put($('say'), [title, ...news.slice(0, 3), ...rest].join('. '));
  told = { title, states };
}

function show(v, state) {
  drawVerdict(v, jump);
  document.title = `${document.hidden ? '(asleep) ' : ''}${v.level === 'ok' ? '' : `${v.title} – `}Pen ${location.host}`;
  document.body.className = state;
}

function heard(status) {
  const { pid, started_s } = status.pen ?? {};
  if (run !== `${pid} ${started_s}`) [traces, run] = [new Traces(), `${pid} ${started_s}`];
  data = { ...digest(status, traces, performance.now() / 1000), token: String(status.token) };
  heardAt = Date.now();
  const { pen, services } = data;
  put($('facts'), `${plain(pen.version, 30)} · up ${span(pen.uptime_s)} · workers: ${num(pen.workers)} · reloads: ${num(pen.reloads)}`);
  put($('fresh'), `as of ${clock(heardAt)}`);
  offerServices();
  const v = verdict(data);
  show(v, '');
  announce(v.title, new Map(services.flatMap((s) => s.rows.map((r) => [r.key, `${s.name} ${r.name}: ${r.word}`]))));
  draw(false);
}

function lost(why) {
  const title = 'Pen does not answer';
  const last = heardAt ? `Last data at ${clock(heardAt)}, ${span((Date.now() - heardAt) / 1000)} ago. What is below is from then.` : 'There is no data yet.';
  show({ level: 'gone', title, sub: `${last} Asking again every ${EVERY_MS / 1000} seconds. (${why})`, items: [] }, heardAt ? 'gone' : 'gone wait');
  announce(title);
}

async function poll() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    const answer = await fetch('status.json', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    heard(await answer.json());
  } catch (e) {
    lost(e.message);
  }
  asking = false;
  if (!document.hidden) timer = setTimeout(poll, EVERY_MS);
}

/* What the reader does. */

/** Storage that may be forbidden. */
function remembered(act) {
  try {
    return act(localStorage);
  } catch {
    return '';
  }
}
function paint(theme) {
  document.documentElement.dataset.theme = $('theme').value = theme;
}
paint(remembered((store) => store.getItem('pen-theme')) ?? '');
$('theme').onchange = (e) => {
  paint(e.target.value);
  remembered((store) => store.setItem('pen-theme', e.target.value));
};
$('choice').onsubmit = (e) => e.preventDefault();
$('choice').oninput = (e) => change({ [e.target.name]: e.target.value });
addEventListener('hashchange', () => {
  readAddress();
  draw(true);
});
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (document.hidden) document.title = `(asleep) Pen ${location.host}`;
  else poll();
});
put($('where'), location.host);
readAddress();
drawHeads(view, sort);
poll();
