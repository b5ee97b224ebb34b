"""How is a first driver file written from what a capture shows? Python text that loads, reads, and releases nothing.

What the capture cannot prove stands in it as a comment, for a person to confirm: which LOINC code a test has, what a word or a letter
means, whether a comma is a decimal mark. A driver that nobody has compared with its analyzer is `unverified`, so that everything it reads
goes to quarantine. What comes from the wire is quoted: no code, name or value can become a line of the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from labmw.driver.check import loinc_check_digit
from labmw.driver.declaration import Driver, Field
from labmw.driver.survey import Seen, Survey

SHOWN = 60  # characters of a text from the wire
_INDENT = "    "


def slug(sender: str) -> str:
    """A name for the family from what it calls itself; "new-analyzer" when it does not."""
    first = next((part for part in re.split(r"[\^|]", sender) if part.strip()), "")
    return "-".join(re.findall(r"[a-z0-9]+", _unaccented(first)))[:40] or "new-analyzer"


def _unaccented(text: str) -> str:
    """In small letters, without accents."""
    return unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()


def pattern(sender: str, protocol: str) -> str:
    """A regular expression that finds this family's header: its first component that says anything, whole."""
    if protocol == "hl7":
        application = sender.partition("|")[0]
        return "^" + _literal(application) + r"\|" if application.strip() else ""
    found = re.match(r"((?:\s*\^)*\s*)([^\^]*[^\^\s])\s*(\^|$)", sender)
    if not found:
        return ""
    before = "".join(r" *\^" for _ in range(found[1].count("^")))
    return f"^{before} *{_literal(found[2])} *" + (r"\^" if found[3] else "$")


def _literal(text: str) -> str:
    return re.escape(text).replace("\\ ", " ")


def known_codes(drivers: Iterable[Driver]) -> dict[str, dict[str, list[str]]]:
    """Under which LOINC codes other families' drivers know a test code: {code: {loinc: [driver, ...]}}. A hint, never a fact."""
    found: dict[str, dict[str, list[str]]] = {}
    for driver in drivers:
        for code, test in driver.tests.items():
            if test.loinc:
                found.setdefault(code, {}).setdefault(test.loinc, []).append(driver.name)
    return found


def write(survey: Survey, name: str, source: str, hints: Mapping[str, Mapping[str, list[str]]]) -> str:
    """The text of the file; `source` names the capture and its digest."""
    sender = survey.senders.most_common(1)[0][0] if survey.senders else ""
    kind = "Hl7Driver" if survey.protocol == "hl7" else "Driver"
    said = "HL7 v2" if survey.protocol == "hl7" else "LIS02-A2"
    lines = [
        f'"""{name}: {said}; a first draft from one capture, to be confirmed by a person.',
        "",
        f"Source: {_plain(source)}; {survey.messages} messages, {len(survey.tests)} test codes. No document of the maker was read.",
        "Evidence: unverified.",
        '"""',
        "",
        f"from labmw.driver import {kind}, Evidence, Field, Test  # noqa: F401 - what is commented below needs them",
        "from labmw.quantity import NumberFormat  # noqa: F401",
        "",
        f"# As it calls itself: {_shown(sender)}",
        f"DRIVER = {kind}(",
        f"{_INDENT}name={_text(name)},",
        *_recognised(sender, survey),
        f'{_INDENT}maker="",',
        f"{_INDENT}models=(),",
        f"{_INDENT}evidence=Evidence.UNVERIFIED,",
        *_places(survey),
        *_numbers(survey),
        *_words(survey),
        *_tests(survey, hints),
        ")",
        "",
    ]
    return "\n".join(lines)


def _recognised(sender: str, survey: Survey) -> list[str]:
    found = pattern(sender, survey.protocol)
    lines = []
    if not found:
        lines.append(f"{_INDENT}# The header names nobody: the link's configuration must name this driver.")
    elif len(survey.senders) > 1:
        others = ", ".join(_shown(one) for one in list(survey.senders)[1:4])
        lines.append(f"{_INDENT}# Other senders in the same capture: {others}")
    lines.append(f"{_INDENT}recognises={_text(found)},")
    return lines


def _places(survey: Survey) -> list[str]:
    lines = []
    if survey.protocol == "astm":
        for n, part in enumerate(survey.header[1:], 2):
            if part.strip():
                lines.append(
                    f'{_INDENT}# H.5.{n} is {_shown(part)} throughout. serial=Field("H", 5, {n}) or software=Field("H", 5, {n})?'
                )
    usual = Field("SPM", 2, 1) if survey.protocol == "hl7" else Field("O", 3, 1)
    if survey.specimen != usual:
        lines.append(
            f"{_INDENT}specimen={_field(survey.specimen)},  # the first place that is filled: confirm that it is the tube"
        )
        lines += [f"{_INDENT}specimen_or=(),"] if survey.protocol == "hl7" else []
    if survey.protocol == "astm" and survey.test != Field("R", 3, 4):
        lines.append(f"{_INDENT}test={_field(survey.test)},  # R.3.4 is always empty")
    if survey.controls:
        where = "MSH-11 = Q" if survey.protocol == "hl7" else "O.12 = Q"
        lines.append(f"{_INDENT}# Marked as quality control ({where}): {survey.controls}.")
    return lines


def _numbers(survey: Survey) -> list[str]:
    if survey.comma and not survey.point and not survey.grouped:
        return [f'{_INDENT}numbers=NumberFormat(decimal=","),  # {survey.comma} values; none with a point']
    if survey.comma or survey.grouped:
        return [
            f"{_INDENT}# Commas in numbers: {survey.comma} that can only be a decimal mark, {survey.grouped} that may be thousands (161,152);"
            f" points: {survey.point}.",
            f'{_INDENT}# Ask the maker, then: numbers=NumberFormat(decimal=",") or NumberFormat(thousands=",")',
        ]
    return []


def _words(survey: Survey) -> list[str]:
    lines = []
    if survey.words:
        words = ", ".join(_text(word) for word, _ in survey.words.most_common(12))
        lines.append(f"{_INDENT}# Values without a digit: {words}")
        lines.append(
            f'{_INDENT}# Those that say "no value": no_value=frozenset({{...}}). Those that are results: values=(...) of their Test.'
        )
    if survey.flags:
        letters = ", ".join(_text(letter) for letter, _ in survey.flags.most_common(20))
        lines.append(
            f"{_INDENT}# Flags that the standard does not explain, each held until it is in `flags`: {letters}"
        )
    return lines


def _tests(survey: Survey, hints: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    lines = [f"{_INDENT}tests={{"]
    deeper = _INDENT * 2
    lines.append(
        f"{deeper}# Put in the LOINC code from your catalogue and take the # away; what stays commented goes to quarantine (unknown-code)."
    )
    for one in sorted(survey.tests.values(), key=lambda seen: (-seen.count, seen.code)):
        lines += [f"{deeper}{line}" for line in _test(one, hints.get(one.code, {}))]
    lines.append(f"{_INDENT}}},")
    odd = sorted({sent for one in survey.tests.values() for sent in one.units if not _ucum_of(one, sent)})
    if odd:
        lines.append(f"{_INDENT}units={{")
        lines += [f'{deeper}# {_text(sent)}: "",  # the UCUM code that it stands for' for sent in odd[:100]]
        lines.append(f"{_INDENT}}},")
    return lines


def _test(one: Seen, hints: Mapping[str, list[str]]) -> list[str]:
    sent, unit = one.unit
    units = ", ".join(f"{_shown(text)} ({count})" for text, count in one.units.most_common(4)) or "no unit"
    values = " ".join(_shown(value) for value in one.values) or "no value"
    lines = [f"# {_shown(one.code)}: {one.count} times; {units}; {values}"]
    if one.system == "LN" and loinc_check_digit(one.code):
        lines.append(f"# LOINC candidate, sent by the analyzer itself: {one.code}")
    for loinc, names in list(hints.items())[:3]:
        lines.append(
            f"# LOINC candidate, from {', '.join(names[:3])}, where the same letters are another maker's: {loinc}"
        )
    name = one.name or one.code
    lines.append(
        f'# {_text(one.code)}: Test("", {_text(unit)}, name={_text(name)}),'
        + ("" if unit or not sent else f"  # the unit {_shown(sent)} has no UCUM code yet")
    )
    return lines


def _ucum_of(one: Seen, sent: str) -> str:
    return Seen(one.code, units=type(one.units)({sent: 1})).unit[1]


def _field(place: Field) -> str:
    return f'Field("{place.record}", {place.field}, {place.component})'


def _text(value: str) -> str:
    """A Python string on one line, whatever the wire has sent."""
    escaped = "".join(_spelled(c) if c in '"\\' or not c.isprintable() else c for c in value)
    return f'"{escaped}"'


def _shown(value: str) -> str:
    """A text in a comment: on one line, and not longer than a person reads."""
    cut = value[:SHOWN] + ("…" if len(value) > SHOWN else "")
    return _text(cut)


def _plain(value: str) -> str:
    """A text inside the docstring: it can end neither the line nor the string."""
    return "".join(c for c in value if c.isprintable() and c not in '"\\')


def _spelled(character: str) -> str:
    number = ord(character)
    if character in '"\\':
        return "\\" + character
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


__all__ = ["known_codes", "pattern", "slug", "write"]
