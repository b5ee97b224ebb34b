"""How is a table of a pack read so that a typing mistake never disables anything in silence? Every key is asked for, or refused."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from labmw.errors import PackError
from rules.lines import line_of

LARGEST = 30  # powers of ten; a viral load stays below ten


def refusal(file: str, where: str, problem: str, remedy: str) -> PackError:
    """Return the error that names file, line or key, and remedy."""
    return PackError(f"{file}: {where}: {problem}; {remedy}" if where else f"{file}: {problem}; {remedy}")


class Table:
    """One TOML table being read: `take` what is known, then `done` refuses what is left over."""

    def __init__(self, file: str, where: str, data: object, text: str = "") -> None:
        self.file, self.where, self._text = file, where, text
        if not isinstance(data, Mapping):
            raise refusal(file, where, "is not a table", "write it as a table with keys")
        self._data: dict[str, Any] = dict(data)
        self._asked: list[str] = []

    def refuse(self, key: str, problem: str, remedy: str) -> PackError:
        """Return the error for one key of this table."""
        where = f"{self.where}.{key}" if self.where else key
        line = line_of(self._text, self.where, key) if self._text else None
        return refusal(self.file, where if line is None else f"line {line}, {where}", problem, remedy)

    def has(self, key: str) -> bool:
        """True when the key is there and was not taken yet."""
        self._asked.append(key)
        return key in self._data

    def names(self) -> tuple[str, ...]:
        """Return the names of the keys not taken yet, in the order of the file."""
        return tuple(self._data)

    def take(self, key: str, remedy: str) -> Any:
        """Return a value that must be there, as TOML has it."""
        if not self.has(key):
            raise self.refuse(key, "is missing", remedy)
        return self._data.pop(key)

    def text(self, key: str, remedy: str = "write it as a text in quotes", default: str | None = None) -> str:
        """Return a text that is not empty, or the default where the key may be left out."""
        if default is not None and not self.has(key):
            return default
        value = self.take(key, remedy)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(key, f"{value!r} is not a text", remedy)
        return value.strip()

    def word(self, key: str, words: Collection[str], default: str | None = None) -> str:
        """Return one word of a closed list."""
        value = self.text(key, f"write one of {', '.join(sorted(words))}", default)
        if value not in words:
            raise self.refuse(key, f"{value!r} is not a known word", nearest(value, words))
        return value

    def texts(self, key: str, remedy: str = 'write it as ["...", "..."]') -> tuple[str, ...]:
        """Return a list of texts, each once; the empty tuple where the key is left out."""
        if not self.has(key):
            return ()
        value = self.take(key, remedy)
        if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
            raise self.refuse(key, "is not a list of texts", remedy)
        if len(set(value)) != len(value):
            raise self.refuse(key, "names something twice", "name each once")
        return tuple(value)

    def number(self, key: str, remedy: str = "write it as a number") -> Decimal:
        """Return an exact decimal; text, true, NaN and infinity are refused."""
        return self._number(key, self.take(key, remedy), remedy)

    def numbers(self, key: str, remedy: str) -> Decimal | dict[str, Decimal]:
        """Return one number, or a table of them by name."""
        value = self.take(key, remedy)
        if not isinstance(value, Mapping):
            return self._number(key, value, remedy)
        if not value:
            raise self.refuse(key, "is an empty table", remedy)
        return {name: self._number(f"{key}.{name}", one, remedy) for name, one in value.items()}

    def _number(self, key: str, value: object, remedy: str) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            raise self.refuse(key, f"{str(value)[:40]!r} is not a number", remedy)
        if value and abs(Decimal(value).adjusted()) > LARGEST:
            raise self.refuse(key, "is no number that a laboratory measures", remedy)
        return Decimal(value)

    def moment(self, key: str, remedy: str) -> datetime:
        """Return a date and time with its offset from UTC: there is no default time zone."""
        value = self.take(key, remedy)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.refuse(key, f"{str(value)!r} is not a date and time with its offset", remedy)
        return value

    def day(self, key: str, remedy: str) -> date:
        """Return a day without a time."""
        value = self.take(key, remedy)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.refuse(key, f"{str(value)!r} is not a day", remedy)
        return value

    def table(self, key: str, remedy: str) -> Table:
        """Return a table inside this one."""
        return Table(self.file, f"{self.where}.{key}" if self.where else key, self.take(key, remedy), self._text)

    def tables(self, key: str, remedy: str = "write each as [[...]]") -> list[Table]:
        """Return the tables of an array, each named by its place and its id; the empty list where the key is left out."""
        if not self.has(key):
            return []
        value = self.take(key, remedy)
        where = f"{self.where}.{key}" if self.where else key
        if not isinstance(value, list):
            raise refusal(self.file, where, "is not an array of tables", remedy)
        return [
            Table(self.file, f"{where}[{place}]{_name(one)}", one, self._text)
            for place, one in enumerate(value, start=1)
        ]

    def done(self) -> None:
        """Refuse a key that nobody asked for."""
        for key in self._data:
            raise self.refuse(key, "is not a known key", nearest(key, self._asked))


def _name(data: object) -> str:
    name = (data.get("id") or data.get("name")) if isinstance(data, Mapping) else None
    return f" ({name})" if isinstance(name, str) else ""


def nearest(word: str, words: Collection[str]) -> str:
    """Return the remedy for a word outside a closed list: the one that was probably meant, or all of them."""
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(set(words)))}"
