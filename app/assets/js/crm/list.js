// Lists: the search's word belongs to every other link of the page; a cell is changed where it stands by a double click, or
// by "e" on its row. Enter saves, Tab saves and goes on, Escape leaves it as it was.
const on = (type, handle) => document.addEventListener(type, handle);

on('htmx:pushedIntoHistory', ({ detail }) => {
  const word = new URL(detail.path, location.href).searchParams.get('q');
  for (const link of document.querySelectorAll('.tools a[href]')) {
    const address = new URL(link.href);
    if (word) address.searchParams.set('q', word);
    else address.searchParams.delete('q');
    link.href = address.pathname + address.search;
  }
});

const toast = (detail) => document.dispatchEvent(new CustomEvent('toast', { detail }));
const headOf = (cell) => cell.closest('table').tHead.rows[0].cells[cell.cellIndex];
const keyOf = (cell) => headOf(cell).dataset.key;
const isOpen = (cell) => headOf(cell)?.hasAttribute('data-inline');
const rowId = (cell) => cell.parentElement.querySelector('[name="ids"]').value;
const path = (cell) => `${cell.closest('[data-base]').dataset.base}/${rowId(cell)}/cell/${keyOf(cell)}`;

on('pointerover', (event) => {
  const cell = event.target.closest?.('.rows tbody td');
  if (cell && !cell.title && isOpen(cell)) {
    cell.classList.add('can');
    cell.title = '双击修改';
  }
});
on('dblclick', (event) => {
  const cell = event.target.closest?.('.rows tbody td');
  if (cell && isOpen(cell) && !cell.dataset.edit) open(cell);
});
on('keydown', (event) => {
  if (event.key !== 'e' || !('keys' in document.body.dataset) || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input:not([type=checkbox]), select, textarea')) return;
  const row = event.target.closest?.('.rows tbody tr');
  const cell = row && [...row.cells].find(isOpen);
  if (!cell) return;
  event.preventDefault();
  open(cell);
});

const cellIn = (html) => {
  const box = document.createElement('template');
  box.innerHTML = html.trim();
  return box.content.querySelector('td');
};

async function open(cell) {
  const answer = await fetch(path(cell), { headers: { 'HX-Request': 'true' } }).catch(() => null);
  if (!answer?.ok) return refused(answer);
  const before = [...cell.childNodes];
  cell.dataset.edit = 'yes';
  fill(cell, await answer.text(), before);
}

function fill(cell, html, before) {
  cell.replaceChildren(...cellIn(html).childNodes);
  const form = cell.querySelector('form');
  const field = form.elements.value;
  field.focus();
  field.select?.();
  const first = field.value;
  let over = false;
  const close = () => {
    over = true;
    delete cell.dataset.edit;
    cell.replaceChildren(...before);
  };
  const save = async () => {
    if (over) return true;
    if (field.value === first && !field.ariaInvalid) return close(), true;
    over = true;
    return store(cell, form, before);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    save().then(() => cell.parentElement.querySelector('a')?.focus());
  });
  field.addEventListener('blur', () => setTimeout(save, 120));
  field.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') {
      event.preventDefault();
      close();
      cell.parentElement.querySelector('a')?.focus();
    } else if (event.key === 'Enter' && field.matches('select')) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === 'Tab') {
      const open_ = [...cell.parentElement.cells].filter(isOpen);
      const next = open_[open_.indexOf(cell) + (event.shiftKey ? -1 : 1)];
      if (!next) return;
      event.preventDefault();
      save().then((saved) => saved && open(next));
    }
  });
}

async function store(cell, form, before) {
  const token = JSON.parse(document.body.getAttribute('hx-headers') || '{}');
  const version = cell.parentElement.dataset.v;
  const body = new URLSearchParams({ version, value: form.elements.value.value });
  const answer = await fetch(form.action, { method: 'POST', body, headers: { ...token, 'HX-Request': 'true' } }).catch(() => null);
  if (answer?.status === 422) {
    fill(cell, await answer.text(), before);
    return false;
  }
  if (answer?.ok) {
    take(cell, await answer.text());
    return true;
  }
  delete cell.dataset.edit;
  cell.replaceChildren(...before);
  refused(answer);
  if (answer?.status === 409) {
    const now = await fetch(`${path(cell)}?show=1`, { headers: { 'HX-Request': 'true' } }).catch(() => null);
    if (now?.ok) take(cell, await now.text());
  }
  return false;
}

function take(cell, html) {
  const fresh = cellIn(html);
  delete cell.dataset.edit;
  for (const kind of ['past', 'late', 'faint', 'none']) cell.classList.toggle(kind, fresh.classList.contains(kind));
  cell.replaceChildren(...fresh.childNodes);
  cell.parentElement.dataset.v = fresh.dataset.v;
}

function refused(answer) {
  const said = JSON.parse(answer?.headers.get('HX-Trigger') || '{}').toast;
  toast(said || { message: '没有保存成功，原来的内容没有变，请稍后再试', kind: 'error' });
}
