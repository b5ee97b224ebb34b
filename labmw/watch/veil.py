"""Which bytes of a conversation may be shown without naming anybody? All but what stands in patient records (P of ASTM; PID, PV1 and the like of HL7).

Byte by byte, because a record may be cut anywhere: by a frame, by a read, or by both.
"""

from __future__ import annotations

from protocols.astm.control import CR, ENQ, EOT, ETB, ETX, LF, STX

HIDDEN = b"[...]"
_VT = 0x0B  # begins a block of MLLP
_TRAILER = frozenset(b"0123456789ABCDEFabcdef\r\n")
_TRAILER_LENGTH = 4  # checksum, CR, LF
_DIGITS = frozenset(b"0123456789")


class Veil:
    """Remembers, from one piece to the next, whether a patient record is under way."""

    def __init__(self) -> None:
        self._begins = True  # the next byte begins a record; the number of a frame or of a record may come before it
        self._inside = False
        self._trailer = 0
        self._numbered = False  # STX was the last byte: a frame number comes

    def over(self, data: bytes) -> bytes:
        """Return the bytes as they may be shown."""
        shown = bytearray()
        for byte in data:
            if self._trailer and byte in _TRAILER:
                self._trailer -= 1
                shown.append(byte)
                continue
            self._trailer = 0
            number, self._numbered = self._numbered and byte in _DIGITS, False
            if number or self._control(byte):
                shown.append(byte)
            elif not self._inside:
                shown.append(byte)
                if self._begins and byte not in _DIGITS:
                    self._begins = False
                    if byte == ord("P"):
                        self._inside = True
                        shown += HIDDEN
        return bytes(shown)

    def _control(self, byte: int) -> bool:
        """Deal with a control character; False when it is a byte of a record."""
        if byte in (ETX, ETB):
            self._trailer = _TRAILER_LENGTH
        elif byte in (CR, LF, ENQ, EOT, _VT):
            self._begins, self._inside = True, False
        elif byte == STX:
            self._numbered = True
        else:
            return False
        return True


def hide(data: bytes) -> bytes:
    """Return a message, or records of it, without its patients."""
    return Veil().over(data)
