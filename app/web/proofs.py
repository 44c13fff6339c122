"""Sending the code that proves a person's phone: for a purchase, for the log-in, for a new password."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from wtforms import HiddenField, StringField
from wtforms.validators import Length

from app.core.errors import Refused, TooMany
from app.customers import captcha, codes
from app.web.forms import Form
from app.web.visitor import client_network

_LONGEST_COUNTDOWN = 120  # seconds; a longer wait is said in words


class ProofForm(Form):
    """What asking for a code may need: the answer to a picture."""

    puzzle = StringField("图片里的数字", [Length(max=12, message="图片里是 5 位数字")])
    puzzle_token = HiddenField()


@dataclass(slots=True)
class Proof:
    """How far the code is on its way, for the part of the page that shows it."""

    wait: int = 0  # seconds until another code may be asked for
    sent: bool = False
    puzzle: str = ""  # the token of a picture to be read, if one is needed
    done: bool = False  # this browser proved the phone before
    status: int = 200
    retry_after: int = 0  # seconds, for machines; people read them in the refusal

    @property
    def counts_down(self) -> bool:
        """Without script nothing would wake the button up again: it stays, and the server says how long to wait."""
        return self.wait > 0 and "HX-Request" in request.headers


def send(form: ProofForm, phone: str, purpose: str) -> Proof:
    """Have a code sent; a refusal stands in the form. The answer is the same for a phone that we know."""
    guess = (form.puzzle_token.data, form.puzzle.data or "") if form.puzzle_token.data else None
    try:
        sent = codes.send_code(phone, purpose, client_network(), puzzle=guess)
    except Refused as error:
        form.refuse(error)
        return _refused(error)
    return Proof(wait=sent.retry_after, sent=True)


def _refused(error: Refused) -> Proof:
    wait = error.retry_after if isinstance(error, TooMany) else 0
    needs_picture = isinstance(error, captcha.PuzzleNeeded) or error.field == "puzzle"
    return Proof(
        wait=wait if wait <= _LONGEST_COUNTDOWN else 0,
        puzzle=captcha.issue() if needs_picture else "",
        # htmx swaps a 422 and leaves a 429 alone; whoever comes without it gets the true status.
        status=422 if "HX-Request" in request.headers else error.status,
        retry_after=wait,
    )
