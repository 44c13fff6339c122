"""The button that fetches a code: what it answers with htmx and without, and the picture once somebody asks too much."""

from __future__ import annotations

import re
from datetime import timedelta

from app.core import clock, tenancy
from app.core.db import db
from app.customers import captcha
from app.customers.models import SmsCode
from tests.areas.checkout.conftest import HTMX, Buyer

FRAGMENT = {**HTMX, "HX-Target": "phone_proof"}


def count_sent() -> int:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return session.scalar(db.select(db.func.count()).select_from(SmsCode))


def test_without_script_the_page_comes_back_with_what_was_typed(buyer):
    buyer.choose()

    answer = buyer.ask_code()

    assert answer.status_code == 200 and "<html" in answer.text
    assert "验证码已发送" in answer.text and 'value="杭州青禾商贸有限公司"' in answer.text
    assert "data-left" not in answer.text  # nothing would wake a sleeping button up


def test_with_htmx_only_the_phone_s_part_comes_back(buyer):
    buyer.choose()

    answer = buyer.client.post("/checkout/saas/code", data={"phone": buyer.phone}, headers=FRAGMENT)

    assert answer.text.lstrip().startswith('<div id="phone_proof"') and "<html" not in answer.text
    assert "data-focus" in answer.text and "disabled" in answer.text and 'data-left="60"' in answer.text


def test_a_wrong_number_is_said_beside_the_field(buyer):
    buyer.choose()

    answer = buyer.client.post("/checkout/saas/code", data={"phone": "138"}, headers=FRAGMENT)

    assert answer.status_code == 422 and "手机号是 11 位" in answer.text and count_sent() == 0


def test_asked_too_soon_the_button_says_how_long_to_wait(buyer):
    buyer.choose()
    moment = clock.now()
    with clock.held(moment):
        buyer.ask_code()
    with clock.held(moment + timedelta(seconds=18)):
        plain = buyer.ask_code()
        swapped = buyer.client.post("/checkout/saas/code", data={"phone": buyer.phone}, headers=FRAGMENT)

    assert (plain.status_code, plain.headers["Retry-After"]) == (429, "42")
    assert swapped.status_code == 422 and 'data-left="42"' in swapped.text
    assert count_sent() == 1


def test_who_asks_often_reads_a_picture_first(buyer):
    buyer.choose()
    moment = clock.now()
    for minute in (0, 2):
        with clock.held(moment + timedelta(minutes=minute)):
            buyer.ask_code()
    with clock.held(moment + timedelta(minutes=4)):
        puzzled = buyer.ask_code()
        token = re.search(r'name="puzzle_token" value="([^"]+)"', puzzled.text)[1]
        picture = buyer.client.get(f"/checkout/puzzles/{token}.png")
        sound = buyer.client.get(f"/checkout/puzzles/{token}.wav")
        wrong = buyer.ask_code(puzzle_token=token, puzzle="00000")
        fresh = re.search(r'name="puzzle_token" value="([^"]+)"', wrong.text)[1]
        answer = captcha._opened(fresh)[0]
        sent = buyer.ask_code(puzzle_token=fresh, puzzle=answer)

    assert puzzled.status_code == 429 and "请先填图片里的数字" in wrong.text + puzzled.text
    assert picture.mimetype == "image/png" and picture.headers["Cache-Control"] == "no-store"
    assert sound.mimetype == "audio/wav"
    assert wrong.status_code == 422 and fresh != token
    assert sent.status_code == 200 and "验证码已发送" in sent.text and "puzzle_token" not in sent.text
    assert count_sent() == 3


def test_a_made_up_picture_is_not_there(client):
    assert client.get("/checkout/puzzles/nonsense.png").status_code == 404
    assert client.get("/checkout/puzzles/a:b.wav").status_code == 404


def test_the_answer_does_not_tell_whether_a_phone_is_known(app, buyer, work):
    buyer.buy()
    with clock.held(clock.now() + timedelta(minutes=5)):
        answers = []
        for phone in (buyer.phone, "13900139000"):
            visitor = Buyer(app.test_client(), work, phone=phone)
            visitor.choose()
            html = visitor.ask_code().text.replace(phone, "PHONE")
            answers.append(re.sub(r'name="csrf_token" value="[^"]*"|X-CSRFToken[^}]*', "", html))

    assert answers[0] == answers[1]
