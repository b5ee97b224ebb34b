"""How are a checked message and its fields shown? As lines for people, or as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from labmw.cli.render import clean
from labmw.phrases import Language, say
from protocols.errors import Hl7Error
from protocols.hl7.check import Deviation, Severity
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.grammar import Group, match
from protocols.hl7.names import TITLES, field_name

LONGEST = 400
"""Characters of a field that are shown to people; JSON holds it whole."""

Checked = Sequence[tuple[Message, str, list[Deviation]]]
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def sentence(item: Deviation, language: Language) -> str:
    """What a deviation says to a person."""
    return say(item.text_code, language, **dict(item.facts))


def print_deviations(
    console: Console, file: str, problems: Sequence[str], checked: Checked, language: Language
) -> None:
    """A line for each problem of the file, each message and each of its deviations."""
    for problem in problems:
        console.print(Text(problem, style="red"), soft_wrap=True)
    for message, profile, found in checked:
        counts = {severity: sum(item.severity is severity for item in found) for severity in Severity}
        facts = {severity.value: str(count) for severity, count in counts.items()}
        kind = clean(message.header.field(9)) or "-"
        line = say(
            "hl7-checked",
            language,
            file=file,
            type=kind,
            control_id=message.control_id or "-",
            profile=profile,
            **facts,
        )
        console.print(Text(line, style="bold"), soft_wrap=True)
        for item in found:
            console.print(_row(item, language), soft_wrap=True)


def _row(item: Deviation, language: Language) -> Text:
    """One deviation on one line: how bad, where, which rule, what it says, and who says so."""
    said = say(f"hl7-{item.severity.value}", language)
    return Text.assemble(
        (f"  {said:<8} ", _COLOURS[item.severity]),
        f"{item.where:<12} {item.rule:<20} {sentence(item, language)} ",
        (f"({item.source})", "dim"),
    )


def deviations_as_json(file: str, problems: Sequence[str], checked: Checked, language: Language) -> dict[str, Any]:
    """One file and its deviations; the rule and its source are the same words in every language."""
    return {
        "file": file,
        "problems": list(problems),
        "messages": [
            {
                "type": message.header.field(9),
                "control_id": message.control_id,
                "profile": profile,
                "deviations": [
                    {
                        "severity": item.severity.value,
                        "segment": item.segment,
                        "index": item.index,
                        "field": item.field,
                        "component": item.component,
                        "place": item.place,
                        "rule": item.rule,
                        "source": item.source,
                        "text": sentence(item, language),
                    }
                    for item in found
                ],
            }
            for message, profile, found in checked
        ],
    }


def print_message(console: Console, message: Message) -> None:
    """The message in the groups of its structure; a type without grammar is shown flat."""
    for depth, group, item in _walk(message):
        margin = "  " * depth
        if item is None:
            console.print(Text(f"{margin}{group}", style="dim"))
            continue
        console.print(Text(f"{margin}{clean(item.name)}  {TITLES.get(item.name, '')}".rstrip(), style="bold"))
        for n, number, value in _filled(item):
            label = f"{margin}  {number:<6} {field_name(item.name, n):<28} "
            console.print(Text(label, style="cyan") + Text(_short(value), style="default"), soft_wrap=True)


def _short(value: str) -> str:
    """What stands in a field, fit for a screen; of a document only its beginning and its length."""
    shown = clean(value[:LONGEST])
    return shown if len(value) <= LONGEST else f"{shown}… ({len(value)})"


def message_as_json(file: str, message: Message) -> dict[str, Any]:
    """The message as a list of segments with their fields; the groups are paths."""
    return {
        "file": file,
        "type": message.header.field(9),
        "control_id": message.control_id,
        "segments": [
            {
                "segment": item.name,
                "title": TITLES.get(item.name, ""),
                "group": group,
                "fields": [
                    {"field": n, "name": field_name(item.name, n), "value": value} for n, _, value in _filled(item)
                ],
            }
            for _, group, item in _walk(message)
            if item is not None
        ],
    }


def _filled(item: Segment) -> Iterator[tuple[int, str, str]]:
    """Number, label and content of every filled field, each repetition on its own."""
    for n in range(1, len(item.fields)):
        repeated = item.repetitions(n)
        for r, value in enumerate(repeated, 1):
            yield n, f"{n}" if len(repeated) == 1 else f"{n}[{r}]", value


def _walk(message: Message) -> Iterator[tuple[int, str, Segment | None]]:
    try:
        root = match(message).root
    except Hl7Error:
        yield from ((0, "", item) for item in message.segments)
        return
    yield from _inside(root, 0, "")


def _inside(group: Group, depth: int, path: str) -> Iterator[tuple[int, str, Segment | None]]:
    for part in group.parts:
        if isinstance(part, Group):
            below = f"{path}.{part.name}" if path else part.name
            yield depth, part.name, None
            yield from _inside(part, depth + 1, below)
        else:
            yield depth, path, part[1]
