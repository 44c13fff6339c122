"""What hangs on a record: comments, files, helping colleagues, the timeline that tells of all."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from app.core import clock, storage, tenancy
from app.core.db import db
from app.crm.access.notices import Notice
from app.crm.leads import convert
from app.crm.leads.lead import LEAD
from app.crm.records import attachments, reach, space
from app.crm.records.attachments import Attachment
from app.crm.records.comments import Comment
from app.provisioning.models import Tenant
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40
HTMX = {"HX-Request": "true"}


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", name="李牧之", phone="13900136721")


@pytest.fixture
def sales(ours: Company, browser: Callable[..., CrmBrowser]) -> CrmBrowser:
    return browser(ours, "sales1")


def send(client: CrmBrowser, lead: str, *files: tuple[bytes, str], **headers: str) -> Any:
    parts = MultiDict([("files", FileStorage(io.BytesIO(body), name)) for body, name in files])
    boundary, body = encode_multipart(parts)
    kind = f'multipart/form-data; boundary="{boundary}"'
    return client.post(f"/crm/leads/{lead}/attachments", data=body, content_type=kind, headers=headers)


def fetch(client: CrmBrowser, path: str) -> Any:
    """A file, read to its end and closed."""
    with client.get(path) as answer:
        answer.get_data()
        return answer


def all_of(model: type) -> list[Any]:
    return list(db.session.scalars(select(model).order_by(model.id).execution_options(whole_tenant=True)))


# ── comments ──


def test_a_comment_tells_whoever_is_mentioned_and_may_see_the_record(ours: Company, li: str, sales: CrmBrowser) -> None:
    answer = sales.post(
        f"/crm/leads/{li}/comments", data={"body": "@顾长宁 帮忙看看，@苏晚晴 @林知远 也来"},
        headers=HTMX | {"HX-Target": "record_timeline"},
    )  # fmt: skip

    assert answer.status_code == 200 and "帮忙看看" in answer.text
    assert (
        "\\u82cf\\u665a\\u6674\\u6ca1\\u6709\\u67e5\\u770b\\u6743\\u9650" in answer.headers["HX-Trigger"]
    )  # 苏晚晴没有查看权限
    with working(ours):
        told = all_of(Notice)
        assert [(one.user_id, one.path) for one in told] == [(ours.people["manager"], f"/crm/leads/{li}")]
        assert "林知远在线索「李牧之」里提到了你" in told[0].text


def test_the_longest_name_is_meant(ours: Company, li: str, browser: Callable[..., CrmBrowser]) -> None:
    browser(ours, "admin").post(f"/crm/leads/{li}/comments", data={"body": "@苏晚晴看一下"})

    with working(ours):
        assert all_of(Notice) == []  # 苏晚 (looker), who may see it, was not meant; 苏晚晴 may not see it


def test_own_words_can_be_corrected_and_taken_back_for_a_quarter_of_an_hour(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    sales, manager = browser(ours, "sales1"), browser(ours, "manager")
    sales.post(f"/crm/leads/{li}/comments", data={"body": "先报个价"})
    with working(ours):
        key = all_of(Comment)[0].id

    assert manager.post(f"/crm/leads/{li}/comments/{key}", data={"body": "改"}).status_code == 403
    assert sales.post(f"/crm/leads/{li}/comments/{key}", data={"body": "先报九折"}).status_code == 303
    page = sales.get(f"/crm/leads/{li}").text
    assert "先报九折" in page and "先报个价" not in page and "改过" in page

    with clock.held(clock.now() + timedelta(minutes=16), for_all_threads=True):
        assert sales.post(f"/crm/leads/{li}/comments/{key}", data={"body": "又改"}).status_code == 409
        assert sales.post(f"/crm/leads/{li}/comments/{key}/delete").status_code == 409
    assert sales.post(f"/crm/leads/{li}/comments/{key}/delete").status_code == 303
    assert "先报九折" not in sales.get(f"/crm/leads/{li}").text


def test_a_comment_of_another_record_is_not_found_under_this_one(
    ours: Company, li: str, sales: CrmBrowser, record: Callable[..., str]
) -> None:
    other = record(ours, "lead", owner="sales1", name="王沐阳")
    sales.post(f"/crm/leads/{li}/comments", data={"body": "先报个价"})
    with working(ours):
        key = all_of(Comment)[0].id

    assert sales.post(f"/crm/leads/{other}/comments/{key}", data={"body": "改"}).status_code == 404


def test_who_may_only_look_does_not_comment_and_nobody_says_nothing(
    ours: Company, li: str, sales: CrmBrowser, browser: Callable[..., CrmBrowser]
) -> None:
    assert browser(ours, "looker").post(f"/crm/leads/{li}/comments", data={"body": "好"}).status_code == 403
    empty = sales.post(f"/crm/leads/{li}/comments", data={"body": "  "})
    assert empty.status_code == 422 and "写点什么再发" in empty.text


@pytest.mark.parametrize(
    "payload", ["<img src=x onerror=alert(1)>", "</textarea><script>alert(1)</script>", "{{ 7*7 }}"]
)
def test_what_people_write_stays_text_everywhere(
    ours: Company, sales: CrmBrowser, record: Callable[..., str], payload: str
) -> None:
    key = record(ours, "lead", owner="sales1", name=payload[:100], company=payload, remark=payload, tags=[payload[:30]])
    sales.post(f"/crm/leads/{key}/comments", data={"body": payload})
    send(sales, key, (b"x", f"{payload}.txt"))
    sales.post(f"/crm/leads/{key}/facts/region", data={"region": payload})

    for path in (
        f"/crm/leads/{key}",
        f"/crm/leads/{key}/edit",
        f"/crm/leads/{key}?edit=remark",
        f"/crm/leads/{key}/delete",
    ):
        page = sales.get(path).text
        assert "<img src=x" not in page and "<script>alert" not in page and "49" not in page.split("<main", 1)[1][:200]


# ── files ──


def test_a_file_is_kept_with_its_name_and_comes_back_byte_for_byte(ours: Company, li: str, sales: CrmBrowser) -> None:
    assert send(sales, li, (PNG, "../../合同 v2.png"), (b"%PDF-1.7 x", "报价.pdf")).status_code == 303
    with working(ours):
        picture, paper = all_of(Attachment)
        assert (picture.name, picture.content_type, picture.size) == ("合同 v2.png", "image/png", len(PNG))
        assert paper.content_type == "application/octet-stream"
        assert space.used(ours.id) == picture.size + paper.size

    shown = fetch(sales, f"/crm/leads/{li}/attachments/{picture.id}")
    assert (
        shown.data == PNG and shown.mimetype == "image/png" and "attachment" not in shown.headers["Content-Disposition"]
    )
    saved = fetch(sales, f"/crm/leads/{li}/attachments/{paper.id}")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert (
        saved.headers["X-Content-Type-Options"] == "nosniff" and "sandbox" in saved.headers["Content-Security-Policy"]
    )


@pytest.mark.parametrize(
    ("body", "name"),
    [(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "logo.svg"),
     (b"<html><script>alert(1)</script>", "photo.png"), (b"GIF8 not really", "x.gif")],
)  # fmt: skip
def test_what_could_run_a_script_is_only_ever_saved(
    ours: Company, li: str, sales: CrmBrowser, body: bytes, name: str
) -> None:
    send(sales, li, (body, name))
    with working(ours):
        key = all_of(Attachment)[0].id

    answer = fetch(sales, f"/crm/leads/{li}/attachments/{key}")

    assert answer.mimetype == "application/octet-stream" and answer.headers["Content-Disposition"].startswith(
        "attachment"
    )


def test_a_foreign_file_is_not_there(
    ours: Company, theirs: Company, li: str, sales: CrmBrowser, browser: Callable[..., CrmBrowser], record: Callable[..., str]
) -> None:  # fmt: skip
    send(sales, li, (b"x", "a.txt"))
    other = record(ours, "lead", owner="sales2", name="王沐阳")
    with working(ours):
        key = all_of(Attachment)[0].id

    assert browser(ours, "sales2").get(f"/crm/leads/{li}/attachments/{key}").status_code == 404
    assert browser(ours, "sales2").get(f"/crm/leads/{other}/attachments/{key}").status_code == 404
    assert browser(theirs).get(f"/crm/leads/{li}/attachments/{key}").status_code == 404
    assert send(browser(ours, "looker"), li, (b"x", "b.txt")).status_code == 403


def test_too_large_empty_and_too_many_files_are_refused_in_words(
    ours: Company, li: str, sales: CrmBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MOST_BYTES", 3_000_000)
    target = {"HX-Request": "true", "HX-Target": "record_files"}

    assert send(sales, li, (b"x" * 2_900_000, "big.bin")).status_code == 303  # more than the usual two megabytes
    too_large = send(sales, li, (b"y", "small.txt"), (b"x" * 3_000_001, "huge.bin"), **target)
    assert too_large.status_code == 422 and "「huge.bin」超过" in too_large.text
    assert "空文件" in send(sales, li, (b"", "nothing.txt"), **target).text
    assert "一次最多 10 个" in send(sales, li, *[(b"x", f"{n}.txt") for n in range(11)], **target).text
    with working(ours):
        assert [one.name for one in all_of(Attachment)] == ["big.bin"]


def test_only_the_views_that_take_files_take_more_than_two_megabytes(ours: Company, li: str, sales: CrmBrowser) -> None:
    answer = sales.post(f"/crm/leads/{li}/comments", data={"body": "x" * 2_200_000})

    assert answer.status_code == 413


def test_the_package_has_only_so_much_room(ours: Company, li: str, sales: CrmBrowser) -> None:
    with tenancy.scope(tenancy.everyone("a smaller package")) as session:
        session.execute(update(Tenant).where(Tenant.id == ours.id).values(storage_gb=0))

    answer = send(sales, li, (b"x", "a.txt"))

    assert answer.status_code == 422 and "存储空间不够" in answer.text
    with working(ours):
        assert all_of(Attachment) == [] and space.used(ours.id) == 0


def test_a_deleted_file_comes_back_by_undo_and_is_gone_for_good_after_a_week(
    app: Flask, ours: Company, li: str, sales: CrmBrowser
) -> None:
    send(sales, li, (b"hello", "a.txt"))
    with working(ours):
        one = all_of(Attachment)[0]
    path = f"/crm/leads/{li}/attachments/{one.id}"
    answer = sales.post(f"{path}/delete", headers=HTMX | {"HX-Target": "record_files"})
    undo = answer.headers["HX-Trigger"].split('"undo": "')[1].split('"')[0]
    assert sales.get(path).status_code == 404 and "已删除" in sales.get(f"/crm/leads/{li}").text

    assert sales.post(undo).status_code == 303
    assert fetch(sales, path).data == b"hello" and "，已删除" not in sales.get(f"/crm/leads/{li}").text

    sales.post(f"{path}/delete")
    with clock.held(clock.now() + timedelta(days=8)), tenancy.scope(tenancy.everyone("the nightly job")):
        assert attachments.purge() == 1
    assert not storage.exists(one.key)
    with working(ours):
        assert space.used(ours.id) == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [("C:\\Users\\x\\报价.pdf", "报价.pdf"), ("a\u202egnp.exe", "agnp.exe"), ("", "未命名文件"), ("..", "未命名文件"),
     ("长" * 300 + ".pdf", "长" * 116 + ".pdf")],
)  # fmt: skip
def test_names_of_files_are_plain(given: str, kept: str) -> None:
    assert attachments.plain_name(given) == kept


# ── colleagues who help ──


def test_a_collaborator_sees_the_record_at_once_and_until_his_last_day(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    sales, helper = browser(ours, "sales1"), browser(ours, "sales3")
    assert helper.get(f"/crm/leads/{li}").status_code == 404

    data = {"user_id": ours.people["sales3"], "right": "read", "until": (clock.today() + timedelta(days=3)).isoformat()}
    assert sales.post(f"/crm/leads/{li}/share", data=data).status_code == 303

    assert helper.get(f"/crm/leads/{li}").status_code == 200
    assert helper.get(f"/crm/leads/{li}/edit").status_code == 403
    page = sales.get(f"/crm/leads/{li}").text
    assert "请 何景行 协作（只读，到" in page
    with working(ours):
        assert [one.user_id for one in all_of(Notice)] == [ours.people["sales3"]]
    with clock.held(clock.now() + timedelta(days=4), for_all_threads=True):
        assert helper.get(f"/crm/leads/{li}").status_code in {303, 404}
        with working(ours, "sales3") as actor:
            assert reach.because(LEAD, actor.policy, "read", li) == []


def test_an_editing_collaborator_edits_until_he_is_removed(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    sales, helper = browser(ours, "sales1"), browser(ours, "sales3")
    sales.post(f"/crm/leads/{li}/share", data={"user_id": ours.people["sales3"], "right": "edit"})

    assert helper.post(f"/crm/leads/{li}/facts/region", data={"region": "宁波"}).status_code == 303
    sales.post(f"/crm/leads/{li}/share/{ours.people['sales3']}/delete")
    assert helper.get(f"/crm/leads/{li}").status_code == 404
    assert sales.post(f"/crm/leads/{li}/share/{ours.people['sales3']}/delete").status_code == 404


@pytest.mark.parametrize(
    ("data", "words"),
    [({"user_id": "", "right": "read"}, "请选择一位同事"), ({"user_id": "sales1", "right": "read"}, "就是负责人"),
     ({"user_id": "sales3", "right": "read", "until": "2020-01-01"}, "已经过去了")],
)  # fmt: skip
def test_a_sharing_that_makes_no_sense_is_refused_in_words(
    ours: Company, li: str, sales: CrmBrowser, data: dict[str, str], words: str
) -> None:
    answer = sales.post(f"/crm/leads/{li}/share", data=data | {"user_id": ours.people.get(data["user_id"], "")})

    assert answer.status_code == 422 and words in answer.text


def test_who_may_not_share_does_not(ours: Company, li: str, browser: Callable[..., CrmBrowser]) -> None:
    data = {"user_id": ours.people["sales3"], "right": "read"}
    assert browser(ours, "looker").post(f"/crm/leads/{li}/share", data=data).status_code == 403
    assert browser(ours, "sales2").post(f"/crm/leads/{li}/share", data=data).status_code == 404


# ── the timeline ──


def test_the_timeline_goes_on_page_by_page_and_tells_each_thing_once(ours: Company, li: str, sales: CrmBrowser) -> None:
    for number in range(25):
        sales.post(f"/crm/leads/{li}/comments", data={"body": f"第{number:02}条"})
        sales.post(f"/crm/leads/{li}/facts/region", data={"region": f"地区{number:02}"})
    seen: list[str] = []
    path = f"/crm/leads/{li}"
    while path:
        page = sales.get(path, headers=HTMX | {"HX-Target": "older_entries"} if seen else {}).text
        seen += [f"第{n:02}条" for n in range(25) if f"第{n:02}条<" in page]
        seen += [f"地区{n:02}" for n in range(25) if f">地区{n:02}</b>" in page]
        older = page.split('id="older_entries"')[1]
        path = older.split('href="')[1].split('"')[0].replace("&amp;", "&") if "更早的" in older else ""

    assert len(seen) == len(set(seen)) == 50


def test_the_groups_show_their_own(ours: Company, li: str, sales: CrmBrowser) -> None:
    sales.post(f"/crm/leads/{li}/comments", data={"body": "先报个价"})
    sales.post(f"/crm/leads/{li}/facts/region", data={"region": "宁波"})

    notes = sales.get(f"/crm/leads/{li}?group=note", headers=HTMX | {"HX-Target": "record_timeline"}).text
    changes = sales.get(f"/crm/leads/{li}?group=change", headers=HTMX | {"HX-Target": "record_timeline"}).text

    assert "先报个价" in notes and "宁波" not in notes
    assert "宁波" in changes and "先报个价" not in changes


def test_a_hidden_field_leaves_no_trace_in_the_history(
    ours: Company, li: str, browser: Callable[..., CrmBrowser], set_fields: Callable[..., None]
) -> None:
    sales, manager = browser(ours, "sales1"), browser(ours, "manager")
    manager.post(f"/crm/leads/{li}/facts/amount", data={"amount": "28600"})
    manager.post(f"/crm/leads/{li}/facts/email", data={"email": "li@yuanfan.com"})
    set_fields("sales", {"lead": {"amount": "hidden", "email": "masked"}})

    page = sales.get(f"/crm/leads/{li}").text

    assert "28,600" not in page and "28600" not in page and "预计金额" not in page
    assert "li@yuanfan.com" not in page and "l***@yuanfan.com" in page
    assert "28,600" in manager.get(f"/crm/leads/{li}").text


def test_people_in_the_history_have_names(ours: Company, li: str, browser: Callable[..., CrmBrowser]) -> None:
    manager = browser(ours, "manager")
    manager.post(f"/crm/leads/{li}/facts/owner_id", data={"owner_id": ours.people["sales2"]})

    page = manager.get(f"/crm/leads/{li}").text

    assert '负责人从 <span class="text-muted">林知远</span> 改为 <b class="font-medium">苏晚晴</b>' in page


def test_the_page_costs_seven_queries_whatever_hangs_on_it(
    ours: Company, li: str, sales: CrmBrowser, count_queries: Callable[[], Any]
) -> None:
    for number in range(5):
        sales.post(f"/crm/leads/{li}/comments", data={"body": f"第{number}条"})
        send(sales, li, (b"x", f"{number}.txt"))
    sales.post(f"/crm/leads/{li}/facts/region", data={"region": "宁波"})
    sales.post(f"/crm/leads/{li}/share", data={"user_id": ours.people["sales2"], "right": "read"})
    sales.get(f"/crm/leads/{li}")

    with count_queries() as queries:
        page = sales.get(f"/crm/leads/{li}").text

    assert queries.number <= 7, queries.statements
    assert all(word in page for word in ("第0条", "第4条", "4.txt", "宁波", "苏晚晴")), "and nothing is missing"
    assert page.index("4.txt") < page.index("0.txt"), "the newest stands first"


def test_files_lie_in_the_installations_folder(app: Flask, ours: Company, li: str, sales: CrmBrowser) -> None:
    send(sales, li, (b"x", "a.txt"))
    with working(ours):
        one = all_of(Attachment)[0]

    assert (Path(app.instance_path) / "files" / one.key).read_bytes() == b"x"


def test_a_customer_tells_what_happened_when_it_was_a_lead_to_whoever_may_see_the_lead(
    ours: Company, li: str, sales: CrmBrowser, browser: Callable[..., CrmBrowser]
) -> None:
    sales.post(f"/crm/leads/{li}/comments", data={"body": "先报个价"})
    send(sales, li, (b"hello", "合同.pdf"))
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy, "edit")
        customer = convert.convert(lead, actor, reason="price").customer.id
    with working(ours):
        key = all_of(Attachment)[0].id

    page = sales.get(f"/crm/customers/{customer}").text
    assert "先报个价" in page and "由线索「" in page and "修改</a><form" not in page
    assert f"/crm/leads/{li}/attachments/{key}" in page
    assert "转化为<a" in sales.get(f"/crm/leads/{li}").text
    assert fetch(sales, f"/crm/leads/{li}/attachments/{key}").data == b"hello"

    sales.post(f"/crm/customers/{customer}/share", data={"user_id": ours.people["sales3"], "right": "read"})
    assert "先报个价" not in browser(ours, "sales3").get(f"/crm/customers/{customer}").text


def test_an_ended_share_is_asked_for_again_from_its_notice(ours: Company, browser: Any, record: Any) -> None:
    lead = record(ours, "lead", owner="sales1")
    sales, helper = browser(ours, "sales1"), browser(ours, "sales3")
    sales.post(f"/crm/leads/{lead}/share", data={"user_id": ours.people["sales3"], "right": "read"})
    sales.post(f"/crm/leads/{lead}/share/{ours.people['sales3']}/delete")
    assert helper.get(f"/crm/leads/{lead}").status_code == 404

    undo = re.search(r'action="(/crm/operations/[^"]+/undo)"', sales.get(f"/crm/leads/{lead}").text)
    assert undo is not None
    sales.post(undo.group(1))
    assert helper.get(f"/crm/leads/{lead}").status_code == 200
