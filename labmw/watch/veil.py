"""Which bytes of a conversation may be shown without naming anybody? All but what stands in patient records (P of ASTM; PID, PV1 and the like of HL7),
in the fields of bioMérieux whose tag begins with p, and in those of a RAPIDPoint that identify somebody or something (i), but for the analyzer and controls.

Byte by byte, because a record may be cut anywhere: by a frame, by a read, or by both.
"""

from __future__ import annotations

from protocols.astm.control import CR, ENQ, EOT, ETB, ETX, LF, STX

HIDDEN = b"[...]"
_VT = 0x0B  # begins a block of MLLP
_FS, _GS, _RS = 0x1C, 0x1D, 0x1E  # between the fields of a RAPIDPoint, their values, and the lines of bioMérieux
_NAME = 32  # characters of a field's name that are looked at
_OF_NOBODY = frozenset((b"iIID", b"iQID", b"iQLEV", b"iQLOT", b"iQFILE", b"iQDATE"))
"""Fields of a RAPIDPoint that begin with i and name the analyzer or a control material (protocols.plain.rapid)."""
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
        self._fresh = False  # nothing but the start of a block has come
        self._tagged = False  # this block has tagged fields
        self._name: bytearray | None = None  # of a field, as far as it has come
        self._private = False  # a field is under way that is not shown

    def over(self, data: bytes) -> bytes:
        """Return the bytes as they may be shown."""
        shown = bytearray()
        for byte in data:
            if self._trailer and byte in _TRAILER:
                self._trailer -= 1
                shown.append(byte)
                continue
            self._trailer = 0
            if self._field(byte, shown):
                continue
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

    def _field(self, byte: int, shown: bytearray) -> bool:
        """Deal with a byte of a field that has a name of its own; True when it has been dealt with."""
        fresh, self._fresh = self._fresh, byte == STX
        ends = (
            byte in (ETX, EOT, ENQ, STX)
            or byte == (ord("|") if self._tagged else _FS)
            or (self._tagged and byte == _GS)
        )
        if self._private and not ends:
            return True
        if ends:
            self._private = False
            self._name = bytearray() if byte == _FS or (self._tagged and byte == ord("|")) else None
            self._tagged = self._tagged and byte == ord("|")
        elif fresh and byte == _RS:
            self._tagged, self._name = True, bytearray()
        elif self._name is not None and byte != _RS:
            self._named(byte, shown)
        return self._private

    def _named(self, byte: int, shown: bytearray) -> None:
        """One more character of a field's name; at its end it is known whether the field is shown."""
        assert self._name is not None
        if self._tagged:
            self._name.append(byte)
            if len(self._name) == 2:
                self._private = self._name[:1] == b"p"
                if self._private:
                    shown += bytes([byte]) + HIDDEN
                self._name = None
        elif byte == _GS or len(self._name) >= _NAME:
            self._private = self._name[:1] == b"i" and bytes(self._name) not in _OF_NOBODY
            if self._private:
                shown += bytes([byte]) + HIDDEN
            self._name = None
        else:
            self._name.append(byte)

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
