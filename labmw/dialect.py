"""How does this LIS differ from IHE LTW? One frozen value per dialect; a laboratory names it in `[lis] dialect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from protocols.hl7.profile import LTW_GENERIC, LtwProfile


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
