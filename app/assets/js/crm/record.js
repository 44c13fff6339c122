// A record's page: its neighbours in the list one came from, names and tags while typing, colleagues behind an @, files.
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const KEY = /^\/crm\/([a-z_-]+)\/([0-9a-f]{8}-[0-9a-f-]{27})$/;

/* The order of the list one looked at last, kept for this tab; the record's page leads up and down in it. */
function rememberList() {
  const rows = $$('#record_list tbody a[href], [data-bulk] a[href]').map((link) => new URL(link.href).pathname).filter((path) => KEY.test(path));
  const paths = [...new Set(rows)];
  if (paths.length) sessionStorage.setItem(`list:${KEY.exec(paths[0])[1]}`, JSON.stringify(paths));
}

function showNeighbours() {
  const place = $('[data-neighbours]');
  if (!place || place.childElementCount) return;
  const paths = JSON.parse(sessionStorage.getItem(`list:${place.dataset.neighbours}`) || '[]');
  const here = paths.indexOf(location.pathname);
  if (here < 0 || paths.length < 2) return;
  const figure = document.createElement('span');
  figure.className = 'num mr-1 text-ui text-muted max-md:hidden';
  figure.textContent = `${here + 1} / ${paths.length}`;
  place.append(figure, arrow(paths[here - 1], '上一条', 'chevron-left'), arrow(paths[here + 1], '下一条', 'chevron-right'));
}

function arrow(path, label, sign) {
  const made = document.createElement(path ? 'a' : 'span');
  made.className = `btn btn-quiet btn-sm btn-square${path ? '' : ' btn-disabled'}`;
  made.setAttribute('aria-label', path ? label : `${label}（没有了）`);
  if (path) made.href = path;
  else made.setAttribute('role', 'link');
  if (!path) made.setAttribute('aria-disabled', 'true');
  const icon = $('[data-icons]')?.content.querySelector(`[data-icon="${sign}"]`);
  if (icon) made.append(icon.firstElementChild.cloneNode(true));
  return made;
}

/* Names of records (data-suggest) and tags (data-tags): the browser's own list of options, filled while one types. */
const later = new WeakMap();
function soon(element, act) {
  clearTimeout(later.get(element));
  later.set(element, setTimeout(act, 200));
}
const ask = async (path, q) => {
  const answer = await fetch(`${path}?q=${encodeURIComponent(q)}`, { headers: { Accept: 'application/json' } });
  return answer.ok ? answer.json() : [];
};

function optionsOf(input) {
  const id = input.getAttribute('list') || `options-${input.id}`;
  let list = document.getElementById(id);
  if (!list) {
    list = document.createElement('datalist');
    list.id = id;
    input.after(list);
    input.setAttribute('list', id);
  }
  return list;
}

function fill(list, options) {
  list.replaceChildren(...options.map(({ value, label, id }) => {
    const option = document.createElement('option');
    option.value = value;
    if (label) option.label = label;
    if (id) option.dataset.id = id;
    return option;
  }));
}

async function suggestRecords(input) {
  const found = await ask(input.dataset.suggest, input.value);
  fill(optionsOf(input), found.map(({ id, name, more }) => ({ value: name, label: more, id })));
}

function noteChosen(input) {
  const chosen = [...optionsOf(input).options].filter((option) => option.value === input.value);
  const hidden = $(input.dataset.id);
  if (hidden) hidden.value = chosen.length === 1 ? chosen[0].dataset.id : '';
}

async function suggestTags(input) {
  const parts = input.value.split(/[、,，;；]/);
  const begun = parts.pop().trim();
  const before = parts.map((part) => part.trim()).filter(Boolean);
  const found = (await ask(input.dataset.tags, begun)).filter((tag) => !before.includes(tag));
  fill(optionsOf(input), found.map((tag) => ({ value: [...before, tag].join('、') })));
}

/* Colleagues behind an @: a list below the text, by arrows, Enter and Esc, or by a tap. */
let colleagues;
async function offerColleagues(area) {
  const begun = /@([^\s@，。,.]{0,10})$/.exec(area.value.slice(0, area.selectionStart));
  if (!begun) return closeOffer(area);
  colleagues ||= fetch(area.dataset.mention, { headers: { Accept: 'application/json' } }).then((answer) => (answer.ok ? answer.json() : []));
  const found = (await colleagues).filter(({ name }) => name.startsWith(begun[1])).slice(0, 6);
  if (!found.length || found.some(({ name }) => name === begun[1] && found.length === 1)) return closeOffer(area);
  const list = offerOf(area);
  list.replaceChildren(...found.map(({ name }, place) => {
    const option = document.createElement('li');
    option.id = `${list.id}-${place}`;
    option.className = 'nav-a cursor-pointer';
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', String(place === 0));
    option.textContent = name;
    option.addEventListener('pointerdown', (event) => { event.preventDefault(); mention(area, name); });
    return option;
  }));
  area.setAttribute('aria-activedescendant', `${list.id}-0`);
}

function offerOf(area) {
  const known = area.getAttribute('aria-controls');
  if (known) return document.getElementById(known);
  const list = document.createElement('ul');
  list.id = `mention-${Math.random().toString(36).slice(2, 8)}`;
  list.className = 'absolute left-2 top-full z-40 mt-1 w-44 rounded-box bg-raise p-1.5 shadow-pop text-sm';
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', '提醒谁');
  area.setAttribute('aria-autocomplete', 'list');
  area.setAttribute('aria-controls', list.id);
  area.parentElement.classList.add('relative');
  area.parentElement.append(list);
  return list;
}

function closeOffer(area) {
  const known = area.getAttribute('aria-controls');
  if (!known) return;
  document.getElementById(known)?.remove();
  for (const name of ['aria-autocomplete', 'aria-controls', 'aria-activedescendant']) area.removeAttribute(name);
}

function mention(area, name) {
  const end = area.selectionStart;
  const begin = area.value.lastIndexOf('@', end - 1);
  area.setRangeText(`@${name} `, begin, end, 'end');
  closeOffer(area);
  area.focus();
}

function steer(event) {
  const area = event.target;
  const list = document.getElementById(area.getAttribute('aria-controls') || '-');
  if (!list) return;
  const options = [...list.children];
  const at = options.findIndex((option) => option.ariaSelected === 'true');
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    const next = (at + step + options.length) % options.length;
    options.forEach((option, place) => option.setAttribute('aria-selected', String(place === next)));
    area.setAttribute('aria-activedescendant', options[next].id);
  } else if ((event.key === 'Enter' || event.key === 'Tab') && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    mention(area, options[at].textContent);
  } else if (event.key === 'Escape') {
    event.stopPropagation();
    closeOffer(area);
  }
}

document.addEventListener('input', ({ target }) => {
  if (target.matches('[data-suggest]')) { noteChosen(target); soon(target, () => suggestRecords(target)); }
  else if (target.matches('[data-tags]')) soon(target, () => suggestTags(target));
  else if (target.matches('[data-mention]')) offerColleagues(target);
});
document.addEventListener('focusin', ({ target }) => {
  if (target.matches?.('[data-suggest]')) suggestRecords(target);
  else if (target.matches?.('[data-tags]')) suggestTags(target);
});
document.addEventListener('focusout', ({ target }) => { if (target.matches?.('[data-mention]')) closeOffer(target); });
document.addEventListener('keydown', (event) => { if (event.target.matches?.('[data-mention]')) steer(event); }, true);

/* Files go as soon as they are chosen; a form in place gets the cursor. */
document.addEventListener('change', ({ target }) => {
  if (target.matches('[data-files] input[type=file]') && target.files.length) target.form.requestSubmit();
});
document.addEventListener('htmx:afterSettle', ({ target }) => {
  $('[data-focus-within] :is(input:not([type=hidden]), select, textarea)', target)?.focus();
  if (target.id === 'record_list') rememberList();
  for (const button of $$('[data-files] button')) button.hidden = true;
});

rememberList();
showNeighbours();
for (const button of $$('[data-files] button')) button.hidden = true;
