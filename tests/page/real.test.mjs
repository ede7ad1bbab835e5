// The page that a real pen serves, before real servers: PEN names the program, otherwise the debug build.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { createServer as listener } from 'node:net';
import { join } from 'node:path';
import { TARGET, browser, shot } from './look.mjs';

const PEN = process.env.PEN ?? join(TARGET, 'debug/pen');

/** A port that is free now and that the kernel gives to nobody by itself. */
async function freePort() {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const free = await new Promise((done) => {
      const probe = listener().once('error', () => done(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
  throw new Error('no free port');
}

async function webServer() {
  const server = createServer((_, response) => response.end('hello '.repeat(500)));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { port: server.address().port, stop: () => (server.closeAllConnections(), server.close()) };
}

/** Asks through Pen again and again until stopped; failures are not its business. */
function traffic(port) {
  const timer = setInterval(() => {
    get({ port, host: '127.0.0.1', agent: false, timeout: 2000 }, (r) => r.resume()).on('error', () => {}).on('timeout', function drop() { this.destroy(); });
  }, 50);
  return () => clearInterval(timer);
}

async function startPen(args) {
  const said = [];
  const child = spawn(PEN, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => said.push(String(piece)));
  const ended = new Promise((done) => child.once('exit', done));
  return { said, stop: async () => (child.kill('SIGTERM'), setTimeout(() => child.kill('SIGKILL'), 5000).unref(), ended) };
}

test('a real pen: what happens to its servers is on the page, and the page steers it', { skip: !existsSync(PEN) && `${PEN} is not built`, timeout: 180_000 }, async (t) => {
  const servers = [await webServer(), await webServer(), await webServer()];
  const [front, web] = [await freePort(), await freePort()];
  const args = ['-f', '-r', '-b', '20', '-O', `metrics 127.0.0.1:${web}`, '-O', 'metrics_control', '-O', 'server 1 name www1', `127.0.0.1:${front}`, ...servers.map((s) => `127.0.0.1:${s.port}`)];
  if (process.getuid() === 0) args.unshift('-u', 'root');
  let pen = await startPen(args);
  const stopTraffic = traffic(front);
  const chrome = await browser();
  try {
    const url = `http://127.0.0.1:${web}/`;
    let answers = false;
    for (let i = 0; i < 200 && !answers; i += 1) {
      answers = await new Promise((done) => get(url, (r) => { r.resume(); done(r.statusCode === 200); }).on('error', () => done(false)));
      if (!answers) await new Promise((done) => setTimeout(done, 50));
    }
    assert.ok(answers, `pen serves the page; it said: ${pen.said.join('')}`);
    const page = await chrome.page(url);
    const says = (title) => page.waitForFunction((wanted) => document.querySelector('h1').textContent === wanted, title, { timeout: 40_000 });
    const row = (n) => page.locator('tr.server').nth(n);

    await t.test('all is well, with rates, clients and curves', async () => {
      await says('All is well');
      assert.deepEqual(await page.$$eval('tr.server .open', (all) => all.map((b) => b.textContent)), ['server 0', 'www1', 'server 2']);
      await page.waitForFunction(() => [...document.querySelectorAll('tr.server .c-new b')].every((b) => parseFloat(b.textContent) > 1), null, { timeout: 20_000 });
      assert.match(await page.locator('#clients tbody tr').first().innerText(), /^127\.0\.0\.1\s/);
      await page.waitForFunction(() => /finished\s+\+\d+\s+\d+/.test(document.getElementById('ends').innerText));
      await page.waitForFunction(() => (document.querySelector('tr.server .graph path').getAttribute('d').match(/V/g) ?? []).length > 3, null, { timeout: 40_000 });
      assert.match(await page.innerText('#facts'), /^\d+\.\d+\.\d+ · up \d+ s · workers: \d+ · reloads: 0$/);
    });

    await t.test('a server that stops is blacklisted, with the reason', async () => {
      servers[2].stop();
      await says('1 of 3 servers is blacklisted');
      assert.match(await page.innerText('#items'), /^default \/ server 2 \(127\.0\.0\.1:\d+\) is blacklisted(: refused)?, \d+ s left$/);
      await page.waitForFunction(() => document.querySelector('#events').textContent.includes('server'));
      await page.waitForFunction(() => /Failed connects to servers\s+refused/.test(document.getElementById('ends').innerText));
      await shot(page, 'real-desk');
    });

    await t.test('the page steers: drain, pardon, weight', async () => {
      const act = async (button) => {
        await page.click(`.steer >> text="${button}"`);
        await page.click('dialog >> text=Do it');
      };
      await row(0).locator('.open').click();
      await act('Drain');
      await page.waitForFunction(() => document.querySelector('.steer p').textContent.startsWith('Done'));
      await page.waitForFunction(() => document.querySelector('tr.server .c-state').innerText.includes('until pardoned'));
      await act('Pardon');
      await page.waitForFunction(() => document.querySelector('tr.server .c-state').innerText.includes('available'));
      await page.fill('.steer input', '7');
      await act('Set weight');
      await page.waitForFunction(() => /weight\s+7/.test(document.querySelector('tr.more dl').innerText));
      await shot(page, 'real-control');
    });

    await t.test('nothing was asked of others, no policy was broken', () => assert.deepEqual(page.faults, []));

    await t.test('it says when Pen is gone and shows the next one', async () => {
      await pen.stop();
      await says('Pen does not answer');
      servers[2] = await webServer();
      args[args.length - 1] = `127.0.0.1:${servers[2].port}`;
      pen = await startPen(args);
      await says('All is well');
      assert.match(await page.innerText('#facts'), /up \d s /);
    });
  } finally {
    stopTraffic();
    await chrome.close();
    await pen.stop();
    for (const server of servers) server.stop();
  }
});
