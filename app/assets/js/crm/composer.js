// Writing a follow-up: F begins one (keys.js), Alt+1…4 chooses the next day, and what was typed survives a lost connection.
// Ctrl+Enter sends it (app.js). The draft is kept for this tab alone: others may use the computer after us.
const form = (within) => within?.closest?.('[data-composer]');
const keyOf = (element) => `follow-up:${element.dataset.composer}`;

function store(key, text) {
  try {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  } catch { /* no storage: nothing is kept, nothing else changes */ }
}

function stored(key) {
  try { return sessionStorage.getItem(key) || ''; } catch { return ''; }
}

function bringBack() {
  for (const one of document.querySelectorAll('[data-composer]')) {
    const area = one.elements.content;
    if (!area.value) area.value = stored(keyOf(one));
  }
}

document.addEventListener('input', (event) => {
  const one = form(event.target);
  if (!one || event.target.name !== 'content') return;
  store(keyOf(one), event.target.value);
});

document.addEventListener('change', ({ target }) => {
  const words = target.matches?.('.composer-file input') && target.closest('label').querySelector('[data-files-named]');
  if (words) words.textContent = target.files.length > 1 ? `${target.files.length} 个附件` : target.files[0]?.name || '附件';
});

document.addEventListener('keydown', (event) => {
  const one = form(event.target);
  if (one && event.altKey && /^[1-4]$/.test(event.key)) {
    const choice = one.querySelectorAll('[name=next_at]')[Number(event.key) - 1];
    choice.checked = true;
    if (choice.value === 'other') one.elements.next_time.focus();
    event.preventDefault();
  }
});

// A saved follow-up leaves no draft behind, sent with scripts or without.
document.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const one = form(detail.requestConfig?.elt);
  if (one && detail.xhr.status < 300) store(keyOf(one), '');
});
document.addEventListener('submit', ({ target }) => {
  if (target.matches?.('[data-composer]:not([hx-post])')) store(keyOf(target), '');
});
document.addEventListener('htmx:afterSettle', bringBack);
bringBack();
