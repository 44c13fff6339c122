"""Staff coming and going."""

from __future__ import annotations

import pytest

from tests.areas.admin.conftest import PASSWORD, Browser


def test_who_is_not_logged_in_is_led_to_the_log_in_and_back(client: Browser, team: None) -> None:
    turned_away = client.get("/admin/orders?view=late")
    back = client.post(turned_away.location, data={"username": "admin", "password": PASSWORD})

    assert turned_away.status_code == 303
    assert back.location == "/admin/orders?view=late"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_log_in_leads_to_no_other_site(client: Browser, team: None, elsewhere: str) -> None:
    answer = client.post(
        "/admin/login", query_string={"next": elsewhere}, data={"username": "admin", "password": PASSWORD}
    )

    assert answer.location == "/admin/"


def test_a_wrong_password_says_so_beside_the_field(client: Browser, team: None) -> None:
    answer = client.post("/admin/login", data={"username": "admin", "password": "wrong-password"})

    assert answer.status_code == 422
    assert "用户名或密码不对。" in answer.text
    assert "wrong-password" not in answer.text


def test_wrong_guesses_count_although_they_are_refused(client: Browser, team: None) -> None:
    for _ in range(5):
        client.post("/admin/login", data={"username": "admin", "password": "wrong-password"})

    answer = client.post("/admin/login", data={"username": "admin", "password": PASSWORD})

    assert answer.status_code == 422
    assert "错了太多次" in answer.text


def test_empty_fields_are_asked_for(client: Browser, team: None) -> None:
    answer = client.post("/admin/login", data={})

    assert answer.status_code == 422
    assert "请填用户名" in answer.text
    assert "请填密码" in answer.text


def test_after_logging_out_nothing_is_open(admin: Browser) -> None:
    assert admin.post("/admin/logout").location == "/admin/login"
    assert admin.get("/admin/").status_code == 303


def test_the_session_of_the_staff_opens_no_other_area(admin: Browser) -> None:
    assert admin.get("/my/").status_code == 303
    assert admin.get("/crm/").status_code == 303
