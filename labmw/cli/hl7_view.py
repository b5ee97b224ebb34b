"""How are a checked message and its fields shown? As lines for people, or as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labmw.cli.render import clean
from labmw.phrases import Language, say
from protocols.errors import Hl7Error
from protocols.hl7.check import Deviation, Severity
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.grammar import Group, match
from protocols.hl7.names import TITLES, field_name

Checked = Sequence[tuple[Message, str, list[Deviation]]]
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def sentence(item: Deviation, language: Language) -> str:
    """What a deviation says to a person."""
    return say(item.text_code, language, **dict(item.facts))


def print_deviations(console: Console, file: str, problem: str, checked: Checked, language: Language) -> None:
    """One line for each message, and one row for each deviation."""
    if problem:
        console.print(Text(say("hl7-unreadable", language, file=file, problem=problem), style="red"))
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
        console.print(Text(line, style="bold"))
        if found:
            console.print(_table(found, language))


def _table(found: Sequence[Deviation], language: Language) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(overflow="fold")
    for item in found:
        table.add_row(
            Text(say(f"hl7-{item.severity.value}", language), style=_COLOURS[item.severity]),
            Text(clean(item.where)),
            Text(sentence(item, language)),
            Text(f"{item.rule} ({item.source})", style="dim"),
        )
    return table


def deviations_as_json(file: str, problem: str, checked: Checked, language: Language) -> dict[str, Any]:
    """One file and its deviations; the rule and its source are the same words in every language."""
    return {
        "file": file,
        "problem": problem,
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
            console.print(Text(label, style="cyan") + Text(clean(value), style="default"), soft_wrap=True)


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
