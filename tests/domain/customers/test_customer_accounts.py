"""Accounts that open by buying, log-ins by password and code, first passwords, one-time tickets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.core import clock, crypto
from app.core.db import db
from app.core.errors import Invalid, Refused, TooMany
from app.customers import codes, login, quota, tickets
from app.customers.demo import make_customer
from app.customers.models import Acceptance, Customer, Person
from app.customers.register import register_buyer

NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)
PHONE = "13800138000"
SECRET = "qinghe-2026-crm"


def register(phone=PHONE, company="杭州青禾商贸有限公司", terms=(("terms", "2026-11"),)):
    return register_buyer(
        company_name=company,
        contact_name="周予安",
        phone=phone,
        email="zhou@qinghe.cn",
        terms=terms,
        address="10.0.0.1",
    )


def guess(password, phone=PHONE, address="10.0.0.1"):
    """One log-in request, as the area's guard ends it."""
    try:
        person = login.log_in_with_password(phone, password, address)
    except Refused as refusal:
        (db.session.commit if refusal.keeps_changes else db.session.rollback)()
        raise
    db.session.commit()
    return person


@pytest.fixture
def owner():
    person = register()
    login.set_password(person, SECRET)
    db.session.commit()
    return person


def test_buying_opens_an_account_with_its_owner_and_no_password():
    person = register()

    assert (person.role, person.password, person.customer.password) == ("owner", None, None)
    assert (person.customer.company_name, person.customer.source) == ("杭州青禾商贸有限公司", "website")


def test_the_phone_is_encrypted_in_both_tables():
    register()
    db.session.commit()

    with db.engine.connect() as connection:
        stored = str(connection.exec_driver_sql("SELECT phone FROM website_customers").all())
        stored += str(connection.exec_driver_sql("SELECT phone FROM customer_people").all())
    assert PHONE not in stored


def test_a_phone_that_has_an_account_buys_into_it_unchanged():
    first = register()
    second = register(company="别的名字")

    assert second.id == first.id and second.customer.company_name == "杭州青禾商贸有限公司"
    assert db.session.scalar(db.select(db.func.count()).select_from(Customer)) == 1


def test_each_accepted_version_is_written_once():
    register(terms=[("terms", "2026-11"), ("privacy", "2026-11")])
    register(terms=[("terms", "2026-11"), ("privacy", "2027-01")])

    rows = db.session.execute(db.select(Acceptance.document, Acceptance.version)).all()
    assert sorted(map(tuple, rows)) == [("privacy", "2026-11"), ("privacy", "2027-01"), ("terms", "2026-11")]


def test_a_closed_account_can_not_buy(owner):
    owner.customer.status = "closed"
    db.session.commit()

    with pytest.raises(Refused, match="停用"):
        register()


def test_two_tabs_that_register_at_once_open_one_account(app, parallel):
    def submit(_number):
        register()
        db.session.commit()

    outcomes = parallel(submit, 4)

    assert outcomes == ["None"] * 4
    assert db.session.scalar(db.select(db.func.count()).select_from(Person)) == 1
    assert db.session.scalar(db.select(db.func.count()).select_from(Customer)) == 1


def test_the_owner_s_hash_stands_at_the_company_too(owner):
    assert owner.password == owner.customer.password
    assert crypto.password_matches(SECRET, owner.customer.password)


def test_a_technician_s_password_is_his_own(owner):
    helper = Person(
        customer_id=owner.customer_id, name="李工", phone="13900139000", phone_index="x" * 40, role="technician"
    )
    db.session.add(helper)
    db.session.flush()
    login.set_password(helper, "another-2026-one")

    assert helper.customer.password == owner.password


def test_phone_and_password_open_the_door(owner):
    person = guess(SECRET, phone="+86 138-0013-8000")

    assert person.id == owner.id and person.last_login_at is not None


def test_a_wrong_password_and_an_unknown_phone_get_the_same_answer(owner):
    with pytest.raises(Invalid) as known:
        guess("wrong")
    with pytest.raises(Invalid) as unknown:
        guess("wrong", phone="13900139000")

    assert known.value.message == unknown.value.message
    assert known.value.field is unknown.value.field is None


@pytest.mark.parametrize("whose", ["person", "company"])
def test_a_closed_account_looks_like_a_wrong_password(owner, whose):
    (owner if whose == "person" else owner.customer).status = "closed"
    db.session.commit()

    with pytest.raises(Invalid, match="手机号或密码不对"):
        guess(SECRET)


def test_an_account_without_a_password_is_not_entered_by_an_empty_one():
    register()
    db.session.commit()

    with pytest.raises(Invalid):
        guess("")


def test_after_five_wrong_guesses_even_the_right_one_waits(owner):
    with clock.held(NOON):
        for _ in range(5):
            with pytest.raises(Invalid):
                guess("wrong")
        with pytest.raises(TooMany) as refusal:
            guess(SECRET)
        assert guess(SECRET, address="10.0.0.2").id == owner.id  # the owner is not locked out by a stranger
    with clock.held(NOON + timedelta(minutes=16)):
        assert guess(SECRET).id == owner.id

    assert "15 分钟" in refusal.value.message and refusal.value.retry_after == 900


def test_guesses_from_many_addresses_are_counted_at_the_phone(owner):
    refused = 0
    for n in range(30):
        try:
            guess("wrong", address=f"10.0.1.{n}")
        except TooMany:
            refused += 1
        except Invalid:
            continue

    assert refused == 10


def test_parallel_guesses_are_five_at_most(owner, parallel):
    outcomes = parallel(lambda n: guess("wrong"), 12)

    assert outcomes.count("WrongLogin") == 5 and outcomes.count("TooMany") == 7


def test_a_code_opens_the_door_without_a_password(last_code):
    person = register()
    codes.send_code(PHONE, "login", "10.0.0.1")

    assert login.log_in_with_code(PHONE, last_code(), "10.0.0.1").id == person.id


def test_only_who_holds_the_phone_learns_that_it_has_no_account(last_code):
    codes.send_code(PHONE, "login", "10.0.0.1")
    right = last_code()

    with pytest.raises(Invalid, match="验证码不对"):
        login.log_in_with_code(PHONE, f"{(int(right) + 1) % 10**6:06d}", "10.0.0.1")
    with pytest.raises(Invalid, match="还没有可用的账号"):
        login.log_in_with_code(PHONE, right, "10.0.0.1")


def test_a_new_password_ends_all_other_sessions(owner):
    epoch = owner.session_epoch
    login.change_password(owner, SECRET, "brand-new-2027")

    assert owner.session_epoch == epoch + 1
    assert guess("brand-new-2027").id == owner.id
    with pytest.raises(Invalid):
        guess(SECRET)


def test_the_old_password_is_asked_for_and_guessing_it_is_limited(owner):
    for _ in range(5):
        with pytest.raises(Invalid) as refusal:
            login.change_password(owner, "wrong", "brand-new-2027")
    with pytest.raises(TooMany):
        login.change_password(owner, SECRET, "brand-new-2027")

    assert refusal.value.field == "old"


def test_the_first_password_is_set_by_a_code_and_never_by_an_empty_old_one(last_code):
    person = register()
    codes.send_code(PHONE, "password", "10.0.0.1")

    with pytest.raises(Invalid, match="现在的密码不对"):
        login.change_password(person, "", SECRET)
    login.set_password_with_code(person, last_code(), SECRET)

    assert crypto.password_matches(SECRET, person.password)


def test_a_weak_password_does_not_use_the_code_up(owner, last_code):
    codes.send_code(PHONE, "password", "10.0.0.1")

    with pytest.raises(Invalid, match="至少 10 位"):
        login.set_password_with_code(owner, last_code(), "short1")
    login.set_password_with_code(owner, last_code(), "brand-new-2027")

    assert guess("brand-new-2027").id == owner.id


def test_a_code_for_another_purpose_sets_no_password(owner, last_code):
    codes.send_code(PHONE, "login", "10.0.0.1")

    with pytest.raises(Invalid, match="失效"):
        login.set_password_with_code(owner, last_code(), "brand-new-2027")


def test_a_ticket_leads_its_person_in_once(owner):
    ticket = tickets.issue(login.TICKET, owner.id)

    assert login.log_in_with_ticket(ticket).id == owner.id
    with pytest.raises(Invalid, match="用过或过期"):
        login.log_in_with_ticket(ticket)


def test_a_ticket_for_the_crm_does_not_open_the_center(owner):
    with pytest.raises(Invalid, match="用过或过期"):
        login.log_in_with_ticket(tickets.issue("crm", owner.id))


def test_a_ticket_opens_nothing_for_whose_account_was_closed(owner):
    ticket = tickets.issue(login.TICKET, owner.id)
    owner.customer.status = "suspended"

    with pytest.raises(Invalid, match="不能登录"):
        login.log_in_with_ticket(ticket)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short1", "至少 10 位"),
        ("onlyletters", "字母和数字"),
        ("1234567890", "字母和数字"),
        ("password123", "太容易"),
        ("Qwerty12345", "太容易"),
        ("a1a1a1a1a1a1", "太容易"),
        ("x13800138000", "太容易"),
        ("a1" * 80, "最多 128 位"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password, words):
    with pytest.raises(Invalid, match=words) as refusal:
        login.check_password_strength(password, PHONE)

    assert refusal.value.field == "new"


@pytest.mark.parametrize("password", ["qinghe-2026-crm", "correct horse 7 battery", "青禾商贸二零二六abc1"])
def test_a_good_password_is_taken(password):
    login.check_password_strength(password, PHONE)


def test_a_password_of_more_than_72_bytes_counts_to_its_end():
    hashed = crypto.hash_password("a" * 80 + "1")

    assert crypto.password_matches("a" * 80 + "1", hashed) and not crypto.password_matches("a" * 80 + "2", hashed)


def test_a_ticket_opens_one_door_once(app):
    token = tickets.issue("crm", "tenant-1")

    with pytest.raises(Invalid):
        tickets.redeem("center", token)
    assert tickets.redeem("crm", token) == "tenant-1"
    with pytest.raises(Invalid, match="用过或过期"):
        tickets.redeem("crm", token)


def test_a_ticket_lives_a_minute():
    with clock.held(NOON):
        token = tickets.issue("crm", "tenant-1")
    with clock.held(NOON + timedelta(seconds=60)), pytest.raises(Invalid):
        tickets.redeem("crm", token)


def test_parallel_redemptions_open_one_door(app, parallel):
    token = tickets.issue("crm", "tenant-1")
    db.session.commit()

    def redeem(_number):
        subject = tickets.redeem("crm", token)
        db.session.commit()
        return subject

    outcomes = parallel(redeem, 6)

    assert sorted(outcomes) == ["Invalid"] * 5 + ["tenant-1"]


def test_the_token_itself_is_not_stored(app):
    token = tickets.issue("crm", "tenant-1")
    db.session.commit()

    with db.engine.connect() as connection:
        assert token not in str(connection.exec_driver_sql("SELECT * FROM login_tokens").all())


def test_a_quota_counts_within_its_window_and_begins_anew():
    with clock.held(NOON):
        quota.take("x", 2, timedelta(minutes=1))
        quota.take("x", 2, timedelta(minutes=1))
        with pytest.raises(TooMany) as refusal:
            quota.take("x", 2, timedelta(minutes=1))
        quota.take("y", 2, timedelta(minutes=1))
    with clock.held(NOON + timedelta(minutes=1)):
        quota.take("x", 2, timedelta(minutes=1))

    assert refusal.value.retry_after == 60 and quota.seconds_left("nobody") == 0


def test_parallel_takers_share_what_there_is(app, parallel):
    def take(_number):
        quota.take("x", 3, timedelta(minutes=1))
        db.session.commit()

    outcomes = parallel(take, 8)

    assert outcomes.count("None") == 3 and outcomes.count("TooMany") == 5


def test_a_demo_customer_is_made_once():
    first = make_customer("青禾商贸", "周予安", PHONE, None, "yunke-demo")
    again = make_customer("青禾商贸", "周予安", PHONE, None, "other")
    db.session.commit()

    assert first.id == again.id and guess("yunke-demo").id == first.id
