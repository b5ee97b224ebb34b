"""How are the numbers, moments and names of the qc commands read? Strictly, and as a French or an English keyboard writes them."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import require
from labmw.cli.options import fail
from labmw.cli.writing import now, reason_given, who, write
from labmw.errors import QuantityError
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labmw.config import Config
    from labmw.lab.deciding import Decision
    from labmw.store import Transaction

NOT_DONE = 1
UNUSABLE = 2

AnalyzerArgument = Annotated[str, typer.Argument(help="The link's name or the serial number; * for all.", show_default=False)]  # fmt: skip
TestArgument = Annotated[str, typer.Argument(help="The LOINC code, or the analyzer's own where it has none.", show_default=False)]  # fmt: skip
ModuleOption = Annotated[str, typer.Option("--module", help="The module, as the analyzer names it.", show_default=False)]  # fmt: skip

_SPAN = re.compile(r"(\d{1,4})\s*(min|h|d|j)", re.ASCII)
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2},\d{3}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(?:[.,]\d{1,15})?", re.ASCII)


def decision(
    settings: Config, why: str, by: str | None, tongue: Language, *, act: str = "qc", tightens: bool = False
) -> Decision:
    """Who decides, now, and why; ends with a sentence where no role of theirs may. What only tightens, whoever may stop may do too."""
    from labmw.lab.deciding import Decision as Made

    made = Made(settings.site.id, now(), who(by), reason_given(why, tongue))
    require(settings, made.by, act, tongue, *(["stop"] if tightens else []))
    return made


def another(settings: Config, second: str, tongue: Language, *, act: str = "qc") -> str:
    """The second person, whose role must be one that may, too; "" where none is named."""
    if second.strip():
        require(settings, second.strip(), act, tongue)
    return second.strip()


def decide(settings: Config, script: Transaction[Any], tongue: Language) -> Any:
    """Carry a decision out, or end with the sentence that says why it cannot be."""
    from labmw.lab.rights import Undecidable

    try:
        return write(settings, script, tongue=tongue)[0]
    except Undecidable as problem:
        fail(say(problem.code, tongue, **problem.facts), NOT_DONE)


def everywhere(analyzer: str) -> str:
    """An analyzer as the store keeps it: "" for all."""
    return "" if analyzer.strip() == "*" else analyzer.strip()


def number(text: str, what: str, tongue: Language) -> Decimal:
    """An exact decimal with a point or a comma; what may be thousands is not guessed."""
    given = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(given) or _THOUSANDS.fullmatch(given):
        fail(say("qc-number", tongue, what=what, text=text), UNUSABLE)
    return Decimal(given.replace(",", "."))


def span(text: str, what: str, tongue: Language) -> timedelta:
    """A span of time: 30min, 24h, 7d."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        fail(say("qc-span", tongue, what=what, text=text), UNUSABLE)
    unit = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "j": timedelta(days=1)}
    return int(match[1]) * unit[match[2]]


def instant(text: str, settings: Config, what: str, tongue: Language) -> datetime:
    """A day or a moment in the site's time zone, or with an offset of its own."""
    from zoneinfo import ZoneInfo

    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        fail(say("qc-moment", tongue, what=what, text=text), UNUSABLE)
    return (found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(settings.site.timezone))).astimezone(
        UTC
    )


def unit(text: str, tongue: Language) -> str:
    """A UCUM unit; the site's usual spellings are known."""
    from labmw.quantity import ucum

    try:
        return ucum(text) if text.strip() not in ("", "1") else ""
    except QuantityError as problem:
        fail(say("qc-unit-unknown", tongue, problem=problem), UNUSABLE)


def rules(text: str, tongue: Language) -> Sequence[Any]:
    """Westgard's rules, with commas between."""
    from rules.qc.westgard import Rule

    found = []
    for name in filter(None, (one.strip() for one in text.split(","))):
        match = next((rule for rule in Rule if rule.casefold() == name.casefold()), None)
        if match is None:
            fail(say("qc-rule-unknown", tongue, rule=name, known=", ".join(Rule)), UNUSABLE)
        found.append(match)
    return tuple(found)


@contextmanager
def plain_errors() -> Generator[None]:
    """End with the sentence of an error that is ours."""
    from labmw.errors import LabmwError

    try:
        yield
    except LabmwError as problem:
        fail(str(problem), NOT_DONE)
