// The layer above working pages: links are links, forms post and menus are <details> before this file arrives.
// Elements are found by data attributes at the time of the event, so swapped-in fragments need no set-up.
const root = document.documentElement;
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const on = (type, handle, capture) => document.addEventListener(type, handle, capture);
const onClick = (selector, handle) => on('click', (event) => {
  const element = event.target.closest?.(selector);
  if (element) handle(element, event);
});

/* Answers of 422 are swapped: they are the same form with its messages. Fragments replace the element that bears their
   name. Nothing is kept of a page that was left: histories of a shared computer are not to be read. htmx comes before
   this file and begins after it, when the document is whole. */
if (window.htmx) Object.assign(window.htmx.config, {
  allowEval: false, allowScriptTags: false, includeIndicatorStyles: false, selfRequestsOnly: true,
  defaultSwapStyle: 'outerHTML', historyCacheSize: 0, refreshOnHistoryMiss: true, scrollBehavior: 'instant',
  attributesToSettle: ['class', 'width', 'height'], timeout: 15000,
  responseHandling: [
    { code: '204', swap: false }, { code: '[23]..', swap: true }, { code: '422', swap: true },
    { code: '[45]..', swap: false, error: true },
  ],
});

/* Theme: the form posts to /theme; here the same choice is made without a round trip and kept in the same cookie. */
on('submit', (event) => {
  if (!event.target.matches('[data-theme-form]')) return;
  event.preventDefault();
  const choice = event.submitter?.value === 'dark' ? 'dark' : 'light';
  root.dataset.theme = choice === 'dark' ? 'yunke-dark' : 'yunke';
  document.cookie = `theme=${choice}; path=/; max-age=31536000; samesite=lax${location.protocol === 'https:' ? '; secure' : ''}`;
  $$('button', event.target).find((button) => button.offsetParent)?.focus();
  document.dispatchEvent(new CustomEvent('theme:change'));
});

/* A click with Ctrl, ⌘ or Shift opens a new page as ever; htmx would swallow it, so it is let through before htmx
   sees it. Links with data-wide swap only where their pane stands beside the list. */
on('click', (event) => {
  const link = event.target.closest?.('a[href][hx-get], a[href][data-hx-get]');
  if (!link) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || (link.hasAttribute('data-wide') && innerWidth < 1024)) event.stopPropagation();
}, true);

/* Toasts: HX-Trigger {"toast": {"message": "…", "kind": "ok|info|warn|error", "undo": "/path to post to", "reference": "number
   of a fault"}} or a flashed message. */
const MARKS = { ok: 'st-ok', info: 'st-info', warn: 'st-warn', error: 'st-bad' };
const leave = (item, seconds) => setTimeout(() => item.remove(), seconds * 1000);

function toast(text, kind = 'ok', undo, reference) {
  const item = document.createElement('div');
  item.className = 'toast-item';
  item.setAttribute('role', kind === 'error' ? 'alert' : 'status');
  const mark = document.createElement('span');
  mark.className = `st ${MARKS[kind] || MARKS.ok}`;
  const words = document.createElement('span');
  words.textContent = text;
  item.append(mark, words);
  if (undo) item.append(button('撤销', () => { item.remove(); window.htmx?.ajax('POST', undo, { swap: 'none' }); }));
  else if (kind === 'error') {
    if (reference) {
      const number = button('复制编号');
      number.dataset.copy = reference;
      item.append(number);
    }
    item.append(button('知道了', () => item.remove()));
  }
  $('#toasts')?.append(item);
  if (kind !== 'error') leave(item, undo ? 8 : 4);
}

function button(label, act = () => {}) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  made.addEventListener('click', act);
  return made;
}

on('toast', ({ detail }) => toast(detail.message, detail.kind, detail.undo, detail.reference));
onClick('[data-dismiss]', (element) => element.closest('.toast-item, [data-dismissable]')?.remove());
$$('#toasts .toast-item:not([role=alert])').forEach((item) => leave(item, 6));

/* Copying: the clipboard API exists on secure pages only, an intranet installation may not be one. */
onClick('[data-copy]', async (element) => {
  const done = await copy(element.dataset.copy);
  toast(done ? element.dataset.copied || '已复制' : '没有复制成功，请选中文字后复制', done ? 'ok' : 'warn');
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'sr-only';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

/* Questions before what cannot be undone: hx-confirm, and data-confirm on a plain form, open our <dialog>. */
function ask(element, question) {
  const dialog = $('#confirm');
  const yes = $('[data-yes]', dialog);
  const { confirmTitle = '确认操作', confirmYes = '确认', confirmNo = '取消' } = element.dataset;
  $('#confirm-title').textContent = confirmTitle;
  $('#confirm-body').textContent = question;
  yes.textContent = confirmYes;
  $('[value=no]', dialog).textContent = confirmNo;
  yes.classList.toggle('btn-error', element.hasAttribute('data-danger'));
  yes.classList.toggle('btn-primary', !element.hasAttribute('data-danger'));
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((answer) => dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true }));
}

/* A poll may have replaced the fragment while the question stood open: the answer is for the form in its place. */
const standIn = (form) =>
  form.isConnected ? form : $$('form').find((other) => other.getAttribute('action') === form.getAttribute('action'));

on('htmx:confirm', async (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  if (await ask(event.detail.elt, event.detail.question)) event.detail.issueRequest(true);
});

on('submit', async (event) => {
  const form = event.target;
  const by = event.submitter?.dataset.confirm ? event.submitter : form;
  if (!by.dataset?.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const submitter = event.submitter;
  if (!(await ask(by, by.dataset.confirm))) return;
  const living = standIn(form);
  if (!living) return;
  living.dataset.confirmed = 'yes';
  living.requestSubmit(living === form ? submitter : null);
  delete living.dataset.confirmed;
}, true);

/* A plain form is sent once: the button shows it is busy and does not answer a second click. */
on('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === 'dialog' || form.closest('[hx-post], [hx-get], [hx-put], [hx-patch], [hx-delete], [hx-boost="true"]')) return;
  const pressed = event.submitter;
  if (!pressed || form.method !== 'post') return;
  if (pressed.ariaBusy === 'true') event.preventDefault();
  else pressed.ariaBusy = 'true';
});
addEventListener('pageshow', () => $$('button[aria-busy="true"]').forEach((pressed) => pressed.removeAttribute('aria-busy')));

/* Dialogs and menus. <dialog data-show> in a fragment opens itself; HX-Trigger "dialog:close" closes what is open. */
onClick('[data-open]', (element) => $(element.dataset.open)?.showModal());
onClick('[data-close]', (element) => element.closest('dialog')?.close());
on('dialog:close', () => $$('dialog[open]').forEach((dialog) => dialog.close()));
on('click', (event) => $$('details.dropdown[open]').forEach((menu) => menu.contains(event.target) || menu.removeAttribute('open')));

/* Countdown: data-left is the seconds left, below zero means overdue; reckoned from the clock, so a sleeping tab is right. */
const deadlines = new WeakMap();
const two = (number) => String(number).padStart(2, '0');

function clockOf(seconds) {
  const whole = Math.abs(seconds);
  const hours = Math.floor(whole / 3600);
  return (seconds < 0 ? '+' : '') + (hours ? `${two(hours)}:` : '') + `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
}

function tick() {
  for (const element of $$('[data-left]')) {
    if (!deadlines.has(element)) deadlines.set(element, Date.now() + Number(element.dataset.left) * 1000);
    const left = Math.round((deadlines.get(element) - Date.now()) / 1000);
    const shown = element.dataset.fmt === 's' ? Math.max(0, left) : clockOf(left);
    if (element.textContent !== String(shown)) element.textContent = shown;
    if (left <= 0 && !element.dataset.over) {
      element.dataset.over = 'yes';
      ring(element);
    }
  }
}

function ring(element) {
  const waiting = element.closest('button[disabled]');
  if (!waiting) return element.dispatchEvent(new CustomEvent('left:zero', { bubbles: true }));
  waiting.disabled = false;
  waiting.textContent = waiting.dataset.again || '重新获取';
}

tick();
setInterval(tick, 1000);

/* Fields: reveal a password; Ctrl/⌘+Enter sends the form one is writing in. */
onClick('[data-reveal]', (element) => {
  const field = $(element.dataset.reveal);
  const shown = field.type === 'text';
  field.type = shown ? 'password' : 'text';
  element.ariaPressed = String(!shown);
});
onClick('[data-print]', () => print());
on('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') event.target.closest?.('form')?.requestSubmit();
  if (event.key !== 'Escape' || $('dialog[open]')) return;
  const menu = $('details.dropdown[open]');
  if (menu) {
    menu.removeAttribute('open');
    $('summary', menu).focus();
  } else $('#bulkbar:not([hidden]) [data-bulk-clear]')?.click();
});

/* Bulk selection: [data-bulk] holds the rows' name="ids" boxes, #bulkbar shows how many are chosen. */
function countChosen() {
  const bar = $('#bulkbar');
  if (!bar) return;
  const boxes = $$('[data-bulk] [name="ids"]');
  const chosen = boxes.filter((box) => box.checked).length;
  $$('[data-bulk-n]').forEach((figure) => { figure.textContent = chosen; });
  bar.hidden = chosen === 0;
  const all = $('[data-bulk-all]');
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
}

function chooseAll(yes) {
  $$('[data-bulk] [name="ids"]').forEach((box) => { box.checked = yes; });
  countChosen();
}

on('change', (event) => {
  if (event.target.matches('[data-bulk-all]')) chooseAll(event.target.checked);
  else if (event.target.matches('[name="ids"]')) countChosen();
});
onClick('[data-bulk-clear]', () => chooseAll(false));

/* Computed lengths: data-vars="--v:42%" becomes custom properties through the CSSOM, since the CSP forbids style="". */
function applyVars(within) {
  for (const element of [within, ...$$('[data-vars]', within)]) {
    for (const pair of (element.dataset?.vars || '').split(';')) {
      const [name, value] = pair.split(':');
      if (name.startsWith('--')) element.style.setProperty(name.trim(), value.trim());
    }
  }
}

/* A radio may answer to the address: /pricing#private. */
function followHash() {
  const radio = location.hash && $(`[data-hash="${CSS.escape(location.hash.slice(1))}"]`);
  if (radio) radio.checked = true;
}
addEventListener('hashchange', followHash);

/* After a swap the focus moves only where the reader asked to go (data-focus), or to the first field to correct. */
on('htmx:afterSettle', (event) => {
  applyVars(event.target);
  const refused = event.detail.xhr?.status === 422 ? ', [aria-invalid="true"]' : '';
  const wanted = `[data-focus]${refused}`;
  (event.target.matches?.(wanted) ? event.target : $(wanted, event.target))?.focus({ preventScroll: !refused });
  $$('dialog[data-show]:not([open])', event.target.parentNode || document).forEach((dialog) => dialog.showModal());
  countChosen();
  tick();
});

/* What went wrong is said once; the block that failed keeps what it showed. */
const REFUSALS = {
  401: '登录已过期，请重新登录', 403: '你没有这项操作的权限', 404: '这条记录不存在，可能已被删除', 409: '内容刚被别人改过，请刷新后再试',
  413: '文件太大', 429: '操作太频繁，请稍等片刻再试',
};
on('htmx:responseError', ({ detail: { xhr } }) => {
  if (xhr.getResponseHeader('HX-Trigger')?.includes('toast')) return;
  toast(REFUSALS[xhr.status] || '服务出错了，你填的内容还在，请稍后再试', 'error');
});

const strip = (shown) => $$('#offline').forEach((element) => { element.hidden = !shown; });
addEventListener('offline', () => strip(true));
addEventListener('online', () => strip(false));
on('htmx:sendError', () => strip(true));
on('htmx:timeout', () => strip(true));
on('htmx:afterOnLoad', () => strip(false));

applyVars(root);
followHash();
countChosen();
