// Control from the page, only where Pen says that it is on: each act is shown as the command that it
// is, asked about, sent with the token of the last answer, and its result is told.
import { $, el, put } from './view.js';

const FOR_GOOD_S = 315360000;

function sure(title, text, command) {
  put($('ask-title'), title);
  put($('ask-text'), text);
  put($('ask-command'), command);
  $('ask').returnValue = '';
  $('ask').showModal();
  return new Promise((done) => ($('ask').onclose = () => done($('ask').returnValue === 'yes')));
}

async function send(token, command) {
  try {
    const answer = await fetch('control', {
      method: 'POST',
      signal: AbortSignal.timeout(10000),
      headers: { 'Content-Type': 'application/json', 'X-Pen-Token': token },
      body: JSON.stringify({ command }),
    });
    const { reply = '', error } = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
    return error || !answer.ok ? `Pen refused: ${error ?? answer.status}` : `Done: ${command}. ${reply}`;
  } catch (e) {
    return `Nobody knows whether it was done: ${e.message}`;
  }
}

/** Buttons for a server. `now()` gives what Pen said last, `alone(row)` whether no other server is left. */
export function steerFor(row, { now, alone, after }) {
  if (!now().pen.control || row.kind !== 'server') return null;
  const server = `service ${row.service} server ${row.ref}`;
  const told = el('p', { role: 'status' });
  const button = (name, text, words) => {
    const node = el('button', { type: 'button' }, name);
    node.onclick = async () => {
      const command = `${server} ${words()}`;
      const warning = /blacklist [1-9]/.test(command) && alone(row) ? ' No other server of this service takes clients!' : '';
      if (!(await sure(`${name}: ${row.name}?`, text + warning, command))) return;
      put(told, await send(now().token, command));
      after();
    };
    return node;
  };
  const weight = el('input', { type: 'number', min: 0, max: 1e9, value: row.raw.weight });
  return el('div', { class: 'steer', role: 'group', 'aria-label': `Control of ${row.name}` },
    button('Blacklist for 10 min', 'No new clients for 10 minutes. Connections go on.', () => 'blacklist 600'),
    button('Drain', 'No new clients until it is pardoned. Connections go on.', () => `blacklist ${FOR_GOOD_S}`),
    button('Pardon', 'It takes clients again at once.', () => 'blacklist 0'),
    el('label', {}, 'Weight ', weight),
    button('Set weight', 'For services that choose by weight: the larger, the more clients; 0 is none.', () => `weight ${Math.trunc(weight.value)}`),
    told);
}
