// Which pages a visitor looked at, if he agrees. Until he fills in a form the list stays on his device; then it goes with
// the form under a key of his, and each later page is told at once. No cookie, and nothing is asked of anybody else.
//   <script src="…/f/visits.js" data-form="…" data-price="/pricing" defer></script>
(() => {
  'use strict';
  const { dataset: mine, src } = document.currentScript;
  const home = new URL(src).origin;
  const door = `${home}/f/${mine.form}`;
  const NAME = `yunke-visits-${mine.form}`;
  const DAY = 864e5;
  const KEPT = 30 * DAY;
  const ASK_AGAIN = 180 * DAY;
  const MOST = 30;

  // Where nothing can be kept nothing is asked, and before the visitor agrees nothing is.
  let shelf;
  try {
    shelf = localStorage;
  } catch {
    return;
  }
  const keep = (state) => shelf.setItem(NAME, JSON.stringify(state));
  function read() {
    try {
      return JSON.parse(shelf.getItem(NAME)) || {};
    } catch {
      return {};
    }
  }
  const agreed = () => read().ok === true;
  const tell = (path, said) => navigator.sendBeacon(`${door}${path}`, new Blob([JSON.stringify(said)], { type: 'text/plain' }));

  function look() {
    const state = read();
    if (location.href.startsWith(door)) {
      if (location.pathname.endsWith('/done')) keep({ ...state, seen: [] }); // they have it now
      return;
    }
    const path = location.pathname;
    const isPrice = (mine.price || '').split(',').some((start) => start.trim() && path.startsWith(start.trim()));
    const page = [path.slice(0, 200), isPrice ? 'price' : 'page', document.title.slice(0, 100), Math.floor(Date.now() / 1000)];
    if (state.key) tell('/visits', { v: state.key, p: page[0], k: page[1], t: page[2] });
    const fresh = (state.seen || []).filter((one) => one[0] !== page[0] && one[3] * 1000 > Date.now() - KEPT);
    keep({ ...state, seen: [...fresh, page].slice(-MOST) });
  }

  // With a form: the key, made now if there is none, and what was seen before.
  function introduction() {
    const state = read();
    if (!state.key) {
      const bytes = crypto.getRandomValues(new Uint8Array(18));
      state.key = btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_');
      keep(state);
    }
    return { visitor: state.key, visited: JSON.stringify(state.seen || []) };
  }
  function addTo(form) {
    for (const [name, value] of Object.entries(introduction())) {
      const field = form.querySelector(`input[name="${name}"]`) || form.appendChild(Object.assign(document.createElement('input'), { type: 'hidden', name }));
      field.value = value;
    }
  }
  document.addEventListener('submit', (event) => {
    if (agreed() && event.target.action.startsWith(`${door}`)) addTo(event.target);
  });
  // The form in a frame asks for the same.
  addEventListener('message', (event) => {
    if (event.origin === home && event.data?.yunkeFormWants === 'visitor' && agreed()) {
      event.source.postMessage({ yunkeVisitor: introduction() }, home);
    }
  });

  // ── asked ──

  function choose(ok) {
    const { key } = read();
    if (!ok && key) tell('/visits/forget', { v: key });
    keep(ok ? { ok, at: Date.now(), seen: [] } : { ok, at: Date.now() });
    if (ok) look();
  }
  function asking() {
    const there = document.querySelector('[data-visits-ask]');
    if (there) return there;
    const bar = document.body.appendChild(document.createElement('div'));
    const line = bar.appendChild(document.createElement('div'));
    const words = line.appendChild(document.createElement('span'));
    words.textContent = '允许记下你看过哪些页面吗？在你填表单以前只记在这台设备上，填了以后我们才看得到。不允许也能照常浏览。';
    for (const [choice, text] of [['yes', '允许'], ['no', '不允许']]) {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
      button.dataset.visits = choice;
      Object.assign(button.style, { font: 'inherit', padding: '6px 16px', border: '1px solid currentColor', borderRadius: '6px', background: 'none', color: 'inherit', cursor: 'pointer' });
      line.append(button);
    }
    Object.assign(bar.style, { position: 'fixed', inset: 'auto 0 0 0', zIndex: 2147483000 });
    Object.assign(line.style, { display: 'flex', flexWrap: 'wrap', gap: '12px', alignItems: 'center', padding: '12px 16px', font: '14px/1.6 system-ui,sans-serif', background: '#fff', color: '#222', boxShadow: '0 -1px 0 #ddd' });
    bar.setAttribute('role', 'region');
    bar.setAttribute('aria-label', '浏览记录');
    bar.dataset.visitsAsk = '';
    return bar;
  }
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-visits]');
    if (button) {
      choose(button.dataset.visits === 'yes');
      asking().hidden = true;
    }
    if (event.target.closest('[data-visits-open]')) asking().hidden = false;
  });
  const state = read();
  if (state.ok === true) look();
  else if (!navigator.globalPrivacyControl && (state.ok === undefined || Date.now() - state.at > ASK_AGAIN)) asking().hidden = false;
})();
