"""Text with fields: bytes made once out of one account's document, and filled for each of many.

A field is put into a value as a *mark*, a number or a word that nothing else holds; what the documents' own code makes
of the value then shows where the field stands.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Hashable, Mapping, Sequence

Field = Hashable
"""What stands in a place of a template; names a column of whoever fills it."""
Filler = Callable[[Field], Sequence[object]]

_DIGITS = 36


_LIKE_A_MARK = re.compile(rb'("mark[0-9a-f]{32}"|mark[0-9a-f]{32}|[0-9]{37,40}|[0-9a-f]{32,64})')
"""What a mark looks like; hashes do too, and stay as they are."""


def _unquoted(piece: bytes) -> tuple[bytes, ...]:
    return (b'"', piece[1:-1], b'"') if piece.startswith(b'"') else (piece,)


class MarkMissing(LookupError):
    """A mark that should show in a text does not: what is written there is not the field's value."""

    def __init__(self, field: Field) -> None:
        super().__init__(f"the field {field!r} does not show in the document")
        self.field = field


class Marks:
    """The marks of one template."""

    def __init__(self) -> None:
        self._fields: dict[bytes, tuple[Field, bytes]] = {}

    def number(self, field: Field) -> int:
        """A number that no account has; written by ``%d``."""
        value = 10**_DIGITS + secrets.randbelow(10**_DIGITS)
        return self.known(value, field)

    def known(self, value: int, field: Field) -> int:
        """The same for a number that follows from others: a sum of marks."""
        self._fields[str(value).encode()] = field, b"%d"
        return value

    def word(self, field: Field) -> str:
        """A word without quotes or spaces; written as the bytes that the field gives."""
        text = "mark" + secrets.token_hex(16)
        self._fields[text.encode()] = field, b"%b"
        return text

    def raw(self, field: Field) -> str:
        """A word that goes with its quotes: the field gives JSON of its own."""
        text = "mark" + secrets.token_hex(16)
        self._fields[b'"' + text.encode() + b'"'] = field, b"%b"
        return text

    def name(self, field: Field, size: int) -> bytes:
        """Bytes that are written in hexadecimal."""
        value = secrets.token_bytes(size)
        self._fields[value.hex().encode()] = field, b"%b"
        return value

    def template(self, text: bytes, *, is_whole: bool = True) -> Template:
        """The text with its marks made fields. Raises MarkMissing where a ``whole`` text does not hold all of them."""
        fields: list[Field] = []
        out: list[bytes] = []
        for place, piece in enumerate(_LIKE_A_MARK.split(text)):
            for part in (piece,) if place % 2 == 0 or piece in self._fields else _unquoted(piece):
                field, form = self._fields.get(part, (None, part.replace(b"%", b"%%")))
                out.append(form)
                if part in self._fields:
                    fields.append(field)
        for field, _ in self._fields.values():
            if is_whole and field not in fields:
                raise MarkMissing(field)
        return Template(b"".join(out), tuple(fields))


class Template:
    """A text with fields, filled row by row."""

    __slots__ = ("_text", "fields")

    def __init__(self, text: bytes, fields: tuple[Field, ...]) -> None:
        """``text`` has one ``%`` form a field."""
        self._text, self.fields = text, fields

    def fill(self, rows: int, column: Filler) -> list[bytes]:
        """The text for each of ``rows``; ``column`` gives the values of a field, one a row."""
        text = self._text
        if not self.fields:
            return [text % ()] * rows
        known: dict[Field, Sequence[object]] = {field: column(field) for field in set(self.fields)}
        return [text % values for values in zip(*(known[field] for field in self.fields), strict=True)]


def constant(values: Mapping[Field, object]) -> Filler:
    """A filler of one row."""
    return lambda field: [values[field]]
