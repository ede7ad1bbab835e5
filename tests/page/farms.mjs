// Scripted answers of /status.json: a farm for each state that the page must tell. Every number comes
// from a seed and the number of the poll, so that a state looks the same on every machine.

const STEP_S = 5;
const STEPS = 60;
export const EPOCH_S = 1_790_000_000;

function wave(seed, i) {
  let x = (Math.imul(seed + 1, 2_654_435_761) ^ Math.imul(i + 7, 40_503)) >>> 0;
  x ^= x >>> 13;
  const noise = (Math.imul(x, 1_274_126_177) >>> 0) / 2 ** 32;
  return 0.6 + 0.25 * Math.sin((i + seed * 5) / 9) + 0.15 * noise;
}

const steps = (seed, size) => Array.from({ length: STEPS }, (_, i) => Math.round(size * wave(seed, i)));

function server(seed, poll, more = {}) {
  const rate = more.rate ?? 12;
  const { rate: _, ...rest } = more;
  return {
    number: seed, name: null, address: `10.0.0.${11 + (seed % 240)}`, port: 8080, acl: 0,
    connections: Math.round(rate * wave(seed, poll)), pending: 0, max: 0, hard: 0, weight: 0, prio: 0,
    sent: 50_000_000 + poll * 2 * rate * 900, received: 900_000_000 + poll * 2 * rate * 20_000,
    usable: true, blacklisted: false, failed_ago_s: null, tls: 'off', tls_name: null,
    total: 100_000 + Math.round(poll * 2 * rate), failures: {}, refusals: {}, sentence_s: null, ...rest,
  };
}

export const down = (cause = 'refused', sentence_s = 23) => ({
  usable: false, blacklisted: true, failed_ago_s: 7, sentence_s, connections: 0, rate: 0, failures: { [cause]: 14 },
});

function service(name, poll, servers, more = {}) {
  const sum = (key) => servers.reduce((all, s) => all + s[key], 0);
  const used = sum('connections');
  return {
    service: name, mode: 'tcp', listen: ['80'], ready: servers.some((s) => s.usable), not_ready: servers.some((s) => s.usable) ? [] : ['no_server'], conn_used: used, conn_max: 4000,
    flows: 0, flows_max: 0, idlers: 0, current: 0,
    totals: {
      accepted: sum('total'), received: sum('sent'), sent: sum('received'),
      closed: { client_finished: Math.round(sum('total') * 0.7), server_finished: Math.round(sum('total') * 0.28), client_reset: 213, idle_timeout: 40 + poll },
      dropped: {}, handshakes: { full: 0, resumed: 0, failed: {} },
    },
    servers, emergency: null, abuse: null, clients_max: 2048, clients_used: 1312,
    top_clients: Array.from({ length: 12 }, (_, i) => ({
      slot: i, address: i % 3 ? `192.0.2.${10 + i}` : `2001:db8:12:${i}::1f4a`, age_s: i * 3, server: servers[i % servers.length]?.number ?? 0,
      connects: 9000 - i * 641, sent: 80_000_000 - i * 5_000_000, received: 900_000 - i * 60_000,
    })),
    ...more,
  };
}

export function event(seq, key, service, server, text, cause = null) {
  return { seq, time_ms: (EPOCH_S - 600 + seq * 40) * 1000, key, service, server, address: '10.0.0.12:8080', cause, text };
}

function overview(poll, services, { pen = {}, events = [], ...more } = {}) {
  const history = {};
  services.slice(0, 32).forEach((s, k) => {
    const total = (size) => steps(k + 3, size);
    const rate = s.servers.reduce((all, one) => all + (one.usable ? 12 : 0), 0) * STEP_S;
    history[s.service] = {
      accepted: total(rate), received: total(rate * 900), sent: total(rate * 20_000), connections: total(rate / 5),
      servers: Object.fromEntries(s.servers.slice(0, 32).map((one, i) => {
        const size = one.usable ? 60 : 0;
        const own = (unit) => steps(i + k, size * unit);
        return [String(one.number), { connections: own(0.2), total: own(1), received: own(20_000), sent: own(900) }];
      })),
    };
  });
  return {
    pen: { version: '0.35.0', pid: 4711, time_s: EPOCH_S + poll * 2, started_s: EPOCH_S - 1_051_200, uptime_s: 1_051_200 + poll * 2,
      workers: 2, reloads: 3, draining: false, connections: services.reduce((all, s) => all + s.conn_used, 0), control: false, ...pen },
    services, events, history: { step_s: STEP_S, services: history }, ...more,
  };
}

const web = (poll, change = {}) => service('web', poll, ['www1', 'www2', 'www3', 'www4'].map((name, i) => server(i, poll, { name, max: 500, ...change[i] })));
const quiet = [
  event(1, 'started', 'web', null, 'Pen 0.35.0 started with 2 services'),
  event(2, 'reloaded', 'web', null, 'reload: 1 server added to web'),
  event(3, 'server_down', 'web', '1', 'web: server www2 (10.0.0.12:8080) is blacklisted for 30 s: refused', 'refused'),
  event(4, 'server_up', 'web', '1', 'web: server www2 (10.0.0.12:8080) is available again'),
];
const dns = (poll) => service('dns', poll, [0, 1].map((i) => server(i, poll, { port: 53 })), {
  mode: 'udp', listen: ['192.0.2.1:53'], flows: 31, flows_max: 65_536, conn_used: 0, conn_max: 0,
});
const ldap = (poll) => service('ldap', poll, [0, 1, 2].map((i) => server(i, poll, { port: 636, tls: 'verify', tls_name: 'ldap.example.net', rate: 3 })), {
  listen: ['636', '[::1]:1636'],
  totals: { accepted: 300_000 + poll * 18, received: 15e7 + poll * 16_200, sent: 27e8 + poll * 360_000, closed: { client_finished: 99_000 }, dropped: {}, handshakes: { full: 4100, resumed: 90_000, failed: { no_common_version: 12 } } },
});

export const HOSTILE = '<script>window.hurt=1</script><img src=x onerror=window.hurt=2>"\'&amp;</td>\u202egnp.exe\u0007';
const long = `${'a-very-long-name-of-a-server-'.repeat(6)}end`;

function many(poll, services, each, change = () => ({})) {
  return Array.from({ length: services }, (_, k) => service(`service-${String(k).padStart(2, '0')}`, poll,
    Array.from({ length: each }, (_, i) => server(i, poll, { name: `www-${k}-${i}`, address: `10.${k}.${i >> 8}.${i & 255}`, ...change(k, i) })),
    { listen: [String(8000 + k)] }));
}

/** Every state: a function from the number of the poll to the answer. */
export const FARMS = {
  healthy: (poll) => overview(poll, [web(poll), dns(poll), ldap(poll)], { events: quiet }),
  oneDown: (poll) => overview(poll, [web(poll, { 2: down() }), dns(poll), ldap(poll)], {
    events: [...quiet, event(5, 'server_down', 'web', '2', 'web: server www3 (10.0.0.13:8080) is blacklisted for 30 s: refused', 'refused')],
  }),
  allDown: (poll) => {
    const farm = web(poll, { 0: down(), 1: down('timed_out', 12), 2: down(), 3: down('unreachable') });
    farm.totals.closed.no_server = 120 + poll * 9;
    return overview(poll, [farm, dns(poll), ldap(poll)], { events: [...quiet, ...[0, 1, 2, 3].map((i) => event(5 + i, 'server_down', 'web', String(i), `web: server www${i + 1} is blacklisted for 30 s: refused`, 'refused'))] });
  },
  emergency: (poll) => {
    const farm = web(poll, { 0: down(), 1: down(), 2: down(), 3: down() });
    farm.emergency = server(9, poll, { number: -1, address: '10.0.9.9', connections: 45 });
    return overview(poll, [farm]);
  },
  draining: (poll) => overview(poll, [{ ...web(poll), ready: false, conn_used: 12 }], { pen: { draining: true, connections: 12 }, events: quiet }),
  full: (poll) => overview(poll, [{ ...web(poll, { 1: { connections: 500 } }), conn_used: 3800 }, dns(poll)]),
  notReady: (poll) => overview(poll, [{ ...web(poll), ready: false, not_ready: ['no_listener'], listen: [] }, ldap(poll)]),
  empty: (poll) => overview(poll, [service('new', poll, [])]),
  nothing: (poll) => overview(poll, []),
  fifty: (poll) => overview(poll, many(poll, 1, 50, (_, i) => (i % 17 === 5 ? down('timed_out') : {})), { events: quiet }),
  thousand: (poll) => overview(poll, many(poll, 20, 50, (k, i) => (k === 7 && i % 9 === 0 ? down() : {})), { events: quiet }),
  services: (poll) => overview(poll, many(poll, 200, 2)),
  long: (poll) => overview(poll, [service(`${long.slice(0, 64)}`, poll, [server(0, poll, { name: long, address: `/run/${long}/socket` }),
    server(1, poll, { address: '2001:db8:1234:5678:9abc:def0:1234:5678', connections: 8_388_608, max: 1_000_000_000, sent: 9e17, total: 1e15, ...down('tls_certificate', 315_360_000) })])],
  { events: [event(1, 'server_down', 'web', '1', `${long} ${long} ${long}`)] }),
  hostile: (poll) => {
    const farm = service(HOSTILE, poll, [server(0, poll, { name: HOSTILE, address: HOSTILE, ...down(HOSTILE) }), server(1, poll)]);
    farm.listen = [HOSTILE];
    farm.mode = HOSTILE;
    farm.top_clients[0].address = HOSTILE;
    farm.totals.closed = { [HOSTILE]: 5, __proto__: 7, constructor: 8 };
    farm.totals.handshakes.failed = { [HOSTILE]: 1 };
    return overview(poll, [farm], { pen: { version: HOSTILE }, events: [event(1, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)] });
  },
  steered: (poll) => overview(poll, [web(poll, { 2: down() }), dns(poll)], { pen: { control: true }, token: 'secret-of-the-farm', events: quiet }),
  steeredLast: (poll) => overview(poll, [web(poll, { 1: down(), 2: down(), 3: down() })], { pen: { control: true }, token: 'secret-of-the-farm' }),
  strange: () => ({ pen: null, services: [{}, { service: 5, servers: [{}, { number: 'x', usable: 'yes', connections: 'many', failures: 3 }], totals: null, listen: 'no', top_clients: [{}] }], events: [null, {}], history: { services: { 5: { accepted: 'x' } } } }),
};
