"""How is what a pack says told to a biologist? Its keys, places and values in words; what a laboratory has named itself stays as it is."""

from __future__ import annotations

import re
from typing import Final

from labmw.phrases import Language, codes, say

_LIMITS: Final = re.compile(r"limits (\S+) (\S*) ?sex (\S+) age ([^-]*)-(\S*) ward (.+) specimen (.+)")
_AGE: Final = re.compile(r"(\d+)([dmy])")
_WORDED: Final = frozenset(
    {"verdict", "if_missing", "no_previous", "mode", "direction", "scope", "check", "afterwards", "class"}
)
"""Keys whose values are words of the language of packs."""
_LISTS: Final = frozenset({"flags", "days"})


def key(name: str, language: Language) -> str:
    """A key of a rule or a column of a limit table."""
    for code in (f"pack-key-{_code(name)}", f"traced-name-{_code(name)}"):
        if code in codes():
            return say(code, language)
    return name


def value(name: str, text: str, language: Language) -> str:
    """What stands under a key: a word of the language of packs, or what the laboratory wrote."""
    if name == "check" and text == "panel":
        return say("pack-word-panel-check", language)
    if name in _WORDED:
        return _word(text, language)
    if name in _LISTS:
        kind = "flag" if name == "flags" else "traced-name"
        return ", ".join(say(f"{kind}-{one}", language) for one in text.split())
    if name == "action":
        return ", ".join(_action(one, language) for one in text.split())
    return text


def place(where: str, language: Language) -> str:
    """Where in a pack something is: `rule K-EDTA`, or the row of a limit table."""
    if match := _LIMITS.fullmatch(where):
        alias, unit, sex, begins, ends, ward, specimen = match.groups()
        whose = whom(sex, begins, ends, ward, specimen, language)
        return say("pack-limits", language, analyte=alias, unit=unit or "1", whom=whose)
    kind, _, name = where.partition(" ")
    code = f"pack-place-{kind}"
    return say(code, language, name=name).strip() if code in codes() else where


def whom(sex: str, begins: str, ends: str, ward: str, specimen: str, language: Language) -> str:
    """For whom a row of limits is, in words; "all" where it is for everybody."""
    found = [say(f"pack-sex-{sex.lower()}", language)] if sex in ("F", "M") else []
    if ends:
        found.append(say("pack-age-between", language, begins=_age(begins, language), ends=_age(ends, language)))
    elif begins and _AGE.fullmatch(begins) and not begins.startswith("0"):
        found.append(say("pack-age-from", language, begins=_age(begins, language)))
    found += [say("traced-ward", language, ward=ward)] if ward != "*" else []
    found += [say("pack-specimen", language, specimen=specimen)] if specimen != "*" else []
    return ", ".join(found) or say("pack-everybody", language)


def pair(name: str, text: str, language: Language) -> str:
    """A name and what stands behind it, with the blank before the colon that French has."""
    return say("pack-pair", language, key=name, value=text)


def span(low: object | None, high: object | None, language: Language) -> str:
    """A pair of limits, either of which may be open; "" for none."""
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"≤ {high}" if low is None else f"≥ {low}"
    return say("pack-span", language, low=low, high=high)


def looser(text: str, language: Language) -> str:
    """One line of what a new version may let go: `limits K ...: lim_lo 91 -> 88`, `rule X: removed`."""
    where, colon, what = text.rpartition(": ")
    if not colon:
        kind, _, name = text.partition(" ")
        code = f"pack-place-{kind}"
        return say("pack-first", language) if text == "first version" else say(code, language, name=name) if code in codes() else text  # fmt: skip
    if what in ("new", "removed"):
        return pair(place(where, language), say(f"pack-{what}", language), language)
    name, _, change = what.partition(" ")
    sides = [value(name, side, language) for side in change.split(" -> ")]
    told = f"{key(name, language)} {' -> '.join(sides)}"
    return pair(place(where, language), told, language)


def _word(text: str, language: Language) -> str:
    for code in (f"level-{text}", f"pack-word-{_code(text)}", f"traced-name-{_code(text)}"):
        if code in codes():
            return say(code, language)
    return text


def _action(text: str, language: Language) -> str:
    kind, _, target = text.partition(":")
    return f"{say(f'action-{kind}', language)} {target}".strip()


def _age(text: str, language: Language) -> str:
    match = _AGE.fullmatch(text)
    return say(f"pack-age-{match[2]}", language, count=match[1]) if match else text


def _code(text: str) -> str:
    return text.lower().replace("_", "-").replace(".", "-").replace(" ", "-")
