"""What is the matter with a line that is neither ASTM nor HL7? By its own machine: blocks and their checks, its calls, what is said again; pure.

Nothing is sent on such a line while it is looked at, also no "busy": what a call is answered differs from maker to maker. That an analyzer says the
same again is therefore as it should be here, and told as what it would mean in service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from labmw.watch.diagnosis import Line, rank, unreadable
from labmw.watch.finding import Finding, error, good, warning
from protocols.astm.control import ACK, ENQ, NAK
from protocols.capture import FROM_INSTRUMENT, Piece
from protocols.plain.receiver import PlainLink
from protocols.plain.scanner import Block, Damaged, Scanner, Sign
from protocols.plain.states import Input, State
from protocols.plain.tolerance import PlainTolerances
from protocols.recognition import Recognised, recognise

LINK_OF: Final[Mapping[str, str]] = {
    "astm": "astm",
    "astm-unnumbered": "maglumi",
    "hl7": "hl7",
    "tags": "tags",
    "beckman-au": "au",
    "beckman-pk": "pk",
    "rapid": "rapid",
}
"""What is recognised on a wire, and the `protocol` of a link that serves it."""


def diagnose_plain(line: Line, link: PlainLink, tolerances: PlainTolerances, pieces: Sequence[Piece]) -> list[Finding]:
    """Everything there is to say of one plain line, the gravest first."""
    came = b"".join(piece.data for piece in pieces if piece.direction == FROM_INSTRUMENT)
    if not came:
        return [error(line.name, "wire-nothing", link=line.name, setting=line.setting or "TCP")]
    said = recognise(came)
    if other := _another(line, link, said):
        return [other]
    return rank([*_blocks(line, link, tolerances, came, said)])


def _another(line: Line, link: PlainLink, said: Recognised) -> Finding | None:
    """The wire carries what another kind of link would read."""
    spoken = LINK_OF.get(said.protocol)
    if spoken in (None, link.name) or not (said.certain or said.protocol == "astm-unnumbered"):
        return None
    return error(line.name, "wire-plain-other", link=line.name, protocol=link.name, spoken=spoken, good=said.good)


def _blocks(
    line: Line, link: PlainLink, tolerances: PlainTolerances, came: bytes, said: Recognised
) -> Iterator[Finding]:
    shape = link.shape(tolerances)
    scanner = Scanner(shape)
    scanner.feed(came)
    whole = damaged = again = calls = 0
    last = b""
    while (token := scanner.next()) is not None:
        if isinstance(token, Block):
            whole, again, last = whole + 1, again + (token.raw == last), token.raw
        elif isinstance(token, Damaged):
            damaged += 1
        elif isinstance(token, Sign) and token.byte == ENQ:
            calls += 1
    strangers = sum(scanner.noise.count(byte) for byte in (ACK, NAK))
    calling = (State.NEUTRAL, Input.CALL) in link.table
    if not whole:
        wrong = list(unreadable(line, came, said))
        if wrong:
            yield from wrong
            return
    if strangers:
        yield error(line.name, "wire-two-masters", count=strangers)
    if damaged:
        yield warning(
            line.name,
            "wire-plain-damaged",
            bad=damaged,
            all=whole + damaged,
            check=_check(tolerances, shape.check.size),
        )
    if whole:
        checked = shape.check.size and shape.verify
        yield good(line.name, "wire-plain-whole" if checked else "wire-plain-unchecked", good=whole, protocol=link.name)
    if calls and calling and not whole:
        yield good(line.name, "wire-plain-calls", count=calls)
    elif calls and not calling:
        yield error(line.name, "wire-plain-called", count=calls, protocol=link.name)
    if again and link.answers:
        yield good(line.name, "wire-plain-again", count=again)
    if not whole and not damaged and not calls and not strangers:
        yield error(
            line.name, "wire-plain-no-block", bytes=len(came), start=f"{shape.start:02X}h", end=f"{tolerances.end:02X}h"
        )


def _check(tolerances: PlainTolerances, size: int) -> str:
    return tolerances.check or {0: "none", 1: "xor", 2: "sum"}[size]
