"""The two small scripts of an embedded form: one for the page around it, one inside; without them the frame has a fixed height."""

from __future__ import annotations

from flask import Response

from app.blueprints.forms import area

# Beside the frame: take the height that the form inside says, and from nobody else.
AROUND = """(function () {
  'use strict';
  var home = new URL(document.currentScript.src).origin;
  window.addEventListener('message', function (event) {
    var height = event.data && event.data.yunkeFormHeight;
    if (event.origin !== home || typeof height !== 'number' || !(height > 0 && height < 5000)) return;
    document.querySelectorAll('iframe').forEach(function (frame) {
      if (frame.contentWindow === event.source) frame.style.height = Math.ceil(height) + 'px';
    });
  });
})();
"""
# In the frame: say how high the page is, whenever that changes; it is no secret, so anybody may hear it. Whoever fills the
# form in and let the page around it note his visits brings them along: the page tells when somebody begins to write.
INSIDE = """(function () {
  'use strict';
  if (window.parent === window) return;
  function say() { window.parent.postMessage({ yunkeFormHeight: document.body.scrollHeight + 2 }, '*'); }
  new ResizeObserver(say).observe(document.body);
  say();
  window.addEventListener('message', function (event) {
    var form = document.querySelector('form');
    if (event.source !== window.parent || !form || !event.data || !event.data.yunkeVisitor) return;
    ['visitor', 'visited'].forEach(function (name) {
      var field = form.querySelector('input[name="' + name + '"]') || document.createElement('input');
      field.type = 'hidden';
      field.name = name;
      field.value = String(event.data.yunkeVisitor[name] || '');
      form.appendChild(field);
    });
  });
  document.addEventListener('focusin', function () {
    window.parent.postMessage({ yunkeFormWants: 'visitor' }, '*');
  });
})();
"""


@area.get("/embed.js")
def embed_script() -> Response:
    answer = _script(AROUND)
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@area.get("/frame.js")
def frame_script() -> Response:
    return _script(INSIDE)


def _script(text: str) -> Response:
    answer = Response(text, content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer
