"""What does an analyzer have to send, and what became of it? The values that scenario, analyzer and report share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SentResult:
    """One result as the analyzer writes it: what the store and the LIS are counted against."""

    specimen: str
    code: str
    detail: str  # what tells two values under one code apart: LOG, Ct; "" for the result itself
    value: str
    unit: str
    completed: str
    main: bool = True  # False for a detail and for a serum index: kept, never reported on its own


@dataclass(frozen=True, slots=True)
class HangUp:
    """In this message the analyzer hangs up after so many acknowledged frames, within the next one, and resumes after a pause."""

    after_frames: int
    pause: float = 1.0  # seconds of the scenario


@dataclass(frozen=True, slots=True)
class Transmission:
    """One message: records to be framed, or the bytes of a capture to be sent as they are."""

    name: str
    results: tuple[SentResult, ...]
    records: tuple[bytes, ...] = ()
    capture: bytes = b""
    case: str = ""  # the planted case this message plays
    terminated: bool = True
    repeat_of: str = ""  # name of the message that this one transmits again
    think: float = 0.0  # seconds of the scenario before it is sent
    hang_ups: tuple[HangUp, ...] = ()
    query: tuple[bytes, ...] = ()  # the records with which the analyzer asks for the tube's work first


@dataclass(slots=True)
class Attempt:
    """One try to get a message across."""

    at: str
    frames: int = 0  # frames acknowledged
    retransmissions: int = 0
    outcome: str = "under way"
    seconds: float = 0.0  # from the first byte to the outcome


@dataclass(slots=True)
class MessageFate:
    """What became of one message."""

    transmission: Transmission
    attempts: list[Attempt] = field(default_factory=list)
    sent_at: str = ""  # when its first byte was sent, UTC
    acknowledged_at: str = ""
    records_acknowledged: int = 0  # of an analyzer that forgets record by record
    seconds: float | None = None  # time to ACK: from the first byte of the attempt that succeeded to its last ACK

    @property
    def acknowledged(self) -> bool:
        """True when every frame was acknowledged: the analyzer may forget the message."""
        return bool(self.acknowledged_at)

    def has_forgotten(self, result: int) -> bool:
        """True when the analyzer has been told that it may forget this one of the results."""
        places = [place for place, record in enumerate(self.transmission.records) if record[:1] == b"R"]
        return self.acknowledged or (result < len(places) and places[result] < self.records_acknowledged)

    def report(self) -> dict[str, Any]:
        """Return it as JSON."""
        sent = self.transmission
        return {
            "name": sent.name,
            "case": sent.case,
            "terminated": sent.terminated,
            "repeat_of": sent.repeat_of,
            "sent_at": self.sent_at,
            "acknowledged": self.acknowledged,
            "acknowledged_at": self.acknowledged_at,
            "seconds_to_ack": self.seconds,
            "attempts": [asdict(one) for one in self.attempts],
            "results": [asdict(one) for one in sent.results],
        }
