// What a reader does with the page: sort, filter, keyboard, control, colours.
import assert from 'node:assert/strict';
import { accessible, laidOut, look, rows, text } from './eyes.mjs';
import { shot } from './look.mjs';

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
  assert.deepEqual((await rows(page)).slice(0, 3), ['www-0-5', 'www-0-22', 'www-0-39']);
  assert.match(page.url(), /#sort=state$/);
  await page.goto(`${pen.url}#sort=server&dir=down&q=www-0-4`);
  await page.waitForFunction(() => document.querySelector('#farm tbody tr.server')?.textContent.includes('www-0-49'));
  assert.equal(await page.inputValue('#q'), 'www-0-4');
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll('#farm tbody tr.server').length === 11);
});

look('filters by text, state and service', 'thousand', {}, async (page) => {
  await page.fill('#q', 'service-07 blacklisted');
  assert.deepEqual(await rows(page), [0, 9, 18, 27, 36, 45].map((i) => `www-7-${i}`));
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
  const [first, second] = await page.$$eval('.more dl > div', (pairs) => pairs.map((pair) => pair.offsetTop));
  assert.equal(first, second, 'two fields beside each other');
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
