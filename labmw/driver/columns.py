"""How are the fixed columns of a Beckman AU laid out? A head of columns, then groups of test, result and marks, all as wide as its menus say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from labmw.driver.laying import Laid, Layout, NotUnderstood, Sheet, as_sent, check_length
from protocols.plain.beckman import kind_of
from protocols.plain.message import PlainMessage

MOST: Final = 65536


@dataclass(frozen=True, slots=True)
class Columns:
    """How many characters each item takes; 0 for one that the analyzer is set not to send.

    `class_` is one character: 0, 1, 2 ... for a text that goes on in another block, E for its last.
    """

    unit: int = 2
    rack: int = 4
    cup: int = 2
    kind: int = 1
    number: int = 4
    identifier: int = 10
    dummy: int = 4
    before_test: int = 1
    test: int = 3
    result: int = 9
    mark: int = 2
    marks: int = 4

    @property
    def head(self) -> tuple[tuple[str, int], ...]:
        """The items in front of the results, in their order, each with its width."""
        return (
            ("code", 2), ("unit", self.unit), ("rack", self.rack), ("cup", self.cup), ("kind", self.kind), ("number", self.number),
            ("identifier", self.identifier), ("dummy", self.dummy), ("class", 1),
        )  # fmt: skip


def layout_of(columns: Columns) -> Layout:
    """The layout of an AU that is set to these columns."""

    def lay(message: PlainMessage) -> Laid:
        texts = message.decoded()
        check_length(texts, MOST)
        match kind_of(message.texts[0]):
            case "result":
                return _results(texts, columns)
            case "inquiry":
                return _inquiry(texts, columns)
            case _:
                return as_sent(message)

    return lay


def _head(text: str, columns: Columns, without: Sequence[str] = ()) -> tuple[dict[str, str], str]:
    """The items of a text's head, and what stands behind it."""
    found: dict[str, str] = {}
    at = 0
    for name, width in columns.head:
        if name in without:
            continue
        found[name] = text[at : at + width]
        at += width
    if len(text) < at:
        raise NotUnderstood(
            f"{len(text)} characters are less than the {at} of its head; compare the columns with the analyzer's menu"
        )
    return found, text[at:]


def _results(texts: Sequence[str], columns: Columns) -> Laid:
    sheet = Sheet()
    width = columns.before_test + columns.test + columns.result + columns.mark * columns.marks
    first: dict[str, str] = {}
    number = 0
    for place, text in enumerate(texts):
        head, body = _head(text, columns)
        expected = "E" if place == len(texts) - 1 else str(place % 10)
        if head["class"] != expected:
            raise NotUnderstood(f"block {place + 1} of {len(texts)} is marked {head['class']!r}, not {expected!r}")
        if first and {**head, "class": ""} != {**first, "class": ""}:
            raise NotUnderstood(f"block {place + 1} is of another sample than the first")
        if len(body) % width:
            raise NotUnderstood(
                f"{len(body)} characters of results are no multiple of {width}; compare the columns with the analyzer's menu"
            )
        sheet.line()
        sheet.piece("".join(head.values()))
        if not first:
            first = head
            _order(sheet, head)
        for at in range(0, len(body), width):
            number += 1
            _group(sheet, number, body[at : at + width], columns)
    return sheet.laid()


def _order(sheet: Sheet, head: dict[str, str]) -> None:
    control = head["code"] == "DQ"
    sheet.record("H", f5="", f12="Q" if control else "P")
    sheet.record("P", f2="1")
    rerun = "H" if head["code"].endswith("H") else ""
    specimen = head["identifier"].strip()
    where = (head["number"].strip(), head["rack"].strip(), head["cup"].strip(), head["kind"].strip(), rerun)
    sheet.record("O", f2="1", f3=specimen, f4=where, f12="Q" if control else "")


def _group(sheet: Sheet, number: int, group: str, columns: Columns) -> None:
    at = columns.before_test
    test, at = group[at : at + columns.test].strip(), at + columns.test
    value, at = group[at : at + columns.result].strip(), at + columns.result
    marks = [group[at + n * columns.mark : at + (n + 1) * columns.mark].strip() for n in range(columns.marks)]
    sheet.piece(group[: columns.before_test], placed=not group[: columns.before_test].strip())
    sheet.piece(group[columns.before_test :])
    flags = [[mark] for mark in marks if mark]
    sheet.record("R", f2=str(number), f3=("", "", "", test), f4=value, f7=flags or "", f9="F")


def _inquiry(texts: Sequence[str], columns: Columns) -> Laid:
    """A question for the work of one tube; its head ends with the identifier."""
    if len(texts) != 1:
        raise NotUnderstood("an inquiry of several blocks")
    head, rest = _head(texts[0], columns, ("dummy", "class"))
    sheet = Sheet()
    sheet.line()
    sheet.piece("".join(head.values()))
    sheet.piece(rest, placed=not rest.strip())
    sheet.record("H", f5="")
    sheet.record("Q", f2="1", f3=("", head["identifier"].strip()), f5=("", "", "", "ALL"), f13="O")
    return sheet.laid()
