// Single keys, for whoever left them on (body[data-keys], WCAG 2.1.4): never while one types, composes, or a dialog is open.
import { pick, walk } from './board.js';
import { openPalette, openShortcuts } from './palette.js';

const $ = (selector, within = document) => within.querySelector(selector);
const PLACES = { h: '/crm/', l: '/crm/leads', c: '/crm/customers', t: '/crm/agenda', p: '/crm/pools', n: '/crm/notices', s: '/crm/settings' };
const GRACE = 1500; // ms between g and the place
let waiting = 0;

const isTyping = (element) => element?.closest?.('input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]');

function travel(key) {
  const path = PLACES[key];
  // The menu says what one may see
  const way = path && $(`.side nav a[href="${path}"]`);
  if (way) location.assign(path);
  return Boolean(way);
}

const rows = () => [...document.querySelectorAll('.rows tbody tr')];
const rowHere = () => document.activeElement?.closest?.('.rows tbody tr');

function move(by) {
  const all = rows();
  if (!all.length && $('[data-board]')) return walk(by);
  if (!all.length) return press(`[data-neighbours] a[aria-label="${by > 0 ? '下' : '上'}一条"]`);
  const at = all.indexOf(rowHere());
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  $('td.name a, a', next).focus();
  next.scrollIntoView({ block: 'nearest' });
  return true;
}

function press(selector) {
  const there = $(selector);
  there?.click();
  return Boolean(there);
}

function select() {
  if ($('[data-board]')) return pick();
  const box = rowHere() && $('[name=ids]', rowHere());
  box?.click();
  return Boolean(box);
}

function focus(selector) {
  const there = $(selector);
  there?.focus();
  there?.select?.();
  return Boolean(there);
}

const KEYS = {
  '/': () => focus('#main form[role=search] input[type=search]') || (openPalette(), true),
  '?': () => (openShortcuts(), true),
  c: () => press('#main a.btn-primary[href$="/new"]'),
  j: () => move(1),
  k: () => move(-1),
  x: select,
  e: () => !rowHere() && press('#main a[href$="/edit"]'),
  f: () => focus('[data-composer] [name=content]'),
};

document.addEventListener('keydown', (event) => {
  if (!('keys' in document.body.dataset) || event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || $('dialog[open]')) return;
  const now = Date.now();
  const isPlace = waiting && now - waiting < GRACE;
  waiting = 0;
  if (isPlace) {
    if (travel(event.key)) event.preventDefault();
  } else if (event.key === 'g') waiting = now;
  else if (Object.hasOwn(KEYS, event.key) && KEYS[event.key]()) event.preventDefault();
});
