"""How is a capture sent exactly as it was recorded? Its bytes are cut where a real sender would wait for an answer, and never changed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocols import capture
from protocols.astm.control import ACK, ENQ, EOT
from simulators.clock import Clock, within
from simulators.errors import SimulatorError, WireLost
from simulators.wire import Wire

REPLY_SECONDS = 15.0  # E1381-95 §6.5.2.2 and §6.5.2.4: the sender gives up, says EOT and keeps the message
TRANSMISSIONS = 6  # E1381-95 §6.4.1.6: refused six times, it gives up

# ENQ, EOT, or a frame from STX to the end of its trailer, whatever of the trailer is there. A frame without an end reaches to the next
# control character that could begin something.
_UNIT = re.compile(rb"\x05|\x04|\x02[^\x02\x03\x04\x05\x17]*(?:[\x03\x17][0-9A-Fa-f]{0,2}\r?\n?)?")


@dataclass(frozen=True, slots=True)
class Step:
    """Bytes sent at once; `answered` when the sender then waits for ACK."""

    data: bytes
    answered: bool


def steps(recorded: bytes) -> list[Step]:
    """Cut a recording at ENQ, frames and EOT; what lies between goes with what follows. Joined again, the steps are the recording."""
    found: list[Step] = []
    start = 0
    for unit in _UNIT.finditer(recorded):
        data = recorded[start : unit.end()]
        found.append(Step(data, answered=unit.group()[0] != EOT))
        start = unit.end()
    if rest := recorded[start:]:
        found.append(Step(rest, answered=False))
    return found


def from_instrument(data: bytes) -> bytes:
    """Return what the instrument sent, from raw bytes or from a `.wire` recording of both directions."""
    if capture.sniff(data) != "wire":
        return data
    pieces = capture.loads(data.decode("utf-8"))
    return b"".join(piece.data for piece in pieces if piece.direction == ">")


async def play(wire: Wire, recorded: list[Step], clock: Clock) -> tuple[int, int]:
    """Send a recording, waiting for the answer to each step; (frames acknowledged, retransmissions).

    Raises: WireLost when the other side hangs up, SimulatorError when it does not answer or refuses six times; EOT has then been sent.
    """
    frames = again = 0
    for step in recorded:
        for attempt in range(1, TRANSMISSIONS + 1):
            await wire.write(step.data)
            if not step.answered:
                break
            answer = await within(clock, REPLY_SECONDS, wire.read())
            if answer is None:
                await _give_up(wire, f"no answer in {REPLY_SECONDS:g} s to {step.data[:20]!r}")
            elif not answer:
                raise WireLost(f"{wire.peer} has hung up; dial again")
            elif answer[0] in (ACK, EOT):  # EOT: accepted, and the receiver would like the line (spec A.9)
                frames += step.data[-1:] != bytes([ENQ])
                break
            elif attempt == TRANSMISSIONS:
                await _give_up(wire, f"refused {TRANSMISSIONS} times: {step.data[:20]!r}")
            again += 1
    return frames, again


async def _give_up(wire: Wire, why: str) -> None:
    await wire.write(bytes([EOT]))
    raise SimulatorError(f"{why}; the message is kept and sent again")
