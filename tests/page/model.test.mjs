// What the page makes of the numbers, without a browser.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE } from './stand.mjs';
import { FARMS, HOSTILE } from './farms.mjs';

// No package.json above it calls it a module, so node is told by its address.
const source = readFileSync(join(PAGE, 'model.js'), 'utf8');
const { Traces, bytes, choose, count, digest, plain, short, span, together, verdict } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const at = (farm, polls = 1) => {
  const traces = new Traces();
  let data;
  for (let i = 1; i <= polls; i += 1) data = digest(FARMS[farm](i), traces, i * 2);
  return data;
};

test('the page stays small and has no way to turn data into markup', () => {
  const files = readdirSync(PAGE).filter((name) => /\.(html|js|css)$/.test(name));
  const all = files.map((name) => readFileSync(join(PAGE, name), 'utf8'));
  const size = all.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  assert.ok(size < 48_000, `${size} bytes`);
  for (const text of all) {
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc/);
    assert.doesNotMatch(text, /\sstyle="|<style|\son[a-z]+="/);
  }
  const foreign = all.join('').match(/https?:\/\/[^\s'"`]*/g) ?? [];
  assert.deepEqual(foreign.filter((url) => url !== 'http://www.w3.org/2000/svg'), []);
});

test('the first line says whether all is well', () => {
  const said = (farm, polls) => {
    const { title, level } = verdict(at(farm, polls));
    return `${level}: ${title}`;
  };
  const expected = {
    healthy: 'ok: All is well',
    oneDown: 'bad: 1 of 9 servers is blacklisted',
    allDown: 'bad: Service web serves nobody',
    emergency: 'bad: Service web lives on its emergency server',
    draining: 'info: Pen is draining',
    notReady: 'bad: Service web is not ready',
    full: 'warn: 2 things need a look',
    empty: 'warn: new has no servers',
    nothing: 'warn: Pen has no services',
    fifty: 'bad: 3 of 50 servers are blacklisted',
    thousand: 'bad: 6 of 1,000 servers are blacklisted',
    services: 'ok: All is well',
  };
  for (const [farm, line] of Object.entries(expected)) assert.equal(said(farm, 2), line);
});

test('what is not well is listed, worst first, many of one service as one', () => {
  assert.deepEqual(verdict(at('oneDown')).items.map((i) => i.text), ['web / www3 (10.0.0.13:8080) is blacklisted: refused, 23 s left']);
  assert.equal(verdict(at('thousand')).items[0].text, 'service-07: 6 of 50 servers are blacklisted or full');
  const levels = verdict(at('allDown', 3)).items.map((i) => i.level);
  assert.deepEqual(levels, [...levels].sort());
  assert.deepEqual(verdict(at('healthy')).items, []);
});

test('a service that is not in use is not there', () => {
  const status = FARMS.healthy(1);
  status.services.unshift({ service: 'default', mode: 'tcp', listen: [], ready: true, not_ready: [], servers: [] });
  const data = digest(status, new Traces(), 1);
  assert.deepEqual(data.services.map((s) => s.name), ['web', 'dns', 'ldap']);
  assert.match(verdict(data).sub, /in 3 services/);
});

test('an operator who leaves a server out is no failure', () => {
  const status = FARMS.healthy(1);
  Object.assign(status.services[0].servers[1], { usable: false, blacklisted: true, sentence_s: 315_360_000, failed_ago_s: 9 });
  const { level, items } = verdict(digest(status, new Traces(), 1));
  assert.equal(level, 'warn');
  assert.equal(items[0].text, 'web / www2 (10.0.0.12:8080) is blacklisted by the operator, until pardoned');
});

test('clients that were turned away lately are said', () => {
  const status = (n) => {
    const s = FARMS.healthy(n);
    if (n > 1) s.services[0].totals.closed.no_server = n;
    return s;
  };
  const traces = new Traces();
  digest(status(1), traces, 2);
  assert.equal(verdict(digest(status(2), traces, 4)).title, 'web turned 2 clients away in the last minute');
  assert.equal(verdict(digest(status(2), traces, 70)).title, 'All is well');
});

test('rates come from the history first and then from the polls', () => {
  const first = at('healthy').services[0];
  const steps = FARMS.healthy(1).history.services.web.accepted.slice(-2);
  assert.equal(first.new, (steps[0] + steps[1]) / 2 / 5);
  const web = at('healthy', 4).services[0];
  const totals = (n) => FARMS.healthy(n).services[0].totals;
  assert.equal(web.new, (totals(4).accepted - totals(1).accepted) / 6);
  assert.equal(web.in, (totals(4).received - totals(1).received) / 6);
  assert.equal(web.rows[1].out, (FARMS.healthy(4).services[0].servers[1].received - FARMS.healthy(1).services[0].servers[1].received) / 6);
});

test('a counter that falls begins anew and what is gone is forgotten', () => {
  const traces = new Traces();
  for (const [t, v] of [[0, 100], [2, 120], [4, 5], [6, 25]]) {
    traces.begin(t);
    traces.add('a', [v]);
    traces.end();
  }
  assert.deepEqual(traces.grown('a', 0), [20, 2]);
  traces.begin(8);
  traces.end();
  traces.begin(10);
  traces.add('a', [7]);
  assert.deepEqual(traces.grown('a', 0), [7, 2]);
});

test('numbers are short and say their unit', () => {
  assert.deepEqual([0, 7, 11.75, 99.94, 99.96, 999.4, 999.6, 12_345, 5e7, 9e17].map((n) => short(n)), ['0', '7', '11.8', '99.9', '100', '999', '1.00 k', '12.3 k', '50.0 M', '900 P']);
  assert.deepEqual([0, 900, 61_100, 2_020_000].map((n) => bytes(n)), ['0 B', '900 B', '61.1 kB', '2.02 MB']);
  assert.deepEqual([0, 119, 120, 7300, 200_000, 1_051_200].map(span), ['0 s', '119 s', '2 min', '2 h 1 min', '2 d 7 h', '12 d 4 h']);
  assert.deepEqual([NaN, undefined, 1234567, 1e15].map(count), ['0', '0', '1,234,567', '1.00 P']);
});

test('text is bounded and has nothing in it that acts', () => {
  assert.equal(plain('a\u202eb\u0007c\u2066d\u200fe\nf'), 'a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf');
  assert.equal(plain('x'.repeat(1000)).length, 401);
  assert.equal(plain(null), '');
  assert.equal(plain('<b>'), '<b>');
  assert.doesNotMatch(plain(HOSTILE), /[\u0007\u202e]/);
});

test('rows are filtered, sorted and kept below their service', () => {
  const { services } = at('fifty', 3);
  const names = (view) => choose(services, { q: '', show: '', service: '', sort: 'server', dir: 'up', ...view }).map((r) => r.name);
  assert.equal(names({}).length, 51);
  assert.deepEqual(names({ show: 'trouble' }), ['service-00', 'www-0-5', 'www-0-22', 'www-0-39']);
  assert.deepEqual(names({ q: 'WWW-0-4 10.0.0.41' }), ['service-00', 'www-0-41']);
  assert.deepEqual(names({ q: 'blacklisted 0.22' }), ['service-00', 'www-0-22']);
  assert.deepEqual(names({ q: 'nowhere' }), []);
  assert.deepEqual(names({ dir: 'down' }).slice(0, 3), ['service-00', 'www-0-49', 'www-0-48']);
  assert.deepEqual(names({ sort: 'state' }).slice(0, 4), ['service-00', 'www-0-5', 'www-0-22', 'www-0-39']);
  const conns = choose(services, { q: '', show: '', service: '', sort: 'conn', dir: 'down' }).slice(1).map((r) => r.conn);
  assert.deepEqual(conns, [...conns].sort((a, b) => b - a));
  assert.deepEqual(names({ service: 'another' }), []);
});

test('curves of several services add up from the right', () => {
  assert.deepEqual(together([{ steps: { new: [1, 2, 3] } }, { steps: { new: [10] } }, { steps: {} }], 'new'), [1, 2, 13]);
  assert.deepEqual(together([], 'new'), []);
});

test('answers of a wrong shape do not stop it', () => {
  for (const status of [FARMS.strange(1), FARMS.hostile(1), {}, { services: null, events: 7, history: 'x', pen: [] }]) {
    const data = digest(status, new Traces(), 1);
    assert.equal(typeof verdict(data).title, 'string');
    choose(data.services, { q: 'x', show: 'trouble', service: '', sort: 'conn', dir: 'down' });
  }
});
