"""Where does a frame begin and end in a stream of bytes that arrives in any pieces?

The scanner keeps what has arrived, hands out one finding after the other, and says nothing about what to answer.
Its findings never depend on how the stream was cut. What belongs to nothing collects in `noise`.

A frame is looked for in two ways. block() matches the ordinary one (whole, short, undamaged) with a handful of calls
into C; everything else goes through _inside() and _ending(), which judge each character that matters, and agree with
the short way on every frame that it matches.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final
from zlib import adler32

from protocols.astm.control import ENQ, EOT, ETB, ETX, STX
from protocols.astm.events import Fault
from protocols.astm.frame import HEX_SUMS, MAX_TEXT_SERIAL, OVERHEAD, Frame, checksum
from protocols.astm.tolerance import Tolerances

_TRAILERS: Final = tuple(total + b"\r\n" for total in HEX_SUMS)
_BETWEEN_FRAMES: Final = re.compile(rb"[\x02\x04\x05]")
_ANSWER_TO_ENQ: Final = re.compile(rb"[\x05\x06\x15]")
_new: Final = tuple.__new__  # what Frame() comes to, in two thirds of its time
_HEX: Final = b"0123456789ABCDEFabcdef"
_LONG: Final = 1024
"""An incomplete frame longer than this is not joined to each small piece that follows."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that began as a frame and cannot be taken for one."""

    fault: Fault
    raw: bytes


class Scanner:
    """The bytes of one line that have arrived and not yet been looked at."""

    __slots__ = (
        "_at",
        "_buffer",
        "_full_tail",
        "_later",
        "_later_size",
        "_max",
        "_quiet",
        "_rare",
        "_resume",
        "_short",
        "_stops",
        "_tail",
        "_tail_bytes",
        "_tolerances",
        "_used",
        "noise",
    )

    def __init__(self, tolerances: Tolerances, used: Counter[str]) -> None:
        self._tolerances = tolerances
        self._used = used
        self._max = tolerances.max_frame
        self._buffer = b""
        self._at = 0
        self._rare = (
            False  # the buffer may hold EOT, ENQ or ETB: few reads do, so it is asked once a read and not once a frame
        )
        self._resume = 0  # inside an incomplete frame: up to here there is no character that could end it
        # Pieces not yet joined to the buffer. A long frame that comes in small pieces is joined once, not at each piece.
        self._later: list[bytes] = []
        self._later_size = 0
        self._quiet = False  # the buffer ends inside a frame, and no piece since holds a character that could end it
        self._tail = 0  # trailer bytes that may still follow a frame already handed out
        self.noise = bytearray()
        # Up to this length a frame is matched as a whole, see block(). Never where the trailer is optional: there a frame
        # is complete before its CR LF.
        plain = (
            tolerances.trailer == "required" and tolerances.frame_numbers != "absent" and not tolerances.resynchronise
        )
        self._short = min(tolerances.max_frame, MAX_TEXT_SERIAL + OVERHEAD) if plain else 0
        bare = tolerances.trailer == "optional" and tolerances.checksum == "none"
        self._tail_bytes = _HEX + b"\r\n" if bare else b"\r\n"
        self._full_tail = 4 if bare else 2
        stops = b"\x03\x04\x17"
        if not tolerances.control_in_text:
            stops += b"\n"
        if tolerances.resynchronise:
            stops += b"\x02"
        self._stops = re.compile(b"[" + stops + b"]")

    def feed(self, data: bytes) -> None:
        """Add bytes as they arrive."""
        if self._later or self._quiet:
            self.keep(data)
            if self._quiet and (self._stops.search(data) or self.kept() >= self._max):
                self._quiet = False
            return
        at = self._at
        buffer = self._buffer = self._buffer[at:] + data
        self._rare = EOT in buffer or ENQ in buffer or ETB in buffer
        self._at = 0
        if self._resume:
            self._resume -= at

    def keep(self, data: bytes) -> None:
        """Add bytes that nobody can look at yet; they are joined to the others when somebody does."""
        self._later.append(data)
        self._later_size += len(data)

    def kept(self) -> int:
        """How many bytes have arrived and not been looked at."""
        return len(self._buffer) - self._at + self._later_size

    def _join(self) -> bytes:
        """The buffer, with all that has arrived and without what has been looked at."""
        if self._later:
            self._buffer = b"".join([self._buffer[self._at :], *self._later])
            self._resume = max(0, self._resume - self._at)
            self._at = self._later_size = 0
            self._later = []
            self._rare = True
        return self._buffer

    def truncate(self, limit: int) -> int:
        """Keep only the first so many bytes not yet looked at; returns how many were dropped."""
        dropped = max(0, self.kept() - limit)
        if dropped:
            self._buffer = self._join()[:-dropped]
        return dropped

    def abandon(self) -> None:
        """The session is over: what has arrived of a frame is noise."""
        self.noise += self._join()[self._at :]
        self._buffer = b""
        self._at = self._resume = self._tail = 0
        self._quiet = False

    def call(self, implicit: bool) -> int | None:
        """Neutral line: the next ENQ, or the STX of an unannounced frame, which stays in place."""
        self._tail = 0
        buffer = self._join()
        at = self._at
        found = buffer.find(ENQ, at)
        if implicit:
            start = buffer.find(STX, at, found if found >= 0 else len(buffer))
            if start >= 0:
                self.noise += buffer[at:start]
                self._at = start
                return STX
        if found < 0:
            self.noise += buffer[at:]
            self._at = len(buffer)
            return None
        self.noise += buffer[at:found]
        self._at = found + 1
        return ENQ

    def answer_to_call(self) -> int | None:
        """Our ENQ is out: the next ACK, NAK or ENQ, anything else is ignored (E1381-95 §6.2)."""
        buffer = self._join()
        found = _ANSWER_TO_ENQ.search(buffer, self._at)
        end = found.start() if found else len(buffer)
        self.noise += buffer[self._at : end]
        self._at = end
        return self.answer_to_frame() if found else None

    def answer_to_frame(self) -> int | None:
        """Our frame is out: the next byte, whatever it is."""
        buffer = self._join()
        if self._at == len(buffer):
            return None
        self._at += 1
        return buffer[self._at - 1]

    def block(self) -> Frame | Damaged | int | None:
        """In a session: the next frame, damaged or not, or EOT or ENQ between two frames; None until more arrives."""
        if self._later:
            if self._quiet:
                return None
            self._join()
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\n", at) + 1
        if not end:
            rest = buffer[at : at + self._short]
            if not rest:
                if at == len(buffer):
                    return None
            elif rest[0] == STX and len(rest) < self._short and not (ETX in rest or EOT in rest or ETB in rest):
                return None
        elif OVERHEAD <= end - at <= self._short and buffer[at] == STX:
            raw = buffer[at:end]
            text, digit, closing = raw[2:-5], raw[1], raw[-5]
            if (
                (closing == ETX or closing == ETB)  # noqa: PLR1714, SIM109 (twice as quick as a tuple)
                and not (STX in text or ETX in text)
                and not (self._rare and (EOT in text or ENQ in text or ETB in text))
                # The low byte of Adler-32 is 1 + the sum, see frame.checksum().
                and raw.endswith(_TRAILERS[(adler32(text) - 1 + digit + closing) & 0xFF])
                and 0x30 <= digit <= 0x37
            ):
                self._at = end
                self._resume = 0
                return _new(Frame, (digit - 0x30, text, closing == ETX, raw))
        if self._tail:
            self._take_tail()
            at = self._at
        if at == len(buffer) or buffer[at] != STX:
            found = self._between_frames()
            return self.block() if found == STX else found
        return self._inside(at)

    def _between_frames(self) -> int | None:
        buffer = self._buffer
        found = _BETWEEN_FRAMES.search(buffer, self._at)
        end = found.start() if found else len(buffer)
        self.noise += buffer[self._at : end]
        self._at = end
        if found is None:
            return None
        if buffer[end] != STX:
            self._at = end + 1
        self._resume = 0
        return buffer[end]

    def _take_tail(self) -> None:
        """Drop the optional trailer of the frame before, silently: it is late, not noise."""
        buffer = self._buffer
        if self._tail == self._full_tail and buffer[self._at] not in self._tail_bytes:
            self._used["trailer"] += 1
        while self._tail and self._at < len(buffer):
            if buffer[self._at] not in self._tail_bytes:
                self._tail = 0
                return
            self._at += 1
            self._tail -= 1

    def _inside(self, at: int) -> Frame | Damaged | None:
        """From STX to the first character that can end the frame."""
        buffer = self._buffer
        search_from = self._resume or at + 1
        while True:
            limit = at + self._max
            found = self._stops.search(buffer, search_from, limit)
            if found is None:
                have = len(buffer)
                if have >= limit:
                    return self._damaged(Fault.TOO_LONG, at, limit)
                self._resume = have
                self._quiet = have - at > _LONG
                return None
            place = found.start()
            stop = buffer[place]
            if stop in (ETX, ETB):
                return self._ending(at, place, limit)
            if stop == STX:
                # resynchronise: what came before this STX was a frame cut short
                self._used["resynchronise"] += 1
                self.noise += buffer[at:place]
                self._at = at = place
                self._resume = 0
                search_from = at + 1
                continue
            return self._damaged(Fault.EOT_INSIDE if stop == EOT else Fault.NO_END, at, place + 1)

    def _ending(self, at: int, place: int, limit: int) -> Frame | Damaged | None:
        """Checksum digits, CR and LF, after ETX or ETB at `place`, as far as the link wants them."""
        buffer, have, tolerances = self._buffer, len(self._buffer), self._tolerances
        here = place + 1
        trailer = tolerances.trailer == "required"
        if tolerances.checksum == "none" and not trailer:
            return self._complete(at, place, here, None)
        if here == have:
            return self._wait(at, limit, place)
        summed = tolerances.checksum == "required" or buffer[here] in _HEX
        expected = ((_HEX,) * 2 if summed else ()) + ((b"\r", b"\n") if trailer else ())
        for allowed in expected:
            if here >= min(limit, have):
                return self._wait(at, limit, place)
            if buffer[here] not in allowed:
                if buffer[here] == STX and tolerances.resynchronise:
                    return self._damaged(Fault.TRAILER, at, here)
                return self._damaged(Fault.EOT_INSIDE if buffer[here] == EOT else Fault.TRAILER, at, here + 1)
            here += 1
        return self._complete(at, place, here, buffer[place + 1 : place + 3] if summed else b"")

    def _complete(self, at: int, place: int, end: int, total: bytes | None) -> Frame | Damaged:
        """Judge a frame whose end is found: nothing forbidden inside, the sum right, the number a number."""
        buffer, tolerances = self._buffer, self._tolerances
        inner = buffer[at + 1 : place]
        if not tolerances.control_in_text and (STX in inner or ENQ in inner):
            return self._damaged(Fault.CONTROL, at, end)
        if not self._sum_is_right(buffer[at + 1 : place + 1], total):
            return self._damaged(Fault.CHECKSUM, at, end)
        number, text = 0, inner
        if tolerances.frame_numbers != "absent":
            if inner[:1] not in b"01234567" or not inner:
                return self._damaged(Fault.NUMBER, at, end)
            number, text = inner[0] - 0x30, inner[1:]
        if tolerances.trailer == "optional":
            self._tail = self._full_tail
        raw = buffer[at:end]
        self._at, self._resume = end, 0
        return Frame(number, text, buffer[place] == ETX, raw)

    def _sum_is_right(self, body: bytes, total: bytes | None) -> bool:
        if total == checksum(body):
            return True
        if total and self._tolerances.lower_case_checksum and total.upper() == checksum(body):
            self._used["lower_case_checksum"] += 1
            return True
        if self._tolerances.checksum == "none" or (self._tolerances.checksum == "optional" and not total):
            self._used["checksum"] += 1
            return True
        return False

    def _wait(self, at: int, limit: int, resume: int) -> Damaged | None:
        """More must come, unless the frame has already used up what the link allows."""
        if len(self._buffer) >= limit:
            return self._damaged(Fault.TOO_LONG, at, limit)
        self._at = at
        self._resume = resume
        return None

    def _damaged(self, fault: Fault, at: int, end: int) -> Damaged:
        raw = self._buffer[at:end]
        self._at, self._resume = end, 0
        return Damaged(fault, raw)
