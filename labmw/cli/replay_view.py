"""How is a replayed capture drawn? Record by record, what has no place in red, and the answer under the query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from labmw.cli.render import Decoded, clean, outcome, why_of
from labmw.cli.replayed import AnswerShown, Became, RecordShown, Replayed
from labmw.cli.replaying import spoken
from labmw.model import Disposition
from labmw.phrases import Language, say

RED = "bold red"
LONGEST = 400  # characters of one record on a screen; JSON has them all


def draw(
    console: Console,
    decoded: Decoded,
    replayed: Sequence[Replayed],
    language: Language,
    *,
    answers: bool,
    most: int = 5000,
) -> None:
    """Print one capture, so many of its records. `answers`: a worklist was given, so that every query is answered or says why not."""
    head = Text(clean(decoded.file), "bold")
    head.append(f"  {decoded.size} B  {decoded.framing}", "dim")
    if decoded.used:
        head.append(f"  {say('replay-tolerances', language, names=', '.join(decoded.used))}", "cyan")
    console.print(head)
    if decoded.refused:
        console.print(Text("  " + clean(say(decoded.refused, language, **dict(decoded.refused_facts))), RED))
    unplaced = seen = 0
    for one in replayed:
        if seen < most:
            _title(console, one, language)
        for record in one.records:
            unplaced += len(record.unplaced)
            if seen < most:
                _record(console, record, language)
            seen += 1
        if seen > most:
            continue
        if one.answer is not None:
            _answer(console, one.answer, language)
        elif one.shown.reading.queries and not answers:
            console.print(Text("  " + say("replay-no-worklist", language), "yellow"))
    if seen > most:
        console.print(Text("\n" + say("replay-more", language, count=seen - most), "bold yellow"))
    console.print()
    if replayed:
        console.print(_sum(replayed, unplaced, language))
    elif not decoded.refused:
        console.print(Text(say("replay-nothing", language), "yellow"))


def _sum(replayed: Sequence[Replayed], unplaced: int, language: Language) -> Text:
    """The last line: what has no place, or what would not have been taken although everything has one."""
    if unplaced:
        return Text(say("replay-unplaced", language, count=unplaced), RED)
    became = Counter(outcome(one.shown)[0] for one in replayed)
    kept, turned_away = became[Disposition.QUARANTINED], became[Disposition.REFUSED]
    if not kept + turned_away:
        return Text(say("replay-all-placed", language), "green")
    facts = {"messages": len(replayed), "refused": turned_away, "quarantined": kept}
    return Text(say("replay-placed-but", language, **facts), RED if turned_away else "yellow")


def _title(console: Console, one: Replayed, language: Language) -> None:
    disposition, reason, facts = outcome(one.shown)
    console.print()
    line = Text(say(f"message-kind-{one.shown.reading.kind}", language), "bold")
    line.append(f"  {say('replay-driver', language, driver=one.driver)}")
    if reason:
        line.append(f"  {clean(why_of(reason, facts, language))}", RED if disposition.value == "refused" else "yellow")
    console.print(line)


def _record(console: Console, record: RecordShown, language: Language) -> None:
    shown, length = Text("  "), 0
    for piece in record.pieces:
        text = clean(piece.text)[: max(0, LONGEST - length)]
        length += len(piece.text)
        shown.append(text, "" if piece.placed else RED)
    if length > LONGEST:
        shown.append("…")
    console.print(shown, soft_wrap=True)
    if record.unplaced and len(record.unplaced) < len(record.pieces):  # red is not seen in a file
        told = say("replay-no-place", language, texts="  ".join(record.unplaced)[:LONGEST])
        console.print(Text("      → " + clean(told), RED), soft_wrap=True)
    for one in record.became:
        console.print(Text("      → " + _became(one, language), "dim" if one.well else RED), soft_wrap=True)


def _became(one: Became, language: Language) -> str:
    return clean(spoken(one, lambda code, facts: say(code, language, **dict(facts))))


def _answer(console: Console, given: AnswerShown, language: Language) -> None:
    console.print()
    console.print(Text(say(f"replay-answer-{given.said}", language), "bold"))
    if given.why:
        console.print(Text("  " + clean(say(given.why, language, **dict(given.facts))), "yellow"))
    for message in given.messages:
        for record in message:
            console.print(Text("  " + clean(record), "cyan"), soft_wrap=True)
    if given.said == "unable" and not given.messages:
        console.print(Text("  " + say("replay-silence", language), "dim"))
    for tube in given.again:
        console.print(Text("  " + clean(say("replay-again", language, specimen=tube)), "yellow"))
