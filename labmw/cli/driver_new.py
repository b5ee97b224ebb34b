"""labmw driver new: what would a first driver file for this capture be?"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import LanguageOption, fail, language_of
from labmw.cli.unopened_file import why_not
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labmw.driver.survey import Survey
    from protocols.astm.message import Message as AstmMessage
    from protocols.hl7.er7 import Message

UNUSABLE, NO_MESSAGE = 2, 1


def new(
    captures: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Recordings of one family: .wire, raw bytes of ASTM or HL7, pcap; or folders of them.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The driver file to write; it must not be there yet.", show_default=False)
    ],
    name: Annotated[
        str,
        typer.Option("--name", help="The driver's name; when not given it is made of the header.", show_default=False),
    ] = "",
    drivers: Annotated[
        Path | None,
        typer.Option("--drivers", help="A folder of the laboratory's own driver files.", show_default=False),
    ] = None,
    language: LanguageOption = None,
) -> None:
    """Write a first driver file from captures: header pattern, the test codes and units it saw, everything doubtful as a comment.

    The file is `unverified`: it reads, and everything it reads goes to quarantine. LOINC codes are left empty; what other drivers or the analyzer
    itself suggest stands beside as a comment.

    Several files, or a folder, are read as one recording: they must speak one protocol and come from one sender.

    Exit codes: 0 written, 1 the captures hold no message with results, 2 wrong usage, or a driver reads this sender already.
    """
    from labmw.driver import draft
    from labmw.errors import DriverError
    from labmw.line.registry import Ambiguous, Registry, load

    tongue = language_of(None, language)
    registry = Registry.find([drivers] if drivers else [])
    source, survey, where = _together(captures, tongue)
    if not survey.tests:
        fail(say("draft-no-results", tongue, file=where, messages=survey.messages), NO_MESSAGE)
    sender = survey.senders.most_common(1)[0][0] if survey.senders else ""
    name = name or draft.slug(sender)
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name):
        fail(say("draft-name", tongue, name=name), UNUSABLE)
    found = registry.recognise(sender, survey.protocol)
    claimed = found.names if isinstance(found, Ambiguous) else (found.name,) if found else ()
    if claimed and name not in claimed:
        fail(say("draft-known", tongue, sender=sender, drivers=", ".join(claimed)), UNUSABLE)
    if not claimed and name in registry.drivers:
        fail(say("draft-taken", tongue, name=name, file=registry.drivers[name].file), UNUSABLE)
    hints = draft.known_codes(registry.drivers.values())
    _write(out, draft.write(survey, name, source, hints), tongue)
    try:
        load(out)
    except DriverError as problem:  # a fault of ours: the file stays, so that it can be reported
        fail(str(problem), UNUSABLE)
    typer.echo(say("draft-written", tongue, file=out, name=name, tests=len(survey.tests), messages=survey.messages))
    typer.echo(say("draft-next", tongue, file=out, capture=where, folder=out.parent))


def _together(captures: list[Path], tongue: Language) -> tuple[str, Survey, Path]:
    """What the driver names as its source, what all captures show as one, and the place to name; ends the command for what is none."""
    from labmw.driver import draft

    files = [file for one in captures for file in (_within(one, tongue) if one.is_dir() else (one,))]
    files = list(dict.fromkeys(files))
    read = [(file, *_read(file, tongue)) for file in files]
    surveys = [(file, _counted(messages)) for file, _, messages in read]
    heard = [(file, one) for file, one in surveys if one.messages]
    first = heard[0][0] if heard else files[0]
    for file, one in heard[1:]:
        if one.protocol != heard[0][1].protocol:
            fail(say("draft-two-protocols", tongue, file=file, first=first), UNUSABLE)
    known = {draft.slug(sender): (sender, file) for file, one in surveys for sender in one.senders}
    if len(files) > 1 and len(known) > 1:
        each = ", ".join(f"{sender or '-'} ({file})" for sender, file in known.values())
        fail(say("draft-two-senders", tongue, senders=each), UNUSABLE)
    surveyed = surveys[0][1] if len(files) == 1 else _counted([message for _, _, some in read for message in some])
    if len(files) == 1:
        source = f"the capture {files[0].name}, SHA-256 {read[0][1][:16]}"
    else:
        every = hashlib.sha256("".join(sorted(digest for _, digest, _ in read)).encode()).hexdigest()[:16]
        source = f"{len(files)} captures, {files[0].name} to {files[-1].name}, SHA-256 of their sorted SHA-256 {every}"
    return source, surveyed, captures[0]


def _within(folder: Path, tongue: Language) -> list[Path]:
    """The files of a folder, by name; those that begin with a dot are not looked at."""
    try:
        found = sorted(one for one in folder.iterdir() if one.is_file() and not one.name.startswith("."))
    except OSError as problem:
        fail(say("draft-unreadable", tongue, file=folder, problem=why_not(problem, tongue)), UNUSABLE)
    if not found:
        fail(say("draft-no-files", tongue, file=folder), NO_MESSAGE)
    return found


def _read(capture: Path, tongue: Language) -> tuple[str, list[AstmMessage] | list[Message]]:
    """The digest and the messages of one capture; ends the command for what is none."""
    from labmw.cli.unframe import LARGEST, peek
    from labmw.cli.unplain import link_of
    from protocols.capture import loads, pieces_to_bytes, sniff
    from protocols.errors import NetworkCaptureError, ProtocolError
    from protocols.pcap import is_pcap, streams

    try:
        with capture.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as problem:
        fail(say("draft-unreadable", tongue, file=capture, problem=why_not(problem, tongue)), UNUSABLE)
    if not data:
        fail(f"{capture}: {say('empty-file', tongue)}", NO_MESSAGE)
    if len(data) > LARGEST:
        fail(f"{capture}: {say('capture-large', tongue, bytes=LARGEST)}", NO_MESSAGE)
    body, kind, digest = data, sniff(data), hashlib.sha256(data).hexdigest()
    try:
        if is_pcap(data):  # a recording of the network: the direction in which most was said
            body, kind = max(
                ((one.data, sniff(one.data)) for one in streams(data)),
                key=lambda one: (one[1] != "unknown", len(one[0])),
                default=(b"", "unknown"),
            )
        if kind == "wire":
            body = pieces_to_bytes(loads(data.decode("latin-1")))
            kind = sniff(body)
        if kind in ("lis01", "stx-etx", "records"):
            found = peek(body, kind)
            if not any(one.fault is None for one in found) and (link := link_of(body, "")):
                fail(say("draft-plain", tongue, file=capture, link=link), NO_MESSAGE)
            return digest, found
        if kind in ("mllp", "segments"):
            return digest, _segments(body, kind)
        fail(say("draft-no-capture", tongue, file=capture, kind=kind), NO_MESSAGE)
    except NetworkCaptureError as problem:
        fail(say(f"network-{problem.code}", tongue, file=capture, **problem.facts), UNUSABLE)
    except ProtocolError as problem:
        fail(say("draft-unreadable", tongue, file=capture, problem=problem), UNUSABLE)


def _counted(messages: Sequence[AstmMessage | Message]) -> Survey:
    from labmw.driver import survey
    from protocols.astm.message import Message as Astm

    astm = [one for one in messages if isinstance(one, Astm)]
    return survey.of_astm(astm) if astm else survey.of_hl7([one for one in messages if not isinstance(one, Astm)])


def _segments(body: bytes, kind: str) -> list[Message]:
    from protocols.hl7.er7 import split_batch
    from protocols.hl7.mllp import Block, MllpReader

    blocks = [body]
    if kind == "mllp":
        blocks = [event.data for event in MllpReader().receive(body) if isinstance(event, Block)]
    return [message for block in blocks for message in split_batch(block, None)]


def _write(out: Path, text: str, tongue: Language) -> None:
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        fail(say("draft-unwritable", tongue, file=out, problem=why_not(problem, tongue)), UNUSABLE)
