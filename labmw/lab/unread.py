"""What is kept of a message that its driver cannot read, or that cannot be stored as it was read? Its bytes, in quarantine (law 4)."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from labmw.driver.reading import Facts, Reading
from labmw.errors import StoreError, StoreUnfit
from labmw.line.answering import unserved
from labmw.line.received import Received
from labmw.model import Disposition
from protocols.astm.message import Message as AstmMessage
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.er7 import Message
from protocols.hl7.version import served

T = TypeVar("T")


def unread(received: Received, error: Exception | None) -> Reading:
    """A message whose driver failed on it, or was not asked: no field of it is believed."""
    message = received.message
    return Reading(
        driver="",
        driver_version="",
        mapping_version="",
        protocol=received.protocol,
        kind="other",
        delimiters="",
        structure="",
        sender="",
        receiver="",
        serial="",
        software="",
        processing_id="",
        version="",
        datetime="",
        message_id=received.control_id,
        terminated=message.terminated if isinstance(message, AstmMessage) else True,
        terminator="",
        patients=(),
        specimens=(),
        orders=(),
        results=(),
        queries=(),
        comments=(),
        manufacturer=(),
        disposition=Disposition.QUARANTINED,
        reason="reading-failed",
        reason_facts=_named(error) if error else (),
    )


def unstored(reading: Reading, error: Exception) -> Reading:
    """The same message without its results: something in them cannot be stored."""
    return replace(
        reading,
        results=(),
        problems=(),
        disposition=Disposition.QUARANTINED,
        reason="storing-failed",
        reason_facts=_named(error),
    )


def observations(raw: bytes) -> int:
    """How many results a message can have at most: its R records (LIS02-A2) or OBX segments (HL7 v2), without reading it."""
    return raw.count(b"\rR") + raw.count(b"\rOBX")


def too_many(reading: Reading, count: int, most: int) -> Reading:
    """A message with more results than any analyzer sends, without them."""
    facts = (("count", str(count)), ("most", str(most)))
    return replace(
        reading, results=(), disposition=Disposition.QUARANTINED, reason="too-many-results", reason_facts=facts
    )


def unreadable(message: Message) -> tuple[str, ErrorDetail] | None:
    """MSA-1 and the error of a message that is not read: of a version that is not served, or in a character set that it does not declare.

    A name or number with bytes of unknown meaning is nobody's: the sender mends MSH-18, or the laboratory sets the `encoding` of the line.
    """
    if not served(message.version):
        return "AR", unserved(message, "unsupported-version")
    if message.garbled:
        return "AE", ErrorDetail("102", message.charset_problem or "", Location("MSH", field=18))
    return None


def is_the_message(error: Exception) -> bool:
    """Whether storing failed for what the message says and not for the disk: then sending it again would not cure it (law 4)."""
    return isinstance(error, StoreUnfit) or not isinstance(error, StoreError)


def storable(value: T) -> T:
    """The same value with every byte that its encoding does not know (kept as a lone surrogate) written out, such as \\udce9.

    The store keeps text as UTF-8, which has no place for it; the message keeps the bytes as they came.
    """
    kept: Any = value
    if isinstance(value, str) and type(value) is str:  # a word of an enumeration stays one
        kept = value.encode("utf-8", "backslashreplace").decode("utf-8")
    elif isinstance(value, tuple):
        kept = tuple(storable(one) for one in value)
    elif is_dataclass(value) and not isinstance(value, type):
        kept = replace(value, **{one.name: storable(getattr(value, one.name)) for one in fields(value) if one.init})
    return kept  # type: ignore[no-any-return]


def _named(error: Exception) -> Facts:
    return (("error", f"{type(error).__name__}: {error}"[:200]),)
