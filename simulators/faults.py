"""What can a bad line do to the bytes? Pure: a piece in, what comes out at the other end; the seed decides, and each fault is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from random import Random

KINDS = ("hang_up", "drop", "corrupt", "repeat", "resend", "split", "merge", "delay")
_LOG_LENGTH = 1000  # faults told one by one; all are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How bad one direction of a line is: for each fault, the chance that a piece meets it (0 to 1).

        At most one of drop, corrupt, repeat and resend harms a piece; split, merge and delay may come on top. A piece is what the sender wrote at once: a frame, or one control character. `spare` pieces of at most that many bytes pass unharmed
        (1 spares ENQ, ACK, NAK and EOT, whose loss costs a timer of 15 or 30 s); drop and corrupt leave `edge` bytes at both ends of a piece alone
    (5 leaves a frame its STX and its end). After `at_most` faults the line is good. Seconds are real.
    """

    split: float = 0.0  # arrives in two to four parts
    merge: float = 0.0  # waits, and arrives in one read with what follows
    delay: float = 0.0  # arrives late, by up to `delay_seconds`
    drop: float = 0.0  # some bytes in a row are missing
    repeat: float = 0.0  # arrives twice, and is answered twice: a sender that counts answers is ahead of itself until its session ends
    resend: float = 0.0  # its answer is lost and it comes again: arrives twice, and one answer comes back
    corrupt: float = 0.0  # one bit is flipped
    hang_up: float = 0.0  # the connection ends within the piece
    delay_seconds: float = 0.05
    merge_seconds: float = 0.05  # the longest that a piece waits for the next one
    spare: int = 0
    edge: int = 0
    at_most: int | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.name in KINDS and not 0.0 <= getattr(self, one.name) <= 1.0:
                raise ValueError(f"{one.name} = {getattr(self, one.name)}: a chance is a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What comes out: after so many seconds, these bytes, and then perhaps the end."""

    data: bytes
    after: float = 0.0
    hang_up: bool = False


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """One fault: the piece (counted from 1), the place in it where that means something, and what happened."""

    piece: int
    kind: str
    place: int


class Impairment:
    """One direction of a bad line. The same seed and the same pieces give the same faults."""

    def __init__(self, faults: Faults, random: Random) -> None:
        self.faults = faults
        self.counts: Counter[str] = Counter()
        self.log: list[FaultSeen] = []
        self.pieces = 0
        self.opposite: Impairment | None = None  # the other direction of the same line
        self._random = random
        self._held = b""
        self._swallow = 0  # bytes of this direction that are lost: answers to pieces of the other one

    @property
    def holding(self) -> bool:
        """True while a piece waits for the next one; `release` after `faults.merge_seconds`."""
        return bool(self._held)

    def lose_answer(self) -> None:
        """Lose the next byte: the other direction has resent a piece whose answer it lost."""
        self._swallow += 1

    def carry(self, data: bytes) -> list[Delivery]:
        """Take one piece and return what comes out."""
        self.pieces += 1
        held, self._held = self._held, b""
        if self._swallow:
            lost = min(self._swallow, len(data))
            self._swallow -= lost
            data = data[lost:]
        if len(data) <= self.faults.spare:
            return [Delivery(held + data)] if held or data else []
        if self._strikes("hang_up"):
            cut = self._random.randrange(len(data))
            self._note("hang_up", cut)
            return [Delivery(held + data[:cut], hang_up=True)]
        data = held + self._damaged(data)
        if self._strikes("merge"):
            self._note("merge", 0)
            self._held = data
            return []
        after = 0.0
        if self._strikes("delay"):
            self._note("delay", 0)
            after = self._random.uniform(0.0, self.faults.delay_seconds)
        if len(data) > 1 and self._strikes("split"):
            return self._split(data, after)
        return [Delivery(data, after)] if data else []

    def release(self) -> list[Delivery]:
        """Let go of what waits: nothing followed in time."""
        held, self._held = self._held, b""
        return [Delivery(held)] if held else []

    def _damaged(self, data: bytes) -> bytes:
        if not data:
            return data
        first, last = self.faults.edge, len(data) - self.faults.edge
        if first < last and self._strikes("drop"):
            start = self._random.randrange(first, last)
            end = min(last, start + self._random.randint(1, max(1, len(data) // 4)))
            self._note("drop", start)
            return data[:start] + data[end:]
        if first < last and self._strikes("corrupt"):
            place = self._random.randrange(first, last)
            self._note("corrupt", place)
            return data[:place] + bytes([data[place] ^ 1 << self._random.randrange(8)]) + data[place + 1 :]
        if self._strikes("repeat"):
            self._note("repeat", 0)
            return data + data
        if self._strikes("resend"):
            self._note("resend", 0)
            if self.opposite is not None:
                self.opposite.lose_answer()
            return data + data
        return data

    def _split(self, data: bytes, after: float) -> list[Delivery]:
        parts = min(len(data), self._random.randint(2, 4))
        cuts = sorted(self._random.sample(range(1, len(data)), parts - 1))
        self._note("split", cuts[0])
        ends = [*cuts, len(data)]
        return [
            Delivery(data[start:end], after if start == 0 else self._random.uniform(0.0, self.faults.delay_seconds))
            for start, end in zip([0, *cuts], ends, strict=True)
        ]

    def _strikes(self, kind: str) -> bool:
        chance: float = getattr(self.faults, kind)
        if not chance:
            return False
        struck = self._random.random() < chance
        return struck and (self.faults.at_most is None or self.counts.total() < self.faults.at_most)

    def _note(self, kind: str, place: int) -> None:
        self.counts[kind] += 1
        if len(self.log) < _LOG_LENGTH:
            self.log.append(FaultSeen(self.pieces, kind, place))


def impairment(faults: Faults, seed: int, direction: str) -> Impairment:
    """Return one direction of a line whose two directions draw from the same seed without disturbing each other."""
    return Impairment(faults, Random(f"{seed}/{direction}"))  # noqa: S311 - repeatable on purpose, no secret
