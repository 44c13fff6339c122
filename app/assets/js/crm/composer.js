// Writing a follow-up: F begins one (keys.js), Alt+1…4 chooses the next day, Ctrl+Enter sends it (app.js), and what was typed
// is kept (drafts.js).
const form = (within) => within?.closest?.('[data-composer]');

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
