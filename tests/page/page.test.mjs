// The page in a real Chromium, with scripted answers: what it says, and what it must never do.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { browser, shot } from './look.mjs';
import { stand } from './stand.mjs';
import { FARMS, HOSTILE, down } from './farms.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let chrome;
before(async () => { chrome = await browser(); });
after(async () => { await chrome.close(); });

/** Opens the page on a farm, waits for the first answer, closes all of it afterwards; no fault may remain. */
function look(name, farm, options, act) {
  test(name, { timeout: 90_000 }, async () => {
    const pen = await stand(farm);
    const page = await chrome.page(pen.url + (options.hash ?? ''), options);
    try {
      await page.waitForFunction(() => !document.body.className.includes('wait'));
      await act(page, pen);
      assert.deepEqual(page.faults.filter((f) => !(options.faults ?? /^$/).test(f)), []);
    } finally {
      await page.close();
      await pen.close();
    }
  });
}
const text = (page, selector) => page.locator(selector).innerText();
const rows = (page) => page.$$eval('#farm tbody tr.server .open', (all) => all.map((b) => b.textContent));

/** The shape of a lamp by its number of corners, and the sign in it. */
const lamp = (mark) => mark.evaluate((n) => [getComputedStyle(n).clipPath.split(',').length, getComputedStyle(n, '::after').content.match(/"(.?)"/)[1]]);
const LAMPS = { bad: [8, '×'], warn: [3, '!'], info: [4, '↓'], ok: [1, '✓'], off: [1, ''] };

/** Nothing is wider than the window, no row, dial or panel lies on another, all of them have a size. */
async function laidOut(page) {
  const wrong = await page.evaluate(() => {
    const found = [];
    const out = document.documentElement.scrollWidth - innerWidth;
    if (out > 0) found.push(`the page is ${out} px too wide`);
    const groups = ['header > *', 'main > *', '#dials > div', '#farm tbody tr', '#items li', '.panels > section'];
    for (const group of groups) {
      const boxes = [...document.querySelectorAll(group)].map((n) => [n, n.getBoundingClientRect()]).filter(([n]) => n.checkVisibility());
      for (const [n, b] of boxes) {
        if (n.textContent.trim() && (b.width < 20 || b.height < 10)) found.push(`${group}: ${b.width} x ${b.height}`);
        if (b.left < -1 || b.right > innerWidth + 1) found.push(`${group} leaves the window: ${b.left} to ${b.right}`);
      }
      boxes.slice(0, 60).forEach(([n, a], i) => boxes.slice(i + 1, 60).forEach(([m, b]) => {
        const [w, h] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
        if (w > 1.5 && h > 1.5) found.push(`${group}: '${n.textContent.slice(0, 20)}' lies on '${m.textContent.slice(0, 20)}'`);
      }));
    }
    // Text of a cell stays in its cell.
    for (const cell of [...document.querySelectorAll('#farm :is(th, td), #dials dd, h1')].slice(0, 200)) {
      const range = document.createRange();
      range.selectNodeContents(cell);
      const [inner, outer] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
      if (inner.width && inner.right > outer.right + 2) found.push(`'${cell.textContent.slice(0, 30)}' sticks out by ${inner.right - outer.right}`);
    }
    return found;
  });
  assert.deepEqual(wrong, []);
}

async function accessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' | ')}`), []);
}

/** Pixels of a picture: the share that differs from the most frequent colour, in the browser itself. */
async function busy(page, png) {
  return page.evaluate(async (data) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    const { data: rgba } = canvas.getImageData(0, 0, image.width, image.height);
    const seen = new Map();
    for (let i = 0; i < rgba.length; i += 4) {
      const colour = (rgba[i] << 16) | (rgba[i + 1] << 8) | rgba[i + 2];
      seen.set(colour, (seen.get(colour) ?? 0) + 1);
    }
    return 1 - Math.max(...seen.values()) / (rgba.length / 4);
  }, png.toString('base64'));
}

const STATES = [
  ['healthy', 'All is well', 'ok'],
  ['oneDown', '1 of 9 servers is blacklisted', 'bad'],
  ['allDown', 'Service web serves nobody', 'bad'],
  ['emergency', 'Service web lives on its emergency server', 'bad'],
  ['draining', 'Pen is draining', 'info'],
  ['full', '2 things need a look', 'warn'],
  ['notReady', 'Service web is not ready', 'bad'],
  ['empty', 'new has no servers', 'warn'],
  ['nothing', 'Pen has no services', 'warn'],
  ['fifty', '3 of 50 servers are blacklisted', 'bad'],
  ['long', '1 of 2 servers is blacklisted', 'warn'],
];
const SIZES = [['wide', { width: 1600 }], ['desk', { width: 1280, axe: true }], ['tablet', { width: 820, dark: true }], ['cards', { width: 700 }],
  ['phone', { width: 360, height: 740, axe: true }], ['dark', { width: 1280, dark: true, axe: true }]];
for (const [farm, title, level] of STATES)
  look(`${farm}: said, laid out and readable at every width, light and dark`, farm, {}, async (page) => {
    assert.equal(await text(page, 'h1'), title);
    assert.equal(await page.getAttribute('#verdict', 'class'), `panel ${level}`);
    assert.deepEqual(await lamp(page.locator('#verdict > .mark')), LAMPS[level]);
    for (const [size, { width, height = 900, dark = false, axe }] of SIZES) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      await laidOut(page);
      if (axe) await accessible(page);
      await shot(page, `${farm}-${size}`);
      const [ground, ink] = await page.evaluate(() => ['backgroundColor', 'color'].map((key) => getComputedStyle(document.body)[key].match(/\d+/g).reduce((a, b) => a + Number(b), 0)));
      assert.equal(ground < ink, dark, 'the colours are those of the system');
      assert.ok((await busy(page, await page.locator('#verdict').screenshot())) > 0.03, 'the verdict is drawn');
    }
    if (farm === 'healthy') for (const svg of await page.locator('#dials svg').all()) assert.ok((await busy(page, await svg.screenshot())) > 0.2, 'the curves are drawn');
  });

look('says each server in words, numbers and shape', 'oneDown', {}, async (page) => {
  const row = page.locator('tr', { hasText: 'www3' }).first();
  assert.equal(await row.locator('.c-state').innerText(), 'blacklisted 23 s left');
  assert.deepEqual(await lamp(row.locator('.mark')), LAMPS.bad);
  assert.deepEqual(await lamp(page.locator('tr.service .mark').first()), LAMPS.ok);
  assert.equal(await row.locator('.c-fail').innerText(), '14');
  assert.deepEqual(await rows(page), ['www1', 'www2', 'www3', 'www4', 'server 0', 'server 1', 'server 0', 'server 1', 'server 2']);
  assert.match(await text(page, '#events li:first-child'), /www3 \(10\.0\.0\.13:8080\) is blacklisted for 30 s: refused/);
  assert.match(await text(page, '#clients tbody tr:first-child'), /2001:db8:12:0::1f4a\s+web \/ www1\s+9,000/);
  assert.match(await text(page, '#ends'), /client finished[\s\S]*refused\s+14/);
  assert.match(await page.title(), /^1 of 9 servers is blacklisted – Pen 127\.0\.0\.1:/);
  await page.waitForFunction(() => /\+\d/.test(document.querySelector('#ends').innerText), null, { timeout: 15_000 });
});

look('is a document with landmarks, headings in order, captions and heads', 'oneDown', {}, async (page) => {
  const found = await page.evaluate(() => ({
    landmarks: ['header', 'main', 'footer', '[role=search]', '[role=status]'].map((s) => document.querySelectorAll(`body ${s}`).length),
    headings: [...document.querySelectorAll('h1, h2, h3')].filter((h) => !h.closest('dialog')).map((h) => h.tagName).join(' '),
    captions: [...document.querySelectorAll('table')].map((t) => Boolean(t.caption?.textContent)),
    heads: [...document.querySelectorAll('thead th')].every((h) => h.scope === 'col'),
    names: [...document.querySelectorAll('tbody tr:not(.more)')].every((r) => r.querySelector('th[scope]')),
    lang: document.documentElement.lang,
  }));
  assert.deepEqual(found, { landmarks: [1, 1, 1, 1, 1], headings: 'H1 H2 H2 H2 H2 H2', captions: [true, true, true], heads: true, names: true, lang: 'en' });
});

look('sorts by each column, says so, keeps it in the address', 'fifty', {}, async (page, pen) => {
  const figures = (column) => page.$$eval(`#farm tbody tr.server .c-${column}`, (cells) => cells.map((c) => parseFloat(c.textContent.replaceAll(',', ''))));
  for (const column of ['conn', 'new', 'in', 'out', 'fail']) {
    const head = page.locator(`th.c-${column}`);
    await head.locator('button').click();
    assert.equal(await head.getAttribute('aria-sort'), 'descending');
    assert.equal(await page.locator('[aria-sort=none]').count(), 6);
    const seen = await figures(column);
    assert.deepEqual(seen, [...seen].sort((a, b) => b - a), column);
  }
  await page.click('th.c-fail button');
  assert.equal(await page.getAttribute('th.c-fail', 'aria-sort'), 'ascending');
  await page.click('th.c-state button');
  assert.deepEqual((await rows(page)).slice(0, 3), ['node-0-5', 'node-0-22', 'node-0-39']);
  assert.match(page.url(), /#sort=state$/);
  await page.goto(`${pen.url}#sort=server&dir=down&q=node-0-4`);
  await page.waitForFunction(() => document.querySelector('#farm tbody tr.server')?.textContent.includes('node-0-49'));
  assert.equal(await page.inputValue('#q'), 'node-0-4');
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll('#farm tbody tr.server').length === 11);
});

look('filters by text, state and service', 'thousand', {}, async (page) => {
  await page.fill('#q', 'service-07 blacklisted');
  assert.deepEqual(await rows(page), [0, 9, 18, 27, 36, 45].map((i) => `node-7-${i}`));
  assert.equal(await text(page, '#left'), '6 of 1,000 servers fit the filter.');
  assert.match(page.url(), /#q=service-07\+blacklisted$/);
  await page.fill('#q', '');
  await page.check('[name=show][value=trouble]', { force: true });
  assert.equal((await rows(page)).length, 6);
  await page.selectOption('#service', 'service-03');
  assert.equal((await rows(page)).length, 0);
  await page.check('[name=show][value=available]', { force: true });
  assert.equal((await rows(page)).length, 50);
  assert.equal(await text(page, '#n-all'), '50');
  assert.match(page.url(), /show=available&service=service-03$/);
});

look('keeps its place in the address when the skip link is used', 'healthy', { hash: '#sort=conn&dir=down' }, async (page) => {
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'servers');
  assert.equal(await page.getAttribute('th.c-conn', 'aria-sort'), 'descending');
  await page.waitForFunction(() => location.hash === '#sort=conn&dir=down');
});

look('is worked by the keyboard alone', 'steered', {}, async (page, pen) => {
  const seen = [];
  const tab = async (stop) => {
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      const [id, outline] = await page.evaluate(() => {
        const n = document.activeElement;
        const shown = n.type === 'radio' ? n.nextSibling : n;
        return [n.id || n.name || n.textContent, getComputedStyle(shown).outlineStyle];
      });
      seen.push(id);
      assert.notEqual(outline, 'none', `${id} shows that it has the focus`);
      if (id === stop) return;
    }
    assert.fail(`${stop} is not reached: ${seen.join(', ')}`);
  };
  await tab('theme');
  await tab('web / www3 (10.0.0.13:8080) is blacklisted, 23 s left');
  await tab('q');
  await page.keyboard.type('www');
  await tab('show');
  await page.keyboard.press('ArrowRight');
  assert.deepEqual(await rows(page), ['www3']);
  await page.keyboard.press('ArrowLeft');
  await tab('graph');
  await tab('Connections');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('th.c-conn', 'aria-sort'), 'descending');
  await tab('www4');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('.open:focus', 'aria-expanded'), 'true');
  await tab('Pardon');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Leave it');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog:not([open])', { state: 'attached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Pardon');
  const polls = pen.polls;
  while (pen.polls < polls + 2) await page.waitForTimeout(50);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Pardon', 'an answer of Pen leaves the focus where it is');
  assert.deepEqual(pen.commands, []);
});

look('leads from what is not well to the server', 'oneDown', { hash: '#show=available&q=dns' }, async (page) => {
  await page.click('#items button');
  await page.waitForFunction(() => document.activeElement.textContent === 'www3');
  assert.equal(await page.inputValue('#q'), '');
  assert.match(await text(page, 'tr.more'), /sentence\s+23 s/);
  assert.match(page.url(), /#open=web%2F2$/);
  await laidOut(page);
  await accessible(page);
});

look('says what changed to who listens, and only then', 'healthy', {}, async (page, pen) => {
  const heard = await page.evaluate(() => {
    globalThis.heard = [];
    new MutationObserver(() => globalThis.heard.push(document.getElementById('say').textContent)).observe(document.getElementById('say'), { childList: true, characterData: true, subtree: true });
    return document.getElementById('say').textContent;
  });
  assert.equal(heard, '');
  const polls = pen.polls;
  while (pen.polls < polls + 2) await page.waitForTimeout(50);
  pen.farm = 'oneDown';
  await page.waitForFunction(() => globalThis.heard.length);
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['1 of 9 servers is blacklisted. web www3: blacklisted']);
});

look('says at once that Pen is gone, when, and recovers by itself', 'oneDown', { faults: /ERR_|Failed to load/ }, async (page, pen) => {
  await page.waitForFunction(() => document.getElementById('fresh').textContent);
  pen.dead = true;
  await page.waitForSelector('body.gone');
  assert.equal(await text(page, 'h1'), 'Pen does not answer');
  assert.match(await text(page, '#sub'), /^Last data at \d\d:\d\d:\d\d, \d+ s ago\. What is below is from then\. Asking again every 2 seconds\./);
  assert.equal(await text(page, '#say'), 'Pen does not answer');
  assert.match(await page.title(), /^Pen does not answer/);
  assert.equal((await rows(page)).length, 9);
  await laidOut(page);
  await accessible(page);
  await shot(page, 'gone-desk');
  await page.setViewportSize({ width: 360, height: 740 });
  await laidOut(page);
  await shot(page, 'gone-phone');
  pen.dead = false;
  await page.waitForSelector('body:not(.gone)');
  assert.equal(await text(page, 'h1'), '1 of 9 servers is blacklisted');
  pen.garbage = true;
  await page.waitForSelector('body.gone');
  pen.garbage = false;
  await page.waitForSelector('body:not(.gone)');
  pen.stuck = true;
  await page.waitForSelector('body.gone');
  pen.stuck = false;
  await page.waitForSelector('body:not(.gone)');
});

test('stands below any path', async () => {
  const pen = await stand('oneDown');
  const page = await chrome.page(`${pen.url}pen/`);
  await page.waitForFunction(() => document.querySelector('h1').textContent === '1 of 9 servers is blacklisted');
  assert.deepEqual(pen.asked.filter((path) => !path.startsWith('/pen/')), []);
  assert.deepEqual(page.faults, []);
  await page.close();
  await pen.close();
});

test('says so when there never was an answer', async () => {
  const pen = await stand();
  pen.dead = true;
  const page = await chrome.page(pen.url);
  await page.waitForSelector('body.gone.wait');
  assert.match(await text(page, '#sub'), /^There is no data yet\./);
  await laidOut(page);
  pen.dead = false;
  await page.waitForSelector('body:not(.wait)');
  assert.equal(await text(page, 'h1'), 'All is well');
  await page.close();
  await pen.close();
});

look('rests while nobody looks', 'healthy', {}, async (page, pen) => {
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  // Also if an answer is under way when the page is left.
  pen.slow_ms = 700;
  const polls = pen.polls + 1;
  while (pen.polls < polls) await page.waitForTimeout(20);
  await hide(true);
  await page.waitForTimeout(5000);
  assert.equal(pen.polls, polls);
  assert.match(await page.title(), /asleep/);
  await hide(false);
  await page.waitForFunction(() => !document.title.includes('asleep'));
  assert.ok(pen.polls > polls);
});

for (const dark of [false, true])
  look(`strings of strangers stay text, ${dark ? 'dark' : 'light'}`, 'hostile', { dark, hash: `#q=${encodeURIComponent(HOSTILE)}&open=${encodeURIComponent(`${HOSTILE}/0`)}&sort=${encodeURIComponent(HOSTILE)}` }, async (page, pen) => {
    await page.fill('#q', '');
    await page.waitForSelector('tr.more');
    const polls = pen.polls;
    while (pen.polls < polls + 2) await page.waitForTimeout(50);
    const shown = '<script>window.hurt=1</script><img src=x onerror=window.hurt=2>"\'&amp;</td>\ufffdgnp.exe\ufffd';
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    assert.equal(await page.locator('img, main script, header script').count(), 0);
    for (const selector of ['tr.service .open', 'tr.server .open', '#items li button', '#clients tbody th', '#events li span', 'tr.more dd >> nth=1'])
      assert.ok((await page.locator(selector).first().textContent()).includes(shown), selector);
    assert.deepEqual(pen.asked.filter((p) => !/^\/(|[a-z]+\.(js|css)|status\.json)$/.test(p)), []);
    await laidOut(page);
    await accessible(page);
    await shot(page, `hostile-${dark ? 'dark' : 'desk'}`);
  });

look('an answer of a wrong shape does not stop it', 'strange', {}, async (page, pen) => {
  pen.farm = 'healthy';
  await page.waitForFunction(() => document.querySelector('h1').textContent === 'All is well' && document.querySelectorAll('tr.server').length === 9);
});

look('no control unless Pen says so', 'oneDown', { hash: '#open=web/2' }, async (page) => {
  await page.waitForSelector('tr.more');
  assert.equal(await page.locator('.steer').count(), 0);
});

look('control asks first, shows the command, sends the token and tells the result', 'steered', { hash: '#open=web/1' }, async (page, pen) => {
  await page.click('.steer >> text=Drain');
  assert.equal(await text(page, '#ask-command'), 'service web server 1 blacklist 315360000');
  await accessible(page);
  await shot(page, 'control-ask-desk', false);
  await page.click('dialog >> text=Leave it');
  assert.deepEqual(pen.commands, []);
  const act = async (button, command, result) => {
    const before = pen.commands.length;
    await page.click(`.steer >> text="${button}"`);
    assert.equal(await text(page, '#ask-command'), command);
    await page.click('dialog >> text=Do it');
    await page.waitForFunction((wanted) => document.querySelector('.steer p').textContent.includes(wanted), result);
    assert.deepEqual(pen.commands.slice(before), [{ token: 'secret-of-the-farm', type: 'application/json', body: { command } }]);
  };
  await act('Blacklist for 10 min', 'service web server 1 blacklist 600', 'Done: service web server 1 blacklist 600.');
  await act('Pardon', 'service web server 1 blacklist 0', 'Done: service web server 1 blacklist 0.');
  await page.fill('.steer input', '17');
  await act('Set weight', 'service web server 1 weight 17', 'Done: service web server 1 weight 17.');
  pen.reply = { error: 'the token is old <b>' };
  pen.replyStatus = 403;
  await act('Drain', 'service web server 1 blacklist 315360000', 'Pen refused: the token is old <b>');
  await shot(page, 'control-desk');
  await page.setViewportSize({ width: 360, height: 740 });
  await laidOut(page);
  await shot(page, 'control-phone');
  page.faults = page.faults.filter((f) => !f.includes('403'));
});

look('warns before the last server is left out', 'steeredLast', { hash: '#open=web/0' }, async (page) => {
  await page.click('.steer >> text=Drain');
  assert.match(await text(page, '#ask-text'), /No other server of this service takes clients!/);
  await page.click('dialog >> text=Leave it');
  await page.click('.steer >> text=Pardon');
  assert.doesNotMatch(await text(page, '#ask-text'), /No other server/);
});

look('colours follow the switch and are remembered', 'healthy', {}, async (page) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.selectOption('#theme', 'dark');
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  await page.waitForFunction(() => !document.body.className.includes('wait'));
  assert.equal(await ground(), dark);
  await accessible(page);
  await page.selectOption('#theme', '');
  assert.equal(await ground(), light);
});

look('nothing moves where motion is not wanted', 'healthy', { still: true }, async (page) => {
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('body *')].filter((n) => getComputedStyle(n).transitionDuration !== '0s' || getComputedStyle(n).animationName !== 'none').length), 0);
});

look('rows come, go and change their state with the farm', 'healthy', {}, async (page, pen) => {
  pen.farm = (poll) => {
    const farm = FARMS.healthy(poll);
    farm.services.pop();
    Object.assign(farm.services[0].servers[0], down());
    farm.services[1].servers.push({ ...farm.services[1].servers[0], number: 7, name: 'late' });
    return farm;
  };
  await page.waitForFunction(() => document.querySelector('#farm').textContent.includes('late'));
  assert.deepEqual(await rows(page), ['www1', 'www2', 'www3', 'www4', 'server 0', 'server 1', 'late']);
  assert.equal(await text(page, 'tr.server .c-state b >> nth=0'), 'blacklisted');
});

look('rows do not jump away from who is at work among them, and move on later', 'fifty', { hash: '#sort=conn&dir=down' }, async (page, pen) => {
  const moved = (was) => page.waitForFunction((order) => String([...document.querySelectorAll('tr.server .open')].map((b) => b.textContent)) !== order, String(was), { timeout: 30_000 });
  await page.hover('tr.server >> nth=3');
  const order = await rows(page);
  const polls = pen.polls;
  while (pen.polls < polls + 2) await page.waitForTimeout(50);
  assert.deepEqual(await rows(page), order);
  await moved(order);
  const focused = await page.locator('tr.server .open').last().evaluate((button) => (button.focus(), button.textContent));
  const before = await rows(page);
  await page.evaluate(() => (location.hash = '#sort=conn&dir=up'));
  await moved(before);
  assert.ok((await rows(page)).indexOf(focused) < 10);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), focused, 'the focus moves with its row');
});

look('a thousand servers: all there, and what is far off waits until it comes near', 'thousand', {}, async (page) => {
  assert.equal((await rows(page)).length, 1000);
  const conns = () => page.$$eval('tr.server .c-conn', (cells) => [cells[0], cells.at(-1)].map((cell) => cell.textContent));
  const [near, far] = await conns();
  await page.waitForFunction((was) => document.querySelector('tr.server .c-conn').textContent !== was, near, { timeout: 30_000 });
  assert.equal((await conns())[1], far);
  const last = page.locator('tr.server').last();
  await last.scrollIntoViewIfNeeded();
  await page.waitForFunction((was) => [...document.querySelectorAll('tr.server .c-conn')].at(-1).textContent !== was, far, { timeout: 30_000 });
  assert.match(await last.locator('.c-state').innerText(), /available/);
  await laidOut(page);
  await shot(page, 'thousand-desk', false);
});

look('hundreds of services on a phone', 'services', { width: 360, height: 740 }, async (page) => {
  assert.equal(await page.locator('tr.service').count(), 200);
  await laidOut(page);
  await shot(page, 'services-phone', false);
});
