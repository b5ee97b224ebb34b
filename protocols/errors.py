"""What can go wrong in reading or writing a protocol: the whole error tree on one screen.

Every message says where it happened and ends with what to do about it.
"""


class ProtocolError(Exception):
    """Anything that a codec or a machine of this package objects to."""


class Misuse(ProtocolError):
    """The owner called a machine in a state that forbids it: a fault of ours, never of the peer."""


class SettingError(ProtocolError):
    """A tolerance or another setting of a link is unknown, or has a value that is not allowed."""


class FrameError(ProtocolError):
    """A frame cannot be written as LIS01-A2 wants it."""


class RecordError(ProtocolError):
    """A record or message of LIS02-A2 cannot be read or written safely."""


class Hl7Error(ProtocolError):
    """An HL7 v2 message cannot be read or written safely."""


class MllpError(ProtocolError):
    """A block cannot be put into, or taken out of, the MLLP envelope."""


class ProxyError(ProtocolError):
    """What a load balancer says of the connection that it hands on is missing or contradicts itself."""


class CaptureError(ProtocolError):
    """A line of a capture file is not what the .wire format says."""


class NetworkCaptureError(CaptureError):
    """A recording of the network cannot be read. `code` says in one word why, for whoever tells it in another language."""

    def __init__(self, code: str, text: str, **facts: str) -> None:
        super().__init__(text)
        self.code, self.facts = code, facts


class HprimError(ProtocolError):
    """An HPRIM file cannot be read or written safely."""
