"""How is a decoded file shown? As one JSON object in the schema labmw-corpus/1, or as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from labmw.cli.render_hl7 import hl7_result
from labmw.driver.declaration import Driver
from labmw.driver.picture import Picture, pictures_of
from labmw.driver.picture import shown as pictures_shown
from labmw.driver.reading import Facts, OrderRead, Reading, ResultRead
from labmw.model import Disposition, Flag
from labmw.phrases import Language, say

SCHEMA = "labmw-corpus/1"


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as it is to be shown; `damaged` is the code of why a line would have refused it, `extra` what only its protocol has, `message` what was read."""

    reading: Reading
    damaged: str = ""
    extra: Mapping[str, Any] | None = None
    message: object = None  # protocols.astm.message.Message or protocols.hl7.er7.Message
    driver: Driver | None = None  # who read it


@dataclass(frozen=True, slots=True)
class Decoded:
    """One file. `refused` is the reason code when the file holds nothing that could be taken for a message."""

    file: str
    size: int
    sha256: str
    protocol: str
    framing: str
    messages: tuple[Shown, ...] = ()
    frames: Mapping[str, Any] | None = None
    used: tuple[str, ...] = ()
    sent_again: int = 0
    refused: str = ""
    refused_facts: Facts = ()

    @property
    def sound(self) -> bool:
        """False when something of the file would have been refused."""
        return not self.refused and all(outcome(shown)[0] is not Disposition.REFUSED for shown in self.messages)


def outcome(shown: Shown) -> tuple[Disposition, str, Facts]:
    """What became of a message, and why."""
    if shown.damaged:
        return Disposition.REFUSED, "damaged", (("fault", shown.damaged),)
    reading = shown.reading
    return reading.disposition, reading.reason, reading.reason_facts


def why_of(reason: str, facts: Facts, language: Language) -> str:
    """The sentence for a reason; a fault of the line is itself a phrase."""
    if not reason:
        return ""
    told = {name: say(fact, language) if fact.startswith("fault-") else fact for name, fact in facts}
    return say(reason, language, **told)


def result_outcome(shown: Shown, result: ResultRead) -> tuple[Disposition, str, Facts]:
    """What became of a result, and why."""
    whole = outcome(shown)
    if whole[0] is not Disposition.ACCEPTED:
        return whole
    if result.problem:
        return Disposition.QUARANTINED, result.problem, result.problem_facts
    return whole


def to_json(decoded: Decoded, language: Language = "en") -> dict[str, Any]:
    """One file as the corpus writes its expectations, with dispositions, reasons, LOINC and UCUM codes beside them."""
    shown: dict[str, Any] = {
        "schema": SCHEMA,
        "file": decoded.file,
        "bytes": decoded.size,
        "sha256": decoded.sha256,
        "protocol": decoded.protocol,
        "framing": decoded.framing,
    }
    if receiver := _receiver(decoded):
        shown["receiver"] = receiver
    if decoded.refused:
        shown |= {"disposition": Disposition.REFUSED.value, "reason": decoded.refused}
        shown["reason_text"] = say(decoded.refused, language, **dict(decoded.refused_facts))
    return shown | {
        "frames": dict(decoded.frames) if decoded.frames else None,
        "tolerances": list(decoded.used),
        "frames_sent_again": decoded.sent_again,
        "messages": [_message(index, one, language) for index, one in enumerate(decoded.messages)],
    }


def _receiver(decoded: Decoded) -> str:
    """What a receiver answers that is not acceptance, in the words of the corpus."""
    if decoded.refused:
        return "refuse"
    if any(one.damaged for one in decoded.messages):
        return "nak"
    refused = any(one.reading.disposition is Disposition.REFUSED for one in decoded.messages)
    return "reject-unsupported" if refused else ""


def _message(index: int, shown: Shown, language: Language) -> dict[str, Any]:
    reading = shown.reading
    disposition, reason, facts = outcome(shown)
    message: dict[str, Any] = {
        "index": index,
        "protocol": reading.protocol,
        "kind": reading.kind,
        "disposition": disposition.value,
        "reason": reason,
        "reason_text": why_of(reason, facts, language),
        "driver": reading.driver,
        "driver_version": reading.driver_version,
        "mapping_version": reading.mapping_version,
        "delimiters": reading.delimiters,
        "sender": reading.sender,
        "receiver": reading.receiver,
        "serial": reading.serial,
        "software": reading.software,
        "processing_id": reading.processing_id,
        "version": reading.version,
        "datetime": reading.datetime,
        "message_id": reading.message_id,
        "terminated": reading.terminated,
        "terminator": reading.terminator if reading.terminated else None,
        "patients": [
            {name: getattr(one, name) for name in ("practice_id", "lab_id", "id3", "name", "birth", "sex")}
            for one in reading.patients
        ],
        "specimens": list(reading.specimens),
        "orders": [_order(one) for one in reading.orders],
        "queries": [
            {
                "start_raw": one.start_raw,
                "end_raw": one.end_raw,
                "specimens": list(one.specimens),
                "tests_raw": one.tests_raw,
                "status": one.status,
            }
            for one in reading.queries
        ],
        "results": [_result(shown, one, language) for one in reading.results],
        "comments": [dict(zip(("after", "source", "text_raw", "type"), one, strict=True)) for one in reading.comments],
        "manufacturer": [
            {"after": after, "bytes": len(raw.encode("utf-8", "surrogateescape")), "head": raw[:80]}
            for after, raw in reading.manufacturer
        ],
        "pictures": pictures_shown(pictures_of(shown.message)),
        "tolerances": list(reading.tolerances_used),
        "problems": list(reading.problems),
    }
    message["structure"] = reading.structure
    if reading.message_type:
        message["type"] = reading.message_type
    return message | dict(shown.extra or {})


def _order(order: OrderRead) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "specimen": order.specimen,
        "specimen_raw": order.specimen_raw,
        "instrument_specimen_raw": order.instrument_specimen_raw,
        "tests_raw": order.tests_raw,
        "tests": list(order.tests),
        "codes": list(order.codes),
        "priority": order.priority,
        "action": order.action,
        "specimen_type": order.specimen_type,
        "report_type": order.report_type,
        "patient": order.patient,
        "control": order.control,
    }
    return shown | ({"specimens": list(order.specimens)} if len(order.specimens) > 1 else {})


def _result(shown: Shown, result: ResultRead, language: Language) -> dict[str, Any]:
    disposition, reason, facts = result_outcome(shown, result)
    told: dict[str, Any] = {
        "seq": result.seq,
        "specimen": result.specimen,
        "order": result.order,
        "code": result.code,
        "code_raw": result.code_raw,
        "analyte": result.analyte,
        "detail": result.detail,
        "assay_name": result.assay,
        "main": result.main,
        "index": result.index,
        "value": result.value,
        "value_raw": result.value_raw,
        "comparator": result.comparator or None,
        "number": result.number,
        "unit_raw": result.unit_raw,
        "ucum": result.ucum,
        "loinc": result.loinc,
        "test_name": result.test_name,
        "range_raw": result.range_raw,
        "flags_raw": result.flags_raw,
        "flags": sorted(flag.value for flag in result.flags),
        "status": result.status,
        "time": result.time,
        "completed": result.completed.isoformat() if result.completed else None,
        "time_doubt": result.time_doubt,
        "operator": result.operator,
        "instrument": result.instrument,
        "run": result.run,
        "control": result.control,
        "comments": list(result.comments),
        "disposition": disposition.value,
        "reason": reason,
        "reason_text": why_of(reason, facts, language),
    }
    return told | hl7_result(result, result.obx) if result.obx else told


# --- for people ----------------------------------------------------------------------------------------------------------

_WORDS = {
    "en": {
        "accepted": "accepted", "quarantined": "quarantined", "refused": "refused", "detail": "detail", "index": "index",
        "specimen": "Specimen", "test": "Test", "value": "Value", "unit": "Unit", "flags": "Flags", "time": "Time",
        "outcome": "Outcome", "driver": "driver", "tolerances": "tolerances used", "asks": "asks about", "orders": "orders",
        "again": "frames refused and sent again", "nothing": "no message", "note": "note", "control": "control",
    },
    "fr": {
        "accepted": "accepté", "quarantined": "en quarantaine", "refused": "refusé", "detail": "détail", "index": "indice",
        "specimen": "Échantillon", "test": "Analyse", "value": "Valeur", "unit": "Unité", "flags": "Alarmes", "time": "Heure",
        "outcome": "Devenir", "driver": "pilote", "tolerances": "tolérances utilisées", "asks": "interroge sur", "orders": "demande",
        "again": "trames refusées puis renvoyées", "nothing": "aucun message", "note": "remarque", "control": "contrôle",
    },
}  # fmt: skip
_COLOURS = {Disposition.ACCEPTED: "green", Disposition.QUARANTINED: "yellow", Disposition.REFUSED: "red"}
_LOUD = {Flag.CRITICAL_HIGH, Flag.CRITICAL_LOW, Flag.INSTRUMENT_ERROR, Flag.UNKNOWN}


_FEW_FRAMES = 8  # damaged ones named in the table; JSON has all of them


def print_table(decoded: Decoded, console: Console, language: Language) -> None:
    """Print one file: a line on it, then each message with its results and what became of them."""
    words = _WORDS[language]
    head = Text()
    head.append(clean(decoded.file), "bold")
    head.append(f"  {decoded.size} B  {decoded.framing}", "dim")
    if decoded.used:
        head.append(f"  {words['tolerances']}: {', '.join(decoded.used)}", "cyan")
    if decoded.sent_again:
        head.append(f"  {words['again']}: {decoded.sent_again}", "cyan")
    console.print(head)
    if decoded.refused:
        why = say(decoded.refused, language, **dict(decoded.refused_facts))
        console.print(Text(f"  {words['refused']}: {clean(why)}", "red"))
    elif not decoded.messages:
        console.print(Text(f"  {words['nothing']}", "dim"))
    if any(shown.damaged for shown in decoded.messages):
        for one in (decoded.frames or {}).get("invalid_frames", ())[:_FEW_FRAMES]:
            facts = {name: str(one[name]) for name in ("number", "sent", "computed")}
            console.print(
                Text(f"  {clean(say('damaged-frame', language, place=str(one['index'] + 1), **facts))}", "red")
            )
    for shown in decoded.messages:
        console.print(Group(*_message_rows(shown, language)))
    console.print()


def _message_rows(shown: Shown, language: Language) -> Iterator[RenderableType]:
    reading, words = shown.reading, _WORDS[language]
    disposition, reason, facts = outcome(shown)
    line = Text("  ")
    line.append(clean((reading.message_type or reading.structure)[:40]), "bold")
    line.append(" " + say(f"message-kind-{reading.kind}", language), "bold")
    line.append(f"  {clean(reading.sender.strip()) or '-'}  {words['driver']} {reading.driver}  ")
    line.append(words[disposition.value], _COLOURS[disposition])
    if reason:
        line.append(f": {clean(why_of(reason, facts, language))}", _COLOURS[disposition])
    yield line
    for query in reading.queries:
        yield Text(f"    {words['asks']} {clean(', '.join(query.specimens) or query.start_raw)}")
    if not reading.results:
        for order in reading.orders:
            yield Text(
                f"    {words['orders']} {clean(order.specimen)}: {clean(', '.join(order.codes))} {order.report_type}"
            )
    for specimen in dict.fromkeys(result.specimen for result in reading.results):
        yield Text(f"    {words['specimen']} {clean(specimen) or '-'}", "bold")
        yield _result_table(shown, [one for one in reading.results if one.specimen == specimen], language)
    for after, _source, text, _kind in reading.comments:
        if text.strip():
            yield Text(f"    {words['note']} {after}: {clean(text)[:200]}", "dim")
    if pictures := pictures_of(shown.message):
        yield Text(f"    {clean(drawn(pictures, language))}", "dim")
    for problem in reading.problems:
        yield Text(f"    {clean(problem)}", "yellow")


def drawn(pictures: Sequence[Picture], language: Language) -> str:
    """How many pictures of which kind there are, and their names."""
    kinds = dict.fromkeys(one.kind for one in pictures)
    told = [
        f"{say(f'picture-{kind}', language)} {', '.join(dict.fromkeys(one.name for one in pictures if one.kind == kind))}"
        for kind in kinds
    ]
    return say("pictures-kept", language, what="; ".join(told))


def _result_table(shown: Shown, results: Sequence[ResultRead], language: Language) -> Padding:
    words = _WORDS[language]
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False, header_style="dim")
    table.add_column(words["test"], overflow="fold", min_width=8)
    table.add_column("LOINC", no_wrap=True, style="cyan")
    table.add_column(words["value"], overflow="fold", justify="right")
    table.add_column(words["unit"], overflow="fold")
    table.add_column("UCUM", no_wrap=True, style="cyan")
    table.add_column(words["flags"], overflow="fold")
    table.add_column(words["time"], no_wrap=True)
    table.add_column(words["outcome"], overflow="fold", min_width=10)
    for result in results:
        table.add_row(*_result_cells(shown, result, language), style="" if result.main else "dim")
    return Padding(table, (0, 0, 0, 4))


def _result_cells(shown: Shown, result: ResultRead, language: Language) -> list[Text]:
    words = _WORDS[language]
    disposition, reason, facts = result_outcome(shown, result)
    names = dict.fromkeys(part for part in (result.code, result.analyte, result.detail) if part)
    flags = Text(
        ", ".join(say(f"flag-{flag}", language) for flag in sorted(result.flags - {Flag.NORMAL})),
        "red" if result.flags & _LOUD else "",
    )
    if result.control:
        flags.append(f" [{words['control']}]", "magenta")
    became = Text(words[disposition.value], _COLOURS[disposition])
    if disposition is Disposition.ACCEPTED and not result.main:
        became = Text(words["index" if result.index else "detail"])
    elif reason and reason != outcome(shown)[1]:
        became.append(f": {clean(why_of(reason, facts, language))}")
    moment = result.completed.strftime("%Y-%m-%d %H:%M") if result.completed else clean(result.time)
    return [
        Text(clean(" ".join(names))),
        Text(result.loinc),
        Text(clean(result.value)),
        Text(clean(result.unit_raw)),
        Text(result.ucum if result.ucum != result.unit_raw else ""),
        flags,
        Text(moment),
        became,
    ]


def clean(text: str) -> str:
    """Text from the wire, fit for a screen: control characters and undecodable bytes by name, so that nothing moves the cursor."""
    return "".join(char if char.isprintable() else f"<{ord(char):02X}>" for char in text)
