"""What is wrong with a message under a profile of IHE? Every deviation, with segment, field, rule and source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from protocols.errors import Hl7Error
from protocols.hl7.check_core import check_core
from protocols.hl7.check_lab import check_ilw, check_ltw
from protocols.hl7.check_law import TYPES, check_law
from protocols.hl7.check_subject import Subject
from protocols.hl7.deviation import Deviation, Severity
from protocols.hl7.er7 import Message

PROFILES: dict[str, Callable[[Subject], Iterator[Deviation]]] = {"law": check_law, "ltw": check_ltw, "ilw": check_ilw}
"""The checks of each profile, on top of those of HL7 itself."""

MOST = 500
"""Deviations that are told of one message: one this wrong is not worth a longer list, and a hostile one cannot fill the memory."""


def check(message: Message, profile: str) -> list[Deviation]:
    """Every deviation of a message from HL7 and from a profile: law, ltw or ilw, in the order of the message.

    After ``MOST`` of them the last one says that there are more. Raises: Hl7Error for another profile.
    """
    if profile not in PROFILES:
        raise Hl7Error(f"{profile!r} is no profile: use {', '.join(PROFILES)}")
    subject = Subject(message)
    every = chain(check_core(subject), PROFILES[profile](subject))
    found = dict.fromkeys(islice(every, MOST))  # two rules may say the same
    told = sorted(found, key=lambda item: (item.place if item.place >= 0 else len(subject.segments), item.field))
    if next(every, None) is not None:
        facts = (("most", str(MOST)),)
        told.append(Deviation("MSH", 0, 0, "HL7-MORE", "labmw", Severity.ERROR, "hl7-more", facts))
    return told


def profile_of(message: Message) -> str:
    """The profile that a message seems to follow: law by MSH-21 or its type, ilw by the ordering organisation, else ltw."""
    kind = "ACK" if message.code == "ACK" else f"{message.code}^{message.trigger}"
    if message.header.component(21).startswith(("LAB-27", "LAB-28", "LAB-29")) or TYPES.get(kind) == "LAB-27":
        return "law"
    orc = message.first("ORC")
    return "ilw" if orc and orc.field(21) else "ltw"


def sound(deviations: Iterable[Deviation]) -> bool:
    """Whether there is no error among them."""
    return all(item.severity is not Severity.ERROR for item in deviations)


__all__ = ["MOST", "PROFILES", "Deviation", "Severity", "check", "profile_of", "sound"]
