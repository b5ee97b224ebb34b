"""Which control characters does the link use, and how are bytes shown to a person?

Source: E1381-95 §6 (values), §6.6 (restricted characters).
"""

from typing import Final

STX: Final = 0x02
ETX: Final = 0x03
EOT: Final = 0x04
ENQ: Final = 0x05
ACK: Final = 0x06
LF: Final = 0x0A
CR: Final = 0x0D
NAK: Final = 0x15
ETB: Final = 0x17

RESTRICTED: Final = bytes([0x01, STX, ETX, EOT, ENQ, ACK, LF, 0x10, 0x11, 0x12, 0x13, 0x14, NAK, 0x16, ETB])
"""Characters that may not stand in the text of a frame: we never send them, on input the checksum decides."""

_NAMES = {
    STX: "<STX>",
    ETX: "<ETX>",
    EOT: "<EOT>",
    ENQ: "<ENQ>",
    ACK: "<ACK>",
    LF: "<LF>",
    CR: "<CR>",
    NAK: "<NAK>",
    ETB: "<ETB>",
}
_SHOWN = [_NAMES.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"<0x{byte:02X}>") for byte in range(256)]


def show(data: bytes) -> str:
    """Bytes of a link as a person reads them: controls by name, everything outside printable ASCII as hex."""
    return "".join([_SHOWN[byte] for byte in data])
