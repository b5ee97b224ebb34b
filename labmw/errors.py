"""Everything that can go wrong in labmw, on one screen; each message ends with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping


class LabmwError(Exception):
    """What went wrong, where, and the remedy; `code`, where there is one, is the phrase that says so in every language, `facts` fill it in."""

    code: str = ""
    facts: Mapping[str, object] = {}


class ConfigError(LabmwError):
    """The configuration cannot be used: file, key and remedy are in the message.

    `code` and `facts` are its phrase, by which it is said in the reader's language.
    """

    def __init__(self, file: str, key: str, problem: str, remedy: str, code: str = "", **facts: str) -> None:
        self.file, self.key, self.problem, self.remedy = file, key, problem, remedy
        self.code, self.facts = code, {"file": file, "key": key, **facts} if code else {}
        super().__init__(f"{file}: {key}: {problem}; {remedy}" if key else f"{file}: {problem}; {remedy}")


class DriverError(LabmwError):
    """A driver file cannot be used; the analyzers that need it stay closed, the others are unaffected."""


class PackError(LabmwError):
    """A rule pack cannot be used; the results it would have judged are held."""


class LinkError(LabmwError):
    """A wire cannot be opened or was lost."""

    facts: Mapping[str, str]

    def __init__(self, message: str, code: str = "", facts: Mapping[str, str] | None = None) -> None:
        self.code, self.facts = code, facts or {}
        super().__init__(message)


class MappingError(LabmwError):
    """A version of the site's mapping cannot be used; the codes it names are unknown until it can."""


class WireHeld(LinkError):
    """Another program has the port or the device: nothing was opened."""


class CertificateError(LabmwError):
    """A certificate or key cannot be read or used: file and remedy are in the message, and `code` says so in every language."""

    facts: Mapping[str, str]

    def __init__(self, message: str, code: str = "", facts: Mapping[str, str] | None = None) -> None:
        self.code, self.facts = code, facts or {}
        super().__init__(message)


class HandshakeError(LinkError):
    """TLS could not be agreed with the other side; `code` says why."""


class PlaceError(LinkError):
    """Files cannot be exchanged at a place; `code` says why."""


class WorklistError(LabmwError):
    """A worklist file cannot be used: file, place and remedy are in the message."""

    def __init__(self, message: str, code: str, facts: Mapping[str, str]) -> None:
        self.code, self.facts = code, facts
        super().__init__(message)


class StoreError(LabmwError):
    """The store refused or failed: nothing is acknowledged until it is back. `code` and `facts` as for ConfigError."""

    def __init__(self, message: str, code: str = "", **facts: object) -> None:
        self.code, self.facts = code, facts
        super().__init__(message)


class StoreBusy(StoreError):
    """The queue before the store is full or too slow: the sender is refused and keeps its data."""


class StoreDisturbed(StoreError):
    """The store came into use while it was read as it lay: what was read may be torn, and the question is asked once more."""


class StoreUnfit(StoreError):
    """What was to be stored fits no column or breaks a key: sending it again would not cure it (law 4)."""


class DeliveryError(LabmwError):
    """A receiver refused, failed or stayed silent: the message waits in the outbox."""


class DeliveryWaits(DeliveryError):
    """A message cannot be sent yet, through nobody's fault: it is tried again, and the attempt does not count."""


class QuantityError(LabmwError):
    """A text is not a number, or a unit is not UCUM."""
