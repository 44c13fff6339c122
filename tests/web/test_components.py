"""What templates find ready: icons, macros, and a refusal of everything they misspell."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from jinja2 import UndefinedError
from wtforms import BooleanField, PasswordField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired

from app.config import ROOT
from app.web.forms import Form
from tests.architecture.templates import TEMPLATES


class Purchase(Form):
    company = StringField("企业名称", [DataRequired("写上企业名称")])
    email = StringField("邮箱")
    phone = StringField("手机号", [DataRequired()])
    code = StringField("验证码", [DataRequired()])
    password = PasswordField("密码", [DataRequired()])
    size = SelectField("规模", choices=[SelectChoice("10 人以内"), SelectChoice("10–50 人")])
    kind = RadioField("类型", choices=[SelectChoice("a", "甲"), SelectChoice("b", "乙")])
    agree = BooleanField("同意")


@pytest.fixture
def render(app: Flask):
    def rendered(source: str, **context: object) -> str:
        with app.test_request_context("/"):
            return app.jinja_env.from_string(source).render(**context)

    return rendered


@pytest.fixture
def form(app: Flask):
    with app.test_request_context("/", method="POST", data={"company": "", "size": "10 人以内", "kind": "a"}):
        made = Purchase(meta={"csrf": False})
        made.validate()
        yield made


def test_an_icon_is_one_use_of_the_kept_sprite(render) -> None:
    html = render("{{ icon('copy', 'ico-14') }}")

    assert re.fullmatch(
        r'<svg class="ico ico-14" aria-hidden="true"><use href="/static/icons\.[0-9a-f]{8}\.svg#copy"/></svg>', html
    )


def test_the_logo_of_a_wallet(render) -> None:
    assert "brand-wechat" in render("{{ brand('wechat') }}")


@pytest.mark.parametrize(
    "source", ["{{ icon('no-such-icon') }}", "{{ brand('paypal') }}", "{{ static_url('no.css') }}"]
)
def test_an_unknown_picture_raises(render, source: str) -> None:
    with pytest.raises(LookupError):
        render(source)


@pytest.mark.parametrize("source", ["{{ ui.no_such_component() }}", "{{ missing }}", "{% if missing %}{% endif %}"])
def test_a_misspelt_name_raises(render, source: str) -> None:
    with pytest.raises(UndefinedError):
        render(source)


def test_every_icon_that_a_template_or_view_names_is_in_the_sprite() -> None:
    sprite = (ROOT / "app/static/icons.svg").read_text("utf-8")
    there = set(re.findall(r'<symbol id="([a-z0-9-]+)"', sprite))
    named = {
        name
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r"\bicon\(\s*['\"]([a-z0-9-]+)['\"]\s*[,)]", path.read_text("utf-8"))
    }

    assert len(named) > 30
    assert named - there == set()


def test_the_list_of_icons_is_what_the_sprite_holds() -> None:
    listed = (ROOT / "app/assets/icons.txt").read_text("utf-8").split()
    sprite = (ROOT / "app/static/icons.svg").read_text("utf-8")

    assert listed == sorted(set(listed))
    assert {*listed, "brand-wechat", "brand-alipay"} == set(re.findall(r'<symbol id="([a-z0-9-]+)"', sprite))


def test_a_refused_field_says_why_and_is_tied_to_its_words(render, form) -> None:
    html = render("{{ ui.field(form.company, help='开发票也用它', autocomplete='organization') }}", form=form)

    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="company-error company-help"' in html
    assert '<p id="company-error"' in html
    assert "写上企业名称" in html
    assert 'autocomplete="organization"' in html
    assert "选填" not in html


def test_a_field_that_may_stay_empty_says_so(render, form) -> None:
    html = render("{{ ui.field(form.email) }}", form=form)

    assert "选填" in html
    assert "aria-invalid" not in html
    assert "aria-describedby" not in html


def test_a_form_counts_what_is_to_be_changed(render, form) -> None:
    assert "有 4 处需要修改" in render("{{ ui.form_errors(form) }}", form=form)


def test_a_refusal_of_the_whole_form_stands_first(render, form) -> None:
    form.refusal = "验证码已过期，请重新获取。"

    assert "验证码已过期" in render("{{ ui.form_errors(form) }}", form=form)


def test_each_kind_of_field_has_its_frame(render, form) -> None:
    html = render("{{ ui.field(form.password) }}{{ ui.field(form.size) }}{{ ui.radio_rows(form.kind) }}", form=form)

    assert 'data-reveal="#password"' in html
    assert re.search(r'<select[^>]* class="select ', html)
    assert html.count('type="radio"') == 2


def test_the_waiting_sms_button_counts_down_and_can_not_be_pressed(render, form) -> None:
    html = render("{{ ui.sms_phone(form.phone, '/checkout/sms-code', 52) }}", form=form)

    assert 'data-left="52"' in html
    assert re.search(r"<button[^>]*\bdisabled>", html)
    assert 'formaction="/checkout/sms-code"' in html


def test_the_label_of_a_checkbox_may_hold_links(render, form) -> None:
    html = render("{% call ui.check(form.agree) %}<a href='/terms'>《服务协议》</a>{% endcall %}", form=form)

    assert "《服务协议》" in html


def test_what_people_wrote_is_never_markup(render) -> None:
    nasty = "<script>alert(1)</script>"
    html = render(
        "{{ ui.person(x) }}{{ ui.st(x) }}{{ ui.kv([(x, x)]) }}{{ ui.code_panel(x, x, x) }}{{ ui.empty(x, x) }}"
        "{{ ui.copy_button(x) }}{{ ui.toast_item(x) }}{{ ui.crumbs([(x, '')]) }}{{ ui.folded_code(x) }}",
        x=nasty,
    )

    assert "<script" not in html


def test_a_list_ends_without_a_link(render) -> None:
    html = render("{{ ui.pager('', '/admin/orders?cursor=x', '1–20') }}")

    assert 'rel="next"' in html
    assert 'rel="prev"' not in html


def test_a_qr_code_says_what_it_is(render) -> None:
    html = render("{{ ui.qr_panel('weixin://wxpay/bizpayurl?pr=x', 'wechat') }}")

    assert 'role="img" aria-label="支付二维码"' in html
    assert "brand-wechat" in html


def test_reports_get_the_funnel_with_its_rates(render) -> None:
    html = render("{% for part in funnel([1190, 742, 0]) %}{{ part.rate }} {{ part.path }};{% endfor %}")

    assert html.startswith("None M0 0")
    assert "62.4 " in html


def test_a_funnel_of_nothing_is_drawn_too(render) -> None:
    assert render("{% for part in funnel([0, 0]) %}{{ part.rate }},{% endfor %}") == "None,None,"
