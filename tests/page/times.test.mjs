// What the page does as time goes by: changes, a Pen that is gone, nobody who looks.
import test from 'node:test';
import assert from 'node:assert/strict';
import { LAMPS, accessible, chrome, laidOut, lamp, look, rows, text } from './eyes.mjs';
import { shot } from './look.mjs';
import { stand } from './stand.mjs';

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
  assert.deepEqual(await lamp(page.locator('#verdict > .mark')), LAMPS.gone);
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
