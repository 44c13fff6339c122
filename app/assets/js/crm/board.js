// The board: a card follows the mouse into another column, stands there at once, and goes back if the server says no.
// Fingers scroll; they move a card by its 「移动到…」, which the keyboard has as well. Arrows walk from column to column; x
// takes the card up (keys.js), arrows then choose a column, Enter lays it down there, Esc puts it back.
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

/* By keyboard */
const lanes = () => [...document.querySelectorAll('[data-board] .lane')];
const cardHere = () => document.activeElement?.closest?.('[data-board] .kcard');
const cardsOf = (one) => [...one.querySelectorAll('.kcard')];
let held = null; // { card, over: the column it hangs above }

function say(words) {
  const place = document.querySelector('#board_said');
  if (place) place.textContent = words;
}

/** Go to the next card of the column (by 1) or the one before it (by -1); from elsewhere to the first card there is. */
export function walk(by) {
  const from = cardHere();
  const all = from ? cardsOf(from.closest('.lane')) : lanes().flatMap(cardsOf);
  if (held || !all.length) return Boolean(board());
  const at = all.indexOf(from);
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
  next.querySelector('a').focus();
  next.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  return true;
}

/** Take the card up that has the focus, or put it back. */
export function pick() {
  const card = cardHere();
  if (held) return release(), true;
  if (!card?.querySelector('.to')) return false;
  held = { card, over: card.closest('.lane') };
  card.classList.add('picked');
  say(`拿起了${nameOf(card)}，用左右方向键选状态，回车放下，Esc 放回原处`);
  return true;
}

const nameOf = (card) => card.querySelector(':scope > a').textContent;
const labelOf = (one) => one.querySelector('h2').textContent;

function release() {
  held.card.classList.remove('picked');
  for (const one of lanes()) one.classList.remove('over');
  say(`${nameOf(held.card)}放回了原处`);
  held = null;
}

function sideways(by) {
  const all = lanes();
  const from = held ? held.over : cardHere().closest('.lane');
  const places = held ? all : all.filter((one) => one === from || cardsOf(one).length);
  const to = places[places.indexOf(from) + by];
  if (!to) return;
  if (held) {
    held.over = to;
    for (const one of all) one.classList.toggle('over', one === to && to !== held.card.closest('.lane'));
    say(labelOf(to));
  } else {
    const cards = cardsOf(to);
    cards[Math.min(cardsOf(from).indexOf(cardHere()), cards.length - 1)].querySelector('a').focus();
  }
  to.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function lay() {
  const { card, over } = held;
  const stays = over === card.closest('.lane');
  release();
  if (stays) return;
  say(`${nameOf(card)}移到${labelOf(over)}`);
  move(card, over);
}

on('keydown', (event) => {
  if (!cardHere() || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) sideways(by);
  else if (held && event.key === 'Enter') lay();
  else if (held && event.key === 'Escape') release();
  else return;
  event.preventDefault();
}, true);
on('focusout', ({ target, relatedTarget }) => {
  if (held && held.card.contains(target) && !held.card.contains(relatedTarget)) release();
});

async function move(card, target) {
  const hadFocus = card.contains(document.activeElement);
  const address = `${board().dataset.board}/${card.dataset.id}/move`;
  if (target.dataset.stage === 'converted') return location.assign(address.replace('/board/', '/').replace('/move', '/convert'));
  if (target.dataset.stage === 'closed') return window.htmx.ajax('GET', `${address}?to=closed`, { target: '#move_box', swap: 'outerHTML' });
  const home = { parent: card.parentElement, next: card.nextSibling };
  target.querySelector('ol').prepend(card);
  if (hadFocus) card.querySelector('a').focus();
  card.ariaBusy = 'true';
  const back = (said) => {
    card.removeAttribute('aria-busy');
    home.parent.insertBefore(card, home.next);
    if (hadFocus) card.querySelector('a').focus();
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
  const hadFocus = card.contains(document.activeElement);
  card.replaceWith(fresh);
  if (hadFocus) fresh.querySelector('a').focus();
  window.htmx?.process(fresh);
  for (const figure of parsed.querySelectorAll('[id^="count-"], [id^="sum-"]')) {
    const there = document.getElementById(figure.id);
    if (there) there.textContent = figure.textContent;
  }
}
