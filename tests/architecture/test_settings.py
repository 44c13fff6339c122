"""Every setting of the product is explained where an operator looks for it."""

from __future__ import annotations

import re

import pytest

from app.config import ROOT, Settings


def names() -> list[str]:
    return sorted(str(field.alias) for field in Settings.model_fields.values())


def undocumented(page: str) -> list[str]:
    """The settings that ``page`` does not name in code type."""
    return [name for name in names() if not re.search(rf"`{name}(=[^`]*)?`", page)]


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_every_setting_is_in_the_readme(page: str) -> None:
    assert undocumented((ROOT / page).read_text("utf-8")) == []


def test_a_setting_that_is_not_in_the_readme_is_noticed() -> None:
    page = " ".join(f"`{name}`" for name in names() if name != "SECRET_KEY")

    assert undocumented(page + " SECRET_KEY") == ["SECRET_KEY"]
