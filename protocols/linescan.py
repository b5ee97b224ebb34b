"""At which speed and parity does this serial line send? Frames are scored as each setting reads them; nothing is ever sent.

A UART that listens with the wrong setting delivers bytes all the same. What betrays the setting is what the bytes are: frames whose
checksum is right, control characters that stand where they must, letters; against bytes that no analyzer sends, and those that the UART
itself marked as broken (no stop bit, wrong parity). A silent line says nothing about its speed: only bytes move the scan on.

Seven bits with a parity bit look like eight bits without (7E1 and 8N1 both have ten bits on the wire): the parity is then the eighth bit of
each byte, and is read off it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from protocols.astm.control import ACK, CR, ENQ, EOT, ETB, ETX, LF, NAK, STX
from protocols.recognition import recognise

Parity = Literal["none", "even", "odd"]

BAUDS: Final = (9600, 19200, 4800, 38400, 115200, 2400, 57600, 1200)
"""The commonest first; E1381 §5 asks for 1200 to 9600, analyzers of today go faster."""
ENOUGH: Final = 64
"""Bytes that look right throughout: enough to stay with a setting although no frame was seen whole."""
WINDOW: Final = 4096
"""Bytes of one setting that are kept for scoring."""
_PLAUSIBLE: Final = frozenset(
    (*range(0x20, 0x7F), CR, LF, 0x09, STX, ETX, EOT, ENQ, ACK, NAK, ETB, 0x0B, 0x1C, 0x1D, 0x1E)
)


@dataclass(frozen=True, slots=True)
class Setting:
    """How the port is read: its speed, and the parity bit that is expected behind eight bits (8N1 stands for 7E1 and 7O1 too)."""

    baud: int
    parity: Parity = "none"


@dataclass(frozen=True, slots=True)
class Found:
    """The setting of the line as a person writes it; `parity` "none" with seven bits unknown is written 8N1."""

    baud: int
    bits: Literal[7, 8]
    parity: Parity

    def __str__(self) -> str:
        return f"{self.baud} {self.bits}{self.parity[0].upper()}1"


SETTINGS: Final = (
    *(Setting(baud) for baud in BAUDS),
    *(setting for baud in BAUDS for setting in (Setting(baud, "even"), Setting(baud, "odd"))),
)
"""Every speed with ten bits first, then with eleven."""


@dataclass(frozen=True, slots=True)
class Score:
    """How much some bytes look like an analyzer under one setting."""

    proofs: int  # frames with the right checksum, whole blocks
    odd: int  # bytes that no analyzer sends, and those that the UART marked as broken
    total: int
    broken: int = 0  # of them, those that the UART marked
    eighth: Parity = "none"  # what the eighth bit is, where it is a parity bit

    @property
    def points(self) -> float:
        """One number to compare settings by: from 1 for nothing but plausible bytes down to -1 for none, plus what was proven."""
        if not self.total:
            return 0.0
        return self.proofs + 1.0 - 2.0 * self.odd / self.total

    @property
    def proven(self) -> bool:
        """True when a checksum says so, and the UART does not object: with the other parity every byte is marked and right all the same."""
        return self.proofs > 0 and self.broken * 4 <= self.total

    @property
    def likely(self) -> bool:
        """True when so many bytes look right that no other setting will do better."""
        return self.total >= ENOUGH and self.odd == 0

    @property
    def wrong(self) -> bool:
        """True when the bytes cannot be an analyzer's under this setting."""
        return self.broken * 4 > self.total or (not self.proofs and (self.odd * 4 > self.total or self.odd >= 8))


def score(data: bytes, broken: int = 0) -> Score:
    """Score bytes as one setting has read them; `broken` of them were marked by the UART (no stop bit, wrong parity)."""
    seven, eighth = data, _eighth_bit(data)
    if eighth != "none":
        seven = bytes(byte & 0x7F for byte in data)
    proofs = recognise(seven)
    odd = sum(byte not in _PLAUSIBLE for byte in seven)
    broken = min(broken, len(data))
    return Score(proofs.good if proofs.certain else 0, min(len(data), odd + broken), len(data), broken, eighth)


def _eighth_bit(data: bytes) -> Parity:
    """What the eighth bit of these bytes is: "even" or "odd" when it is a parity bit throughout, "none" when it is data or never set."""
    if not any(byte & 0x80 for byte in data):
        return "none"
    ones = [byte.bit_count() & 1 for byte in data]
    if not any(ones):
        return "even"
    return "odd" if all(ones) else "none"


@dataclass(slots=True)
class Scan:
    """Looks for the setting of a line. The owner opens the port with `setting`, feeds what it reads, and opens it anew when `feed` says so."""

    settings: tuple[Setting, ...] = SETTINGS
    at: int = 0
    rounds: int = 0
    found: Found | None = None
    _seen: bytearray = field(default_factory=bytearray)
    _broken: int = 0
    _scores: dict[Setting, Score] = field(default_factory=dict)

    @property
    def setting(self) -> Setting:
        """The setting to listen with."""
        return self.settings[self.at]

    @property
    def best(self) -> tuple[Setting, Score] | None:
        """The setting that looked best so far, for a line that proves nothing; None before anything came."""
        ranked = [(one, self._scores[one]) for one in self.settings if one in self._scores]
        return max(ranked, key=lambda pair: pair[1].points, default=None)

    def feed(self, data: bytes, broken: int = 0) -> bool:
        """Take what came under `setting`; True when the port has to be opened with another one."""
        if self.found is not None or not data:
            return False
        self._seen += data
        self._broken += broken
        del self._seen[:-WINDOW]
        said = score(bytes(self._seen), self._broken)
        self._scores[self.setting] = said
        if said.proven or said.likely:
            self.found = _named(self.setting, said)
            return False
        if not said.wrong:
            return False
        self.at += 1
        self.rounds += self.at // len(self.settings)
        self.at %= len(self.settings)
        self._seen.clear()
        self._broken = 0
        return True


def _named(setting: Setting, said: Score) -> Found:
    if setting.parity == "none" and said.eighth != "none":
        return Found(setting.baud, 7, said.eighth)
    return Found(setting.baud, 8, setting.parity)


def unmark(data: bytes) -> tuple[bytes, int, bytes]:
    """Take out the marks of a terminal that marks broken bytes (PARMRK): the bytes, how many were broken, what waits for its rest.

    0xFF 0x00 x is a broken byte x; 0xFF 0xFF is one 0xFF. Source: POSIX.1-2017, 11.2.2.
    """
    found = bytearray()
    broken = place = 0
    while place < len(data):
        if data[place] != 0xFF:
            found.append(data[place])
            place += 1
        elif place + 1 >= len(data) or (data[place + 1] == 0 and place + 2 >= len(data)):
            break
        elif data[place + 1] == 0:
            found.append(data[place + 2])
            broken += 1
            place += 3
        else:
            found.append(0xFF)
            place += 2
    return bytes(found), broken, data[place:]
