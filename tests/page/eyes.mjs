// What every test of the page in a browser looks for: layout, access for everybody, no faults.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { browser } from './look.mjs';
import { stand } from './stand.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** The browser of this file of tests. */
export let chrome;
before(async () => { chrome = await browser(); });
after(async () => { await chrome.close(); });

/** Opens the page on a farm, waits for the first answer, closes all of it afterwards; no fault may remain. */
export function look(name, farm, options, act) {
  test(name, { timeout: 180_000 }, async () => {
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
export const text = (page, selector) => page.locator(selector).innerText();
export const rows = (page) => page.$$eval('#farm tbody tr.server .open', (all) => all.map((b) => b.textContent));

/** The shape of a lamp by its number of corners, and the sign in it. */
export const lamp = (mark) => mark.evaluate((n) => [getComputedStyle(n).clipPath.split(',').length, getComputedStyle(n, '::after').content.match(/"(.?)"/)[1]]);
export const LAMPS = { bad: [8, '×'], warn: [3, '!'], info: [4, '↓'], ok: [1, '✓'], off: [1, ''], gone: [1, '?'] };

/** Nothing is wider than the window, no row, dial or panel lies on another, all of them have a size. */
export async function laidOut(page) {
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

export async function accessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' | ')}`), []);
}

/** Pixels of a picture: the share that differs from the most frequent colour, in the browser itself. */
export async function busy(page, png) {
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
