// What the page says and shows of each state of a farm, at every width, light and dark.
import assert from 'node:assert/strict';
import { LAMPS, accessible, busy, laidOut, lamp, look, rows, text } from './eyes.mjs';
import { FARMS, HOSTILE, down } from './farms.mjs';
import { shot } from './look.mjs';

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
