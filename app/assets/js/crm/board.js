// The board: a card follows the mouse into another column, stands there at once, and goes back if the server says no.
// Fingers scroll; they and the keyboard move a card by its 「移动到…」.
const on = (type, handle, options) => document.addEventListener(type, handle, options);
const FAR = 6; // pixels before a press becomes a drag
let drag = null;

const board = () => document.querySelector('[data-board]');
const lane = (x, y) => document.elementFromPoint(x, y)?.closest('.lane');

on('pointerdown', (event) => {
  const card = event.target.closest?.('[data-board] .kcard');
  if (!card || event.pointerType === 'touch' || event.button !== 0 || event.target.closest('.to') || !card.querySelector('.to')) return;
  drag = { card, x: event.clientX, y: event.clientY, ghost: null };
});

on('pointermove', (event) => {
  if (!drag) return;
  if (!drag.ghost) {
    if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < FAR) return;
    lift(drag);
  }
  drag.ghost.style.transform = `translate(${event.clientX - drag.x}px, ${event.clientY - drag.y}px)`;
  mark(lane(event.clientX, event.clientY));
});

function lift(held) {
  const box = held.card.getBoundingClientRect();
  const ghost = held.card.cloneNode(true);
  ghost.removeAttribute('id');
  ghost.classList.add('ghost');
  ghost.setAttribute('aria-hidden', 'true');
  Object.assign(ghost.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px` });
  document.body.append(ghost);
  held.card.classList.add('drag');
  held.ghost = ghost;
  getSelection()?.removeAllRanges();
  document.body.classList.add('select-none');
}

function mark(over) {
  const from = drag.card.closest('.lane');
  for (const one of document.querySelectorAll('.lane')) one.classList.toggle('over', one === over && one !== from);
}

function drop() {
  document.querySelectorAll('.lane.over').forEach((one) => one.classList.remove('over'));
  document.body.classList.remove('select-none');
  drag?.ghost?.remove();
  drag?.card.classList.remove('drag');
  const held = drag;
  drag = null;
  return held;
}

on('pointerup', (event) => {
  if (!drag?.ghost) {
    drag = null;
    return;
  }
  const target = lane(event.clientX, event.clientY);
  const { card } = drop();
  on('click', (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
  setTimeout(() => document.dispatchEvent(new MouseEvent('click', { bubbles: false })), 0);
  if (target && target !== card.closest('.lane')) move(card, target);
});
on('pointercancel', drop);
on('keydown', (event) => { if (event.key === 'Escape' && drag) drop(); });

async function move(card, target) {
  const address = `${board().dataset.board}/${card.dataset.id}/move`;
  if (target.dataset.stage === 'converted') return location.assign(address.replace('/board/', '/').replace('/move', '/convert'));
  if (target.dataset.stage === 'closed') return window.htmx.ajax('GET', `${address}?to=closed`, { target: '#move_box', swap: 'outerHTML' });
  const home = { parent: card.parentElement, next: card.nextSibling };
  target.querySelector('ol').prepend(card);
  card.ariaBusy = 'true';
  const back = (said) => {
    card.removeAttribute('aria-busy');
    home.parent.insertBefore(card, home.next);
    document.dispatchEvent(new CustomEvent('toast', { detail: said || { message: '没有移动成功，已放回原处，请稍后再试', kind: 'error' } }));
  };
  try {
    const answer = await send(address, card, target.dataset.stage);
    const said = JSON.parse(answer.headers.get('HX-Trigger') || '{}').toast;
    if (!answer.ok) return back(said);
    settle(card, await answer.text());
    if (said) document.dispatchEvent(new CustomEvent('toast', { detail: said }));
  } catch {
    back();
  }
}

function send(address, card, stage) {
  const body = new URLSearchParams({ stage, version: card.dataset.v });
  const token = JSON.parse(document.body.getAttribute('hx-headers') || '{}');
  const query = board().dataset.state;
  return fetch(address + (query ? `?${query}` : ''), {
    method: 'POST', body, credentials: 'same-origin', headers: { ...token, 'HX-Request': 'true', 'HX-Target': 'card' },
  });
}

// The card as it is now, and the figures of all columns.
function settle(card, html) {
  const parsed = new DOMParser().parseFromString(`<ul>${html}</ul>`, 'text/html');
  const fresh = document.importNode(parsed.querySelector('.kcard'), true);
  card.replaceWith(fresh);
  window.htmx?.process(fresh);
  for (const figure of parsed.querySelectorAll('[id^="count-"], [id^="sum-"]')) {
    const there = document.getElementById(figure.id);
    if (there) there.textContent = figure.textContent;
  }
}
