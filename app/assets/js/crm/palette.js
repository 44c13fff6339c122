// The palette: Ctrl/⌘ K opens one field for everything; arrows choose, Enter opens (Ctrl Enter in a new tab), Esc closes.
const $ = (selector) => document.querySelector(selector);
const palette = $('#palette');
const field = $('#palette-q');
const options = () => [...palette.querySelectorAll('[role=option]')];
let left = 0; // the results for which Enter waits, if they are not there yet
let asked = '';

export function openPalette() {
  if (!palette) return location.assign('/crm/search');
  if (palette.open) return;
  for (const other of document.querySelectorAll('dialog[open]')) other.close();
  palette.showModal();
  field.value = '';
  asked = '';
  field.focus();
  window.htmx?.trigger(field, 'palette:open');
}

const chosen = () => options().find((option) => option.ariaSelected === 'true');

function choose(option) {
  for (const other of options()) other.setAttribute('aria-selected', String(other === option));
  if (!option) return field.removeAttribute('aria-activedescendant');
  field.setAttribute('aria-activedescendant', option.id);
  option.scrollIntoView({ block: 'nearest' });
}

function step(by) {
  const all = options();
  if (all.length) choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
}

function go(option, apart) {
  if (!option) return;
  if (apart) return window.open(option.href, '_blank', 'noopener');
  palette.close();
  option.click();
}

function steer(event) {
  if (event.isComposing) return;
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    event.preventDefault();
    step(by);
  } else if (event.key === 'Enter') {
    event.preventDefault();
    event.stopPropagation();
    if (asked !== field.value.trim()) left = event.ctrlKey || event.metaKey ? 2 : 1; // the answer is on its way
    else go(chosen(), event.ctrlKey || event.metaKey);
  }
}

/* What was answered: the first line is chosen, so that Enter opens the best match. */
function settle() {
  options().forEach((option, place) => { option.id = `palette-${place}`; });
  const list = $('#palette_list');
  field.setAttribute('aria-controls', list ? list.id : 'palette_results');
  field.setAttribute('aria-expanded', String(options().length > 0));
  choose(options()[0]);
  if (left && asked === field.value.trim()) {
    const apart = left === 2;
    left = 0;
    go(chosen(), apart);
  }
}

if (palette) {
  field.addEventListener('keydown', steer);
  field.addEventListener('input', () => { left = 0; });
  palette.addEventListener('close', () => { left = 0; });
  palette.addEventListener('pointermove', ({ target }) => {
    const over = target.closest?.('[role=option]');
    if (over && over !== chosen()) choose(over);
  });
  document.addEventListener('htmx:afterSettle', ({ target, detail }) => {
    if (target.id !== 'palette_results' && detail.requestConfig?.elt !== field) return;
    asked = String(detail.requestConfig?.parameters?.q ?? field.value).trim();
    settle();
  });
  document.addEventListener('click', (event) => {
    const shortcut = event.target.closest?.('[data-shortcuts]');
    if (shortcut && !event.ctrlKey && !event.metaKey && window.htmx) {
      event.preventDefault();
      palette.close();
      openShortcuts();
      return;
    }
    const opener = event.target.closest?.('[data-palette]');
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openPalette();
  });
  const onMac = /Mac|iPhone|iPad/.test(navigator.platform);
  for (const key of document.querySelectorAll('.find-field kbd')) key.textContent = onMac ? '⌘ K' : 'Ctrl K';
}

document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k' && !event.isComposing) {
    event.preventDefault();
    if (palette?.open) palette.close();
    else openPalette();
  }
});

/* A way to the composer of this very page is a way into its field. */
addEventListener('hashchange', () => { if (location.hash === '#composer') $('#composer-content')?.focus(); });

export function openShortcuts() {
  const there = $('#shortcuts');
  if (there?.matches('dialog')) there.showModal();
  else window.htmx?.ajax('GET', '/crm/shortcuts', { target: '#shortcuts', swap: 'outerHTML' });
}

/* The record on this page stands among those that one opened last; kept with the account, not in this browser. */
const record = $('#record_head');
if (record && palette) {
  const token = JSON.parse(document.body.getAttribute('hx-headers') || '{}');
  fetch(`${record.getAttribute('hx-get')}/visited`, { method: 'POST', keepalive: true, headers: { ...token, 'HX-Request': 'true' } }).catch(() => {});
}
