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
    from labmw.driver.survey import Survey
    from protocols.hl7.er7 import Message

UNUSABLE, NO_MESSAGE = 2, 1


def new(
    capture: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A recording: .wire, or raw bytes of ASTM or HL7.", show_default=False),
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
    """Write a first driver file from a capture: header pattern, the test codes and units it saw, everything doubtful as a comment.

    The file is `unverified`: it reads, and everything it reads goes to quarantine. LOINC codes are left empty; what other drivers or the analyzer
    itself suggest stands beside as a comment.

    Exit codes: 0 written, 1 the capture holds no message with results, 2 wrong usage, or a driver reads this sender already.
    """
    from labmw.driver import draft
    from labmw.errors import DriverError
    from labmw.line.registry import Ambiguous, Registry, load

    tongue = language_of(None, language)
    registry = Registry.find([drivers] if drivers else [])
    data, survey = _surveyed(capture, tongue)
    if not survey.tests:
        fail(say("draft-no-results", tongue, file=capture, messages=survey.messages), NO_MESSAGE)
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
    digest = hashlib.sha256(data).hexdigest()[:16]
    hints = draft.known_codes(registry.drivers.values())
    _write(out, draft.write(survey, name, f"the capture {capture.name}, SHA-256 {digest}", hints), tongue)
    try:
        load(out)
    except DriverError as problem:  # a fault of ours: the file stays, so that it can be reported
        fail(str(problem), UNUSABLE)
    typer.echo(say("draft-written", tongue, file=out, name=name, tests=len(survey.tests), messages=survey.messages))
    typer.echo(say("draft-next", tongue, file=out, capture=capture, folder=out.parent))


def _surveyed(capture: Path, tongue: Language) -> tuple[bytes, Survey]:
    """Read a capture and survey its messages; ends the command for what is none."""
    from labmw.cli.unframe import LARGEST, peek
    from labmw.cli.unplain import link_of
    from labmw.driver import survey
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
    body, kind = data, sniff(data)
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
            found = survey.of_astm(peek(body, kind))
            if not found.messages and (link := link_of(body, "")):
                fail(say("draft-plain", tongue, file=capture, link=link), NO_MESSAGE)
            return data, found
        if kind in ("mllp", "segments"):
            return data, survey.of_hl7(_segments(body, kind))
        fail(say("draft-no-capture", tongue, file=capture, kind=kind), NO_MESSAGE)
    except NetworkCaptureError as problem:
        fail(say(f"network-{problem.code}", tongue, file=capture, **problem.facts), UNUSABLE)
    except ProtocolError as problem:
        fail(say("draft-unreadable", tongue, file=capture, problem=problem), UNUSABLE)


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
