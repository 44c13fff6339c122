// What was typed and not saved outlives a lost connection, a lost session and a closed page: it is kept for this tab and this
// user alone, since others may use the computer after him, and goes with the log-out.
const me = document.body.dataset.me || '';
const THEIRS = ['csrf_token', 'files', 'anyway'];

function put(key, text) {
  try {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  } catch { /* no storage: nothing is kept, nothing else changes */ }
}

function got(key) {
  try { return sessionStorage.getItem(key) || ''; } catch { return ''; }
}

/* One text that is sent by htmx: [data-keep] names its field. */
const keptForm = (within) => within?.closest?.('[data-keep]');
const keyOf = (form) => `text:${me}:${form.getAttribute('action')}`;

function bringBack() {
  for (const form of document.querySelectorAll('[data-keep]')) {
    const area = form.elements[form.dataset.keep];
    if (!area.value) area.value = got(keyOf(form));
  }
}

document.addEventListener('input', ({ target }) => {
  const form = keptForm(target);
  if (form && target.name === form.dataset.keep) put(keyOf(form), target.value);
});
document.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const form = keptForm(detail.requestConfig?.elt);
  if (form && detail.xhr.status < 300) put(keyOf(form), '');
});
document.addEventListener('htmx:afterSettle', bringBack);
bringBack();

/* A whole form that is sent as a page: [data-record-form], "fresh" as it came and not as it was refused. The marks of what it
   showed are kept with it, so that what colleagues changed meanwhile is set against it as ever. */
const record = document.querySelector('[data-record-form]');
const path = location.pathname;
const draftKey = (of) => `form:${me}:${of}`;

const valuesOf = (form) => [...new FormData(form)].filter(([name, value]) => typeof value === 'string' && !THEIRS.includes(name));

function fillIn(form, values) {
  const told = new Map();
  for (const [name, value] of values) told.set(name, [...(told.get(name) || []), value]);
  for (const field of form.elements) {
    if (!field.name || THEIRS.includes(field.name) || field.type === 'file' || field.type === 'submit') continue;
    const mine = told.get(field.name) || [];
    if (field.type === 'checkbox' || field.type === 'radio') field.checked = mine.includes(field.value);
    else if (mine.length) field.value = mine[0];
  }
}

function offer() {
  const note = document.querySelector('[data-draft-note]');
  note.hidden = false;
  note.querySelector('button').addEventListener('click', () => {
    put(draftKey(path), '');
    location.replace(location.href);
  });
}

/* Back to a form that made a record: a way to it, before it is made a second time. */
addEventListener('pageshow', ({ persisted }) => {
  const saved = got(`saved:${draftKey(path)}`);
  const note = document.querySelector('[data-saved-note]');
  if (!saved || !note) return;
  const isBack = persisted || performance.getEntriesByType('navigation')[0]?.type === 'back_forward';
  note.hidden = !isBack;
  note.querySelector('a').href = saved;
});

if (record) {
  const kept = JSON.parse(got(draftKey(path)) || 'null');
  const isSaved = kept?.sent && new URL(document.referrer || location.href).pathname === path && record.dataset.recordForm === 'fresh'
    && performance.getEntriesByType('navigation')[0]?.type === 'navigate';
  if (isSaved) put(draftKey(path), '');
  else if (kept && record.dataset.recordForm === 'fresh') {
    fillIn(record, kept.values);
    offer();
  }
  let changed = false;
  const keep = (sent) => put(draftKey(path), JSON.stringify({ sent, values: valuesOf(record) }));
  record.addEventListener('input', () => { changed = true; keep(false); });
  record.addEventListener('submit', () => { if (changed || kept || record.dataset.recordForm !== 'fresh') keep(true); });
  record.querySelector('[data-discard]')?.addEventListener('click', () => put(draftKey(path), ''));
} else if (document.referrer.startsWith(location.origin)) {
  // The page that a form's answer led to: it was saved.
  const from = draftKey(new URL(document.referrer).pathname);
  if (JSON.parse(got(from) || 'null')?.sent) {
    put(from, '');
    put(`saved:${from}`, location.pathname);
  }
}

/* Without a connection a form is not sent: the browser would put its own page in place of what was typed. */
document.addEventListener('submit', (event) => {
  if (navigator.onLine || event.target.method !== 'post' || event.target.closest('[hx-post]')) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  document.dispatchEvent(new CustomEvent('toast', { detail: { message: '网络断了，没有发出去。你写的内容还在，网络恢复后再试一次。', kind: 'error' } }));
}, true);

document.addEventListener('submit', ({ target }) => {
  if (target.getAttribute('action')?.endsWith('/logout')) {
    try { sessionStorage.clear(); } catch { /* there was nothing to forget */ }
  }
});
