"""How are the tagged fields of bioMérieux laid out? One result of a VIDAS, or the card of a VITEK with its organism and antibiotics.

Tags: mt message type, pi patient, pn name, pb birth date, ps sex, ci specimen, rt test, rn its name, tt and td time and date, ql result in words, qn in
numbers, y3 its unit, qd dilution, nc state of calibration and controls, id computer, ii instrument, is and sn serial number, m4 operator; VITEK: t1
isolate, o1 and o2 organism, ra one antibiotic (a1 code, a2 name, a3 MIC, a4 category), zz end. Source: bioMérieux, mini VIDAS VIC R2.15 computer
interface information (MINI_VIDAS #00019, September 1995), § II; VIDAS PC User's Manual, chapter 10, as openelis-analyzer-bridge quotes it; published messages.
"""

from __future__ import annotations

import re
from typing import Final

from labmw.driver.laying import Laid, NotUnderstood, Sheet, check_length
from protocols.plain.message import PlainMessage
from protocols.plain.tags import fields_of

MOST: Final = 65536
_ABOUT: Final = ("pi", "pn", "pb", "ps", "ci", "ii", "id", "is", "sn", "m4")
"""Of whom and what the message is: each at most once."""
_OF_TEST: Final = ("rt", "rn", "tt", "td", "ql", "qn", "y3", "qd", "nc")
_NUMBER: Final = re.compile(r"\s*((?:<=|>=|<|>)?\s*[0-9][0-9.,]*)\s*(.*)", re.DOTALL)
_DAY: Final = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})")
_CLOCK: Final = re.compile(r"(\d{2}):?(\d{2})(?::?(\d{2}))?")
UNDILUTED: Final = frozenset({"", "1", "1:1"})


def said(message: PlainMessage, kinds: tuple[str, ...] = ("rsl",)) -> list[tuple[str, str]]:
    """The fields of a result message; raises NotUnderstood for any other."""
    texts = message.decoded()
    check_length(texts, MOST)
    pairs = fields_of("".join(texts))
    if not pairs or pairs[0][0] != "mt" or pairs[0][1] not in kinds:
        begins = "".join(pairs[0])[:12] if pairs else ""
        raise NotUnderstood(f"it begins with {begins!r}, not with mt{kinds[0]}")
    return pairs


def once(pairs: list[tuple[str, str]], tags: tuple[str, ...]) -> dict[str, str]:
    """The values of tags that a message has once; raises NotUnderstood where one comes twice with two values."""
    found: dict[str, str] = {}
    for tag, value in pairs:
        if tag in tags and found.setdefault(tag, value) != value:
            raise NotUnderstood(f"the tag {tag} comes twice, as {found[tag][:20]!r} and as {value[:20]!r}")
    return found


def day_of(text: str, order: str) -> str:
    """A date as YYYYMMDD: in this order of d, m and y, or in the only one that it can have; as sent where that is not known."""
    match = _DAY.fullmatch(text.strip())
    if not match:
        return text
    first, second, third = match.groups()
    if len(first) == 4:
        order = "ymd"
    elif not order and int(first) > 12:
        order = "dmy"
    elif not order and int(second) > 12:
        order = "mdy"
    if not order:
        return text
    parts = dict(zip(order, (first, second, third), strict=True))
    year = parts["y"] if len(parts["y"]) == 4 else f"20{parts['y']:0>2}"
    return f"{year:0>4}{parts['m']:0>2}{parts['d']:0>2}"


def moment_of(day: str, clock: str, order: str) -> str:
    """Date and time as LIS02-A2 writes them; as sent, and then in doubt, where the order of day and month is not known."""
    read, time = day_of(day, order), _CLOCK.fullmatch(clock.strip())
    if read == day or not time:
        return f"{day} {clock}".strip()
    return f"{read}{time[1]}{time[2]}{time[3] or ''}"


def head(sheet: Sheet, about: dict[str, str]) -> None:
    """Who sends, and of whom."""
    sheet.record("H", f5=(about.get("ii", ""), about.get("id", ""), about.get("is", "") or about.get("sn", "")))
    sheet.record(
        "P", f2="1", f3=about.get("pi", ""), f6=about.get("pn", ""), f8=about.get("pb", ""), f9=about.get("ps", "")
    )


def drawn(sheet: Sheet, pairs: list[tuple[str, str]], known: frozenset[str]) -> None:
    """The fields as one line; what this layout has no place for is marked."""
    sheet.line()
    for tag, value in pairs:
        sheet.piece(f"{tag}{value}|", placed=tag in known or (bool(tag) and not value))


_VIDAS: Final = frozenset({*_ABOUT, *_OF_TEST, "mt", "si"})


def vidas(message: PlainMessage) -> Laid:
    """Lay out a result of a VIDAS: a number, the word that it means, or both."""
    pairs = said(message)
    about = once(pairs, _ABOUT)
    tests = [place for place, (tag, _) in enumerate(pairs) if tag == "rt"]
    if not tests:
        raise NotUnderstood("there is no test in it (rt)")
    sheet = Sheet()
    drawn(sheet, pairs, _VIDAS)
    head(sheet, about)
    order = (
        "" if about.get("id") else "mdy"
    )  # a mini VIDAS has no id and one format; the computer of a VIDAS has a menu
    for number, place in enumerate(tests, 1):
        ends = tests[number] if number < len(tests) else len(pairs)
        test = once(pairs[place:ends], _OF_TEST)
        code = test["rt"].strip()
        sheet.record("O", f2=str(number), f3=about.get("ci", ""), f5=("", "", "", code))
        _result(sheet, 1, test, code, about, order)
    return sheet.laid()


def _result(sheet: Sheet, seq: int, test: dict[str, str], code: str, about: dict[str, str], order: str) -> None:
    flags = [] if test.get("nc", "").strip() in ("", "valid") else [test["nc"].strip()]
    flags += [] if test.get("qd", "").strip() in UNDILUTED else [f"dilution {test['qd'].strip()}"]
    time = moment_of(test.get("td", ""), test.get("tt", ""), order)
    common = {
        "f7": [[flag] for flag in flags] or "",
        "f9": "F",
        "f11": about.get("m4", ""),
        "f13": time,
    }
    word, number = test.get("ql", "").strip(), test.get("qn", "").strip()
    value, unit = _measured(number, test.get("y3", "").strip())
    told: list[tuple[str, str, str]] = [(value, unit, "")] if number else [(word, "", "")]
    if word and number:
        # A number in a unit is the result and the word says what it means; one without is the index behind the word.
        told = [(value, unit, ""), (word, "", "word")] if unit else [(word, "", ""), (value, "", "index")]
    for text, in_unit, detail in told:
        sheet.record("R", f2=str(seq), f3=("", "", "", code, detail), f4=text, f5=in_unit, **common)
        seq += 1


def _measured(text: str, stated: str) -> tuple[str, str]:
    """The number and its unit: `qn` may hold both, and `y3` the unit again; where they differ, both stand as the unit, which nobody knows."""
    match = _NUMBER.fullmatch(text)
    if not match:
        return text, stated
    value, beside = match[1].strip(), match[2].strip()
    if beside and stated and beside != stated:
        return value, f"{beside} / {stated}"
    return value, beside or stated


_CARD: Final = frozenset({*_ABOUT, "mt", "si", "ta", "rt", "rr", "t1", "o1", "o2", "ra", "a1", "a2", "a3", "a4", "zz"})


def vitek(message: PlainMessage) -> Laid:
    """Lay out a card of a VITEK: its organism, then each antibiotic with MIC and category; whole only when zz ends it."""
    pairs = said(message)
    about = once(pairs, _ABOUT)
    sheet = Sheet()
    drawn(sheet, pairs, _CARD)
    head(sheet, about)
    card = isolate = ""
    number, drug = 0, {}  # type: int, dict[str, str]

    def close() -> None:
        nonlocal number, drug
        if drug:
            number += 1
            category = drug.get("a4", "").strip()
            sheet.record(
                "R",
                f2=str(number),
                f3=("", "", "", drug.get("a1", ""), isolate),
                f4=drug.get("a3", ""),
                f7=category,
                f9="F",
            )
            drug = {}

    for tag, value in pairs:
        if tag in ("ra", "o1", "t1", "rt", "zz"):
            close()
        if tag == "rt":
            card = value.strip()
            sheet.record("O", f2="1", f3=(about.get("ci", ""), ""), f5=("", "", "", card))
        elif tag == "t1":
            isolate = value.strip()
        elif tag == "o1" and card:
            number += 1
            sheet.record("R", f2=str(number), f3=("", "", "", card, isolate), f4=value, f9="F")
        elif tag in ("a1", "a2", "a3", "a4"):
            if not card or tag in drug:
                raise NotUnderstood(f"the tag {tag} stands where no antibiotic has begun")
            drug[tag] = value
    close()
    if not card:
        raise NotUnderstood("there is no card in it (rt)")
    return sheet.laid(whole=pairs[-1][0] == "zz")
