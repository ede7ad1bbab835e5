// Opens a headless Chromium on the page; saves pictures for people under target/page-shots.
import { mkdirSync, mkdtempSync, rmSync, existsSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
export const SHOTS = join(TARGET, 'page-shots');
const CHROMIUM = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A browser with an empty profile, and `page(options)` for pages that note what they must not do. */
export async function browser() {
  mkdirSync(SHOTS, { recursive: true });
  const profile = mkdtempSync(join(TARGET, 'page-profile-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: FLAGS, headless: true, viewport: { width: 1280, height: 900 }, serviceWorkers: 'block' });
  return {
    context,
    async page(url, { width = 1280, height = 900, dark = false, still = true } = {}) {
      const page = await context.newPage();
      page.faults = [];
      page.setDefaultTimeout(30_000);
      const own = new URL(url).origin;
      page.on('console', (m) => ['error', 'warning'].includes(m.type()) && page.faults.push(`console: ${m.text()}`));
      page.on('pageerror', (e) => page.faults.push(`error: ${e}`));
      page.on('request', (r) => !r.url().startsWith(own) && !r.url().startsWith('data:') && page.faults.push(`foreign request: ${r.url()}`));
      await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`));
      });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light', reducedMotion: still ? 'reduce' : 'no-preference' });
      await page.setViewportSize({ width, height });
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

export const shot = (page, name, full = true) => page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: full });
