"""How is what a rule compared said to a person? Traces are kept in codes and values of no language; here they become words, part by part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from labmw.phrases import Language, codes, say

EVIDENCE: Final = ("labmw/qc", "labmw/supplies")
"""Of labmw's own guards, those whose trace tells more than the reason does: which controls, which lots."""
_NUMBER: Final = re.compile(r"(?<![\w.:-])-?\d+\.\d{5,}(?:e[+-]?\d+)?(?![\w.:-])")
_CODE: Final = re.compile(r"[a-z]+(?:-[a-z]+)*: ")
_SPLIT: Final = re.compile(r"; (?![^\[]*\])")
_NAME: Final = re.compile(r"[A-Za-z_][\w -]*")

# What each kind of part looks like, and the phrase that says it: the names of the groups are the facts of the phrase.
_PARTS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), f"traced-{code}")
    for pattern, code in (
        (r"level (?P<level>\S*) (?P<state>\w+)(?: (?P<rule>\S+))? at (?P<at>.+)", "level"),
        (r"average (?P<value>\S+) (?P<state>ok|alarm|unknown)", "average-at"),
        (r"no control", "no-control"),
        (r"calibration not known", "no-calibration"),
        (r"calibration (?P<state>passed|failed) at (?P<at>.+)", "calibration"),
        (r"reagent lot not known", "no-lot"),
        (r"reagent lot (?P<lot>.+), (?P<state>accepted|refused|not decided)", "reagent"),
        (r"qc (?P<state>\w+), age > limit \[(?P<a>.+?) h vs (?P<b>.+?) h\] -> (?P<answer>\w+)", "qc-age"),
        (r"apart > limit \[(?P<runs>.+)\]", "apart"),
        (r"flags \[(?P<flags>.*)\] of \[(?P<asked>.*)\] -> (?P<answer>\w+)", "flags"),
        (r'"(?P<flags>[a-z-]+)" in flags \[(?P<said>.*)\] -> (?P<answer>\w+)', "flagged"),
        (r"flag (?P<flags>[a-z-]+) -> (?P<answer>\w+)", "flag"),
        (r"(?P<left>.+?) (?P<sign><=|>=|==|!=|<|>) (?P<right>.+?) \[(?P<a>.+) vs (?P<b>.+)\] -> (?P<answer>\w+)", "compared"),
        (r"(?P<left>.+?) \[(?P<a>.*)\] -> (?P<answer>\w+)", "looked"),
        (r"(?P<all>all fell by more than .+?): (?P<tests>.*) -> (?P<answer>\w+)", "fell"),
        (r"(?P<value>'.*?')(?: at (?P<at>\S+))? in \[(?P<words>.*)\] -> (?P<answer>\w+)", "word"),
        (r"is_missing\((?P<left>.+)\) -> (?P<answer>\w+)", "missing"),
        (r"row (?P<file>.+):(?P<line>\d+)", "row"),
        (r"no row in (?P<unit>.+)", "no-row"),
        (r"no previous within (?P<hours>\S+) h, of (?P<count>\d+) known", "no-previous"),
        (r"no previous result, of (?P<count>\d+) known", "none-before"),
        (r"previous (?P<value>.+) at (?P<at>\S+): no (?P<mode>\S+) change can be computed", "no-change"),
        (r"previous (?P<value>.+) at (?P<at>\S+)", "previous"),
        (r"previous (?P<value>.+) in another unit", "previous-unit"),
        (r"history not available", "no-history"),
        (r"earlier words not available", "no-history"),
        (r"no earlier words", "no-words"),
        (r"completion time unknown", "no-time"),
        (r"the time is not known", "no-time"),
        (r"collection or completion time unusable", "no-times"),
        (r"value (?P<value>.+) is no number", "no-number"),
        (r"unit (?P<unit>\S+) not in (?P<expected>.+)", "unit"),
        (r"index (?P<index>[HIL]) not measured", "no-index"),
        (r"no threshold of (?P<index>[HIL]) for (?P<driver>.+)", "no-threshold"),
        (r"(?P<count>\d+) of (?P<least>\d+) tests comparable: (?P<tests>.+)", "comparable"),
        (r"comparable: (?P<tests>.+)", "comparable-few"),
        (r"(?P<value>.+) within \[(?P<low>.+), (?P<high>.+)\] (?P<unit>\S+): below (?P<below>\w+), above (?P<above>\w+)", "range"),
        (r"what was asked for is not known", "no-orders"),
        (r"complete", "complete"),
        (r"lacking (?P<tests>.+)", "lacking"),
        (r"timeout (?P<hours>\S+) h over", "timeout-over"),
        (r"timeout (?P<hours>\S+) h not over", "timeout"),
        (r"one run", "one-run"),
        (r"(?P<count>\d+) of (?P<all>\d+) earlier runs known", "runs-known"),
        (r"(?P<count>\d+) runs", "runs"),
        (r"the laboratory's mode is not known", "no-mode"),
        (r"mode (?P<mode>.*)", "mode"),
        (r"(?P<day>mon|tue|wed|thu|fri|sat|sun) (?P<hour>\d\d:\d\d)", "hour"),
        (r"qc failed at (?P<at>.+)", "qc-failed"),
        (r"(?P<what>qc|calibration|reagent|average) not known", "not-known"),
        (r"(?P<what>qc|calibration|reagent|average) is later than the measurement", "too-late"),
        (r"lot not accepted", "lot"),
        (r"expired (?P<at>.+)", "expired"),
        (r"opened (?P<at>.+)", "opened"),
        (r"lot (?P<lot>.+) in order", "lot-good"),
        (r"moving average (?P<state>ok|alarm)", "average"),
        (r"driver (?P<driver>.*)", "driver"),
        (r"ward (?P<ward>[^:]*)", "ward"),
        (r"ward (?P<ward>.*?): (?P<en>.*) / (?P<fr>.*)", "ward-exempt"),
        (r"word (?P<value>'.*')", "allowed-word"),
        (r"(?P<tests>\S+ [+-]\S+(?: %)?(?: \S+ [+-]\S+(?: %)?)*)", "tests"),
    )
)  # fmt: skip


def spoken(rule: str, outcome: str, detail: str, language: Language, zone: ZoneInfo) -> str:
    """The sentence for one line of a trace: what a rule, or a guard, said of the result and what it compared."""
    name = guarded(rule, language)
    said = parts(outcome, detail, language, zone)
    if not any(said) or (rule.startswith("labmw/") and rule not in EVIDENCE):
        return say(f"rule-{outcome}-bare", language, rule=name)
    return say(f"rule-{outcome}", language, rule=name, detail=" ; ".join(said) if language == "fr" else "; ".join(said))


def parts(outcome: str, detail: str, language: Language, zone: ZoneInfo) -> list[str]:
    """What was compared, part by part."""
    return [_say(part, language, zone) for part in _parts(outcome, detail)]


def guarded(rule: str, language: Language) -> str:
    """A guard of labmw's own in words; a rule of a pack under its name."""
    code = f"guard-{rule.removeprefix('labmw/')}"
    return say(code, language) if rule.startswith("labmw/") and code in codes() else rule


def compared(detail: str, language: Language, zone: ZoneInfo) -> list[str]:
    """The comparisons of a trace that came out true, or could not be made: what must not have been so for the result to leave."""
    found = [part for part in _SPLIT.split(detail) if part.endswith(("-> true", "-> unknown"))]
    return [_say(part, language, zone) for part in found]


def untold(outcome: str, detail: str) -> list[str]:
    """The parts of a trace for which there are no words: shown as they are kept."""
    return [part for part in _parts(outcome, detail) if _matched(part) is None]


def _parts(outcome: str, detail: str) -> list[str]:
    if outcome == "unknown":
        detail = _CODE.sub("", detail, count=1)  # the reason says the code in a sentence of its own
    if outcome == "exempt":
        return [detail] if detail else []
    return [part for part in _SPLIT.split(detail) if part]


@lru_cache(maxsize=4096)
def _matched(part: str) -> tuple[str, Mapping[str, str]] | None:
    for pattern, code in _PARTS:
        if match := pattern.fullmatch(part):
            return code, {name: text or "" for name, text in match.groupdict().items()}
    return None


def _say(part: str, language: Language, zone: ZoneInfo) -> str:
    found = _matched(part)
    if found is None:
        return _short(part)
    code, kept = found
    facts: dict[str, str] = {}
    for name, text in kept.items():
        match name:
            case "answer" | "below" | "above":
                facts[name] = say(f"traced-answer-{text}", language)
            case "at":
                facts[name] = _moment(text, zone)
            case "left" | "right" | "state" | "what" | "mode" | "day" | "index":
                facts[name] = _named(text, language)
            case "asked" | "said":
                facts[name] = _flags(text, language)
            case "tests" if text == "none":
                facts[name] = "–"
            case "runs":
                facts[name] = _runs(text, language)
            case _:
                facts[name] = _short(text)
    if code == "traced-compared":
        return _comparison(kept, facts, language)
    if code == "traced-word":
        return say("traced-word-before" if kept["at"] else code, language, **facts)
    if code == "traced-looked" and kept["a"] == "missing":
        facts["a"] = say("traced-name-missing", language)
    if code == "traced-ward-exempt":
        facts = {"ward": facts["ward"], "reason": facts[language]}
    if code == "traced-fell":
        facts["limit"] = kept["all"].removeprefix("all fell by more than ")
    return say(code, language, **facts)


def _comparison(kept: Mapping[str, str], facts: Mapping[str, str], language: Language) -> str:
    """`value < lim_lo [142 vs 130]`: each side with its number, unless it is the number."""
    a, b = kept["a"], kept["b"]
    left = facts["left"] if kept["left"] == a else _valued(facts["left"], a, language)
    right = _short(b) if _same(kept["right"], b) else _valued(facts["right"], b, language)
    return say("traced-compared", language, left=left, sign=kept["sign"], right=right, answer=facts["answer"])


def _valued(name: str, text: str, language: Language) -> str:
    missing = text == "missing"
    return f"{name} ({say('traced-name-missing', language)})" if missing else f"{name} {_short(text)}"


def _same(name: str, text: str) -> bool:
    try:
        return float(name) == float(text)
    except ValueError:
        return name == text


def _named(text: str, language: Language) -> str:
    """A name of the vocabulary in words; an alias of a pack, or a formula, as the pack writes it."""
    code = f"traced-name-{text.strip().lower().replace('_', '-').replace(' ', '-')}"
    return say(code, language) if _NAME.fullmatch(text) and code in codes() else text


def _flags(text: str, language: Language) -> str:
    return ", ".join(say(f"flag-{flag}", language) for flag in text.split()) or say("traced-none", language)


def _runs(text: str, language: Language) -> str:
    for word in ("true", "false", "unknown"):
        text = text.replace(f"-> {word}", f": {say(f'traced-answer-{word}', language)}").replace(" :", ":")
    return _short(text.replace(" vs ", " / "))


def _short(text: str) -> str:
    """Numbers to six digits: 61.3636363636 is 61.3636."""
    return _NUMBER.sub(lambda match: f"{float(match[0]):.6g}", text)


def _moment(text: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.astimezone(zone) if at.tzinfo is not None else at:%Y-%m-%d %H:%M}"
