"""How does this LIS differ from IHE LTW? One frozen value per dialect; a laboratory names it in `[lis] dialect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from protocols.hl7.profile import LTW_GENERIC, LtwProfile

if TYPE_CHECKING:
    from labmw.partner import Elsewhere


@dataclass(frozen=True, slots=True)
class LisDialect:
    """What a LIS does with what it is sent.

    `corrections`: "takes" OBX-11 C and X; "ignores" them although it acknowledges; "refuses" them once a report is signed. In the last two
    cases a person corrects by hand, and a task says so.
    """

    name: str
    ltw: LtwProfile = LTW_GENERIC
    corrections: Literal["takes", "ignores", "refuses"] = "takes"
    stores_before_ack: bool = True  # False: an acknowledgment proves arrival, not storage: `labmw lis compare` says so

    @property
    def two_replies(self) -> bool:
        """Whether an application reply follows the commit acknowledgment of what is sent."""
        return self.ltw.accept in ("AL", "SU") and self.ltw.application in ("AL", "SU")


_ALL = (
    LisDialect("ltw"),
    LisDialect("ltw-oul", LtwProfile("ltw-oul", results_as="OUL_R22")),
    # A LIS that takes ORM^O01 with the tube's number in OBR-20, as many did before LTW.
    LisDialect("legacy-orm", LtwProfile("legacy-orm", legacy_specimen=("OBR", 20))),
    LisDialect("signs-and-locks", corrections="refuses"),
    LisDialect("first-result-counts", corrections="ignores"),
    # Commit and application acknowledgment as two messages (HL7 2.5.1 chapter 2.9.3).
    LisDialect("ltw-enhanced", LtwProfile("ltw-enhanced", accept="AL", application="AL")),
    LisDialect("queue-acknowledges", stores_before_ack=False),
)
DIALECTS: Mapping[str, LisDialect] = MappingProxyType({one.name: one for one in _ALL})
"""The dialects that come with labmw, by name. Composed from what interface teams report; none is taken from a capture."""


@dataclass(frozen=True, slots=True)
class LisTerms:
    """What a laboratory has agreed with its LIS: the configuration's `[lis]`, as the laboratory and delivery need it."""

    site: str
    name: str  # the destination, and MSH-5 of what is sent
    application: str  # MSH-3 of what is sent, and the authority of our order numbers
    zone: ZoneInfo  # of times without an offset
    feed: str = ""  # the line on which the LIS sends
    dialect: LisDialect = DIALECTS["ltw"]
    validation: Literal["labmw", "lis"] = "labmw"  # where the biological validation is done
    window_days: int = 30  # how long a tube's number means this tube
    tests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the LIS's own codes, each with its LOINC codes
    authority: str = (
        ""  # of the patient numbers that count (PID-3.4); "": whichever comes first, always the same for one number
    )
    ins_fictitious: bool = False  # INS of the test and demonstration authorities are used: never in production
    language: Literal["en", "fr"] = "fr"
    place: tuple[str, ...] = (
        "ORC-21",
        "ORC-13",
        "PV1-3",
    )  # the fields that say where an order came from, the first that is filled
    elsewhere: Elsewhere | None = None  # which tests other laboratories perform
