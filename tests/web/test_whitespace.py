"""The blanks by which people read a template are not in its pages."""

from __future__ import annotations

from jinja2 import DictLoader, Environment

from app.web.whitespace import Squeezed


def shown(source: str, name: str = "page.html") -> str:
    environment = Environment(loader=DictLoader({name: source}), extensions=[Squeezed], autoescape=True)
    return environment.get_template(name).render(value="a\n    b")


def test_line_breaks_and_indents_become_one_break() -> None:
    assert shown("<p>\n    <b>甲</b>   \n\n    乙  丙</p>") == "<p>\n<b>甲</b>\n乙  丙</p>"


def test_what_a_browser_shows_as_written_stays_whole() -> None:
    for tag in ("pre", "textarea"):
        source = f"<i>\n  </i><{tag} class='x'>{{{{ value }}}}\n    c</{tag}>\n   <i></i>"
        assert shown(source) == f"<i>\n</i><{tag} class='x'>a\n    b\n    c</{tag}>\n<i></i>"


def test_what_a_page_is_given_stays_whole() -> None:
    assert shown("<p>\n  {{ value }}</p>") == "<p>\na\n    b</p>"


def test_the_words_of_a_letter_stay_as_they_are_written() -> None:
    assert shown("甲\n\n    乙", "letter.txt") == "甲\n\n    乙"
