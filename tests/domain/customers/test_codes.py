"""SMS codes: what proves a phone, and how nobody is bombed (SPEC §3, PITFALLS 77 and Ahead 19)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from app.core import clock, crypto
from app.core.db import db
from app.core.errors import Invalid, TooMany
from app.core.events import Event
from app.customers import captcha, codes
from app.customers.models import SmsCode

NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)
PHONE = "13800138000"


def ask(phone=PHONE, address="10.0.0.1", purpose="buy", **more):
    """One request of the form, as the area's guard ends it: kept, or rolled back when refused."""
    try:
        answer = codes.send_code(phone, purpose, address, **more)
    except Exception as refusal:
        (db.session.commit if getattr(refusal, "keeps_changes", False) else db.session.rollback)()
        raise
    db.session.commit()
    return answer


def check(code, phone=PHONE, purpose="buy"):
    try:
        codes.check_code(phone, purpose, code)
    except Exception as refusal:
        (db.session.commit if getattr(refusal, "keeps_changes", False) else db.session.rollback)()
        raise
    db.session.commit()


def solved():
    """A puzzle and its answer, as a patient person would give it."""
    token = captcha.issue()
    return token, captcha._opened(token)[0]


def test_a_code_has_six_digits_and_is_sent_once(sent):
    answer = ask()

    assert (answer.retry_after, answer.expires_in) == (60, 300)
    assert [len(code.code) for code in sent()] == [6] and sent()[0].code.isdigit()
    assert [e.subject_id for e in db.session.scalars(db.select(Event).where(Event.name == "code.issued"))] == [
        sent()[0].id
    ]


def test_neither_phone_nor_code_stands_readable_in_the_database(app, sent):
    ask()

    with db.engine.connect() as connection:
        row = " ".join(map(str, connection.exec_driver_sql("SELECT phone, code, phone_index FROM sms_codes").one()))
        outbox = " ".join(map(str, connection.exec_driver_sql("SELECT payload FROM outbox_events").all()))

    assert PHONE not in row + outbox and sent()[0].code not in row + outbox


def test_the_right_code_proves_the_phone_once(last_code):
    ask()
    code = last_code()

    check(code)

    with pytest.raises(Invalid, match="失效"):
        check(code)


def test_a_used_code_is_wiped(last_code, sent):
    ask()
    check(last_code())
    db.session.expire_all()

    assert (sent()[0].code, sent()[0].phone) == (None, None)


def test_full_width_digits_and_blanks_are_understood(last_code):
    ask()
    wide = last_code().translate(str.maketrans("0123456789", "０１２３４５６７８９"))

    check(f" {wide[:3]} {wide[3:]}")


def test_a_code_is_good_for_five_minutes_and_no_longer(last_code):
    with clock.held(NOON):
        ask()
    with clock.held(NOON + timedelta(minutes=5)), pytest.raises(Invalid, match="失效"):
        check(last_code())
    with clock.held(NOON + timedelta(minutes=4, seconds=59)):
        check(last_code())


def test_five_wrong_tries_void_a_code_even_for_who_then_knows_it(last_code):
    ask()
    right = last_code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"

    for left in (4, 3, 2, 1):
        with pytest.raises(Invalid, match=f"还可以试 {left} 次"):
            check(wrong)
    with pytest.raises(Invalid, match="错了 5 次"):
        check(wrong)

    with pytest.raises(Invalid, match="失效"):
        check(right)


def test_an_empty_code_costs_no_try(sent):
    ask()

    with pytest.raises(Invalid, match="6 位"):
        check("  ")

    assert sent()[0].tries == 0


def test_a_code_for_one_purpose_or_phone_is_none_for_another(last_code):
    ask(purpose="buy")
    code = last_code()

    with pytest.raises(Invalid):
        check(code, purpose="login")
    with pytest.raises(Invalid):
        check(code, phone="13900139000")
    check(code)


def test_a_newer_code_voids_the_older(sent):
    with clock.held(NOON):
        ask()
    with clock.held(NOON + timedelta(seconds=61)):
        ask()
        first, second = (code.code for code in sent())
        if first != second:
            with pytest.raises(Invalid):
                check(first)
        check(second)


def test_another_code_waits_for_sixty_seconds_whatever_it_is_for(sent):
    with clock.held(NOON):
        ask(purpose="buy")
    with clock.held(NOON + timedelta(seconds=20)), pytest.raises(TooMany) as refusal:
        ask(purpose="login")
    with clock.held(NOON + timedelta(seconds=60)):
        ask(purpose="login")

    assert refusal.value.retry_after == 40 and "40 秒" in refusal.value.message
    assert len(sent()) == 2


def test_the_answer_is_the_same_for_a_phone_that_has_an_account(app):
    from app.customers.register import register_buyer

    register_buyer(company_name="青禾商贸", contact_name="周予安", phone=PHONE, email=None, terms=[], address="")
    db.session.commit()

    assert ask(PHONE, purpose="login") == ask("13900139000", purpose="login")


def test_after_two_codes_a_phone_waits_for_a_person_to_read_a_picture(sent):
    for minute in range(2):
        with clock.held(NOON + timedelta(minutes=2 * minute)):
            ask(address=f"10.0.0.{minute}")
    with clock.held(NOON + timedelta(minutes=6)):
        with pytest.raises(captcha.PuzzleNeeded):
            ask(address="10.0.0.9")
        with pytest.raises(Invalid, match="不对"):
            ask(address="10.0.0.9", puzzle=(captcha.issue(), "11111"))
        ask(address="10.0.0.9", puzzle=solved())

    assert len(sent()) == 3


def test_an_address_that_asked_for_three_phones_meets_the_picture_too(sent):
    for n in range(3):
        ask(f"1380013800{n}")

    with pytest.raises(captcha.PuzzleNeeded):
        ask("13800138009")
    ask("13800138009", address="10.0.0.2")

    assert len(sent()) == 4


def test_a_puzzle_takes_one_guess():
    token, answer = solved()

    with pytest.raises(captcha.WrongAnswer):
        captcha.solve(token, "11111")
    with pytest.raises(Invalid, match="失效"):
        captcha.solve(token, answer)


def test_a_puzzle_shows_nothing_of_its_answer_and_can_be_seen_and_heard():
    token, answer = solved()
    raw = base64.urlsafe_b64decode(token.partition(":")[2] + "==")

    assert answer not in token and answer.encode() not in raw
    assert captcha.picture(token).startswith(b"\x89PNG")
    assert captcha.sound(token).startswith(b"RIFF")


@pytest.mark.parametrize("forged", ["", "abc", "00000000:AAAA", "x:y:z", "::::"])
def test_a_made_up_puzzle_is_refused(forged):
    with pytest.raises(Invalid):
        captcha.solve(forged, "12345")
    sealed = crypto.keys().encrypt("12345|99999999999").translate(str.maketrans("+/", "-_"))
    with pytest.raises(Invalid):
        captcha.solve(sealed, "12345")


def test_a_thousand_requests_from_two_hundred_addresses_send_five_messages_an_hour(sent):
    moment = NOON
    for n in range(1000):
        moment += timedelta(milliseconds=3550)  # the thousand fill 59 minutes
        with clock.held(moment):
            try:
                ask(address=f"10.0.{n % 200}.1", puzzle=solved() if n % 3 == 0 else None)
            except (TooMany, Invalid):
                continue

    assert len(sent()) == 5


def test_no_sliding_hour_holds_more_than_five_and_no_day_more_than_ten(sent):
    moments = []
    for minute in range(0, 26 * 60, 2):
        with clock.held(NOON + timedelta(minutes=minute)):
            try:
                ask(address=f"10.1.{minute % 250}.1", puzzle=solved())
            except TooMany:
                continue
        moments.append(NOON + timedelta(minutes=minute))

    for begin in moments:
        assert sum(begin <= m < begin + timedelta(hours=1) for m in moments) <= 5
        assert sum(begin <= m < begin + timedelta(days=1) for m in moments) <= 10
    assert len(moments) > 10


def test_an_address_that_asks_for_many_phones_is_stopped():
    codes.use_limits(codes.Limits(address_hour=4, trusted_address=99))
    for n in range(4):
        ask(f"1380013800{n}")

    with pytest.raises(TooMany, match="网络"):
        ask("13800138009")


def test_when_the_day_s_budget_is_spent_nobody_gets_a_code_and_staff_are_told_once():
    codes.use_limits(codes.Limits(budget=2, trusted_address=99))
    for n in range(2):
        ask(f"1380013800{n}", address=f"10.0.0.{n}", puzzle=solved())

    for n in range(2, 5):
        with pytest.raises(codes.BudgetSpent):
            ask(f"1380013800{n}", address=f"10.0.0.{n}", puzzle=solved())

    told = db.session.scalars(db.select(Event).where(Event.name == "code.budget_spent")).all()
    assert len(told) == 1


def test_parallel_requests_for_one_phone_send_one_message(app, parallel):
    def request(n):
        ask(address=f"10.0.0.{n}")

    outcomes = parallel(request, 8)

    assert sorted(outcomes)[:1] == ["None"] and len([o for o in outcomes if o == "None"]) == 1
    assert db.session.scalar(db.select(db.func.count()).select_from(SmsCode)) == 1


def test_parallel_right_answers_prove_the_phone_once(app, parallel, last_code):
    ask()
    code = last_code()

    outcomes = parallel(lambda _: check(code), 6)

    assert len([o for o in outcomes if o == "None"]) == 1


def test_parallel_guesses_are_five_at_most(app, parallel, sent):
    ask()
    wrong = f"{(int(sent()[0].code) + 1) % 10**6:06d}"

    parallel(lambda _: check(wrong), 12)

    db.session.expire_all()
    assert sent()[0].tries == 5


def test_the_letter_is_for_who_sends_it_and_stale_ones_are_not_sent(sent):
    with clock.held(NOON):
        ask()
        letter = codes.letter(sent()[0].id)
    with clock.held(NOON + timedelta(minutes=6)):
        stale = codes.letter(sent()[0].id)

    assert (letter.phone, letter.code, letter.purpose) == (PHONE, sent()[0].code, "buy")
    assert stale is None and codes.letter("nobody") is None
