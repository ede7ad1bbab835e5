// Stands in for Pen: serves the page from the source folder under the policy that Pen serves it with,
// and the scripted answers of farms.mjs. By hand: node stand.mjs [farm] [port], then open the address.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FARMS } from './farms.mjs';

export const PAGE = join(dirname(fileURLToPath(import.meta.url)), '../../crates/pen/src/web/page');
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };

/** A stand-in on a free port of loopback, or on `port`. */
export async function stand(farm = 'healthy', port = 0) {
  const it = { farm, poll: 0, polls: 0, dead: false, stuck: false, slow_ms: 0, garbage: false, asked: [], commands: [], reply: { reply: '' }, replyStatus: 200 };
  const server = createServer((request, response) => {
    // Also below a path, as behind a reverse proxy.
    const asked = request.url.split('?')[0];
    const path = asked.replace(/^\/pen(?=\/)/, '');
    it.asked.push(asked);
    const send = (status, type, body) => {
      response.writeHead(status, { 'Content-Type': type, 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' });
      response.end(body);
    };
    const name = path === '/' ? 'index.html' : path.slice(1);
    if (/^[a-z]+\.(html|js|css)$/.test(name)) {
      try {
        return send(200, TYPES[name.split('.')[1]], readFileSync(join(PAGE, name)));
      } catch {
        return send(404, 'text/plain', 'not here\n');
      }
    }
    if (path === '/status.json') {
      it.polls += 1;
      if (it.stuck) return undefined;
      if (it.dead) return request.socket.destroy();
      if (it.garbage) return send(200, 'application/json', '{"pen":');
      it.poll += 1;
      const answer = typeof it.farm === 'function' ? it.farm(it.poll) : FARMS[it.farm](it.poll);
      return setTimeout(() => send(200, 'application/json', JSON.stringify(answer)), it.slow_ms);
    }
    if (path === '/control' && request.method === 'POST') {
      let body = '';
      request.on('data', (piece) => (body += piece));
      request.on('end', () => {
        it.commands.push({ token: request.headers['x-pen-token'], type: request.headers['content-type'], body: JSON.parse(body) });
        send(it.replyStatus, 'application/json', JSON.stringify(it.reply));
      });
      return undefined;
    }
    return send(404, 'text/plain', 'not here\n');
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  it.url = `http://127.0.0.1:${server.address().port}/`;
  it.close = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return it;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const it = await stand(process.argv[2] ?? 'healthy', Number(process.argv[3] ?? 8089));
  console.log(`${it.url} shows ${it.farm}; others: ${Object.keys(FARMS).join(' ')}`);
}
