"""Texts of the pages: one catalogue a language, each message under a dotted key."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale

LANGUAGES = {"ru": "Русский", "en": "English"}
DEFAULT_LANGUAGE = "ru"


class Texts:
    """The catalogue of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._messages = catalogue(language)
        self._locale = Locale(language)

    def __call__(self, key: str, /, **values: object) -> str:
        """The message under ``key``. Raises KeyError: a page must not be shown with a hole in it."""
        return self._messages[key].format(**values) if values else self._messages[key]

    def count(self, key: str, count: int, /, **values: object) -> str:
        """The message under ``key`` in the plural form that ``count`` takes."""
        return self._messages[f"{key}.{self._locale.plural_form(count)}"].format(count=count, **values)

    def known(self, key: str, otherwise: str) -> str:
        """The message under ``key``, or what was said elsewhere where the catalogue has none."""
        return self._messages.get(key, otherwise)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All messages of a language, flat."""
    text = (Path(__file__).parent / "catalog" / f"{language}.toml").read_text()
    return dict(_flat(tomllib.loads(text)))


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in table.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, str(value))]
    return rows
