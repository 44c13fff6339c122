// The home page moves once: headline, river, thread, and each day of the story as it comes into view.
// Without motion wanted nothing here runs; the static page is the last frame.
import { gsap } from 'gsap';

const pace = { duration: 2.2, delay: 0.5, ease: 'power2.inOut' };

function unroll(svg) {
  if (!svg.getBoundingClientRect().width) return;
  const box = svg.viewBox.baseVal;
  const lies = box.width > box.height;
  const thread = svg.querySelector('[data-thread]');
  const bead = svg.querySelector('[data-bead]');
  const length = thread.getTotalLength();
  // The thread crosses the whole screen; the bead travels only where the page has text.
  const axis = lies ? 'x' : 'y';
  const end = lies ? box.width : box.height;
  let from = 0;
  let to = length;
  while (thread.getPointAtLength(from)[axis] < 6) from += 4;
  while (thread.getPointAtLength(to)[axis] > end - 8) to -= 4;
  const hidden = lies ? 'inset(-20% 100% -20% 0)' : 'inset(0 0 100% 0)';
  const shown = lies ? 'inset(-20% 0% -20% 0)' : 'inset(0 0 0% 0)';
  gsap.fromTo(svg.querySelector('[data-bands]'), { clipPath: hidden }, { clipPath: shown, duration: 1.6, ease: 'power2.inOut', clearProps: 'clipPath' });
  gsap.fromTo(thread, { strokeDasharray: length, strokeDashoffset: length }, { strokeDashoffset: 0, clearProps: 'strokeDasharray,strokeDashoffset', ...pace });
  const at = { share: 0 };
  gsap.to(at, {
    share: 1,
    ...pace,
    onUpdate() {
      const point = thread.getPointAtLength(from + (to - from) * at.share);
      bead.setAttribute('cx', point.x);
      bead.setAttribute('cy', point.y);
    },
  });
}

function appearInTurn(figures) {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      gsap.to(entry.target, { y: 0, opacity: 1, duration: 0.6, ease: 'power3.out', clearProps: 'transform,opacity' });
    }
  }, { rootMargin: '0px 0px -15% 0px' });
  for (const figure of figures) {
    if (figure.getBoundingClientRect().top <= innerHeight) continue;
    gsap.set(figure, { y: 20, opacity: 0 });
    seen.observe(figure);
  }
}

gsap.matchMedia().add('(prefers-reduced-motion: no-preference)', () => {
  gsap.from('[data-rise]', { y: 14, opacity: 0, duration: 0.7, ease: 'power3.out', stagger: 0.08, clearProps: 'transform,opacity' });
  document.querySelectorAll('[data-river]').forEach(unroll);
  gsap.from('[data-note]', { opacity: 0, y: 8, duration: 0.5, delay: 2.4, stagger: 0.15 });
  appearInTurn(document.querySelectorAll('.jfig'));
});
