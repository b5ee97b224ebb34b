"""On which terms does this laboratory exchange with its LIS and with other laboratories? The configuration, as the laboratory and delivery need it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from labmw.dialect import DIALECTS, LisDialect
from labmw.partner import Partner, Route
from protocols.hl7.datatypes import Organisation
from protocols.hl7.ilw_profile import IlwProfile


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


@dataclass(frozen=True, slots=True)
class PartnerTerms:
    """A partner as the laboratory and delivery need it; `lis` are the terms by which its messages are taken, as if it were an LIS."""

    partner: Partner
    lis: LisTerms
    site_name: str
    destination: str = ""  # where results that come back go: the LIS

    @property
    def profile(self) -> IlwProfile:
        """What was chosen where ILW leaves something open."""
        return self.partner.profile()

    @property
    def us(self) -> Organisation:
        """Our laboratory, as it is named across organisations."""
        number = self.partner.our_id
        if not number:
            return Organisation(self.site_name, "D")
        return Organisation(self.site_name, "D", "ASIP-SANTE-ST", "1.2.250.1.71.4.2.2", "ISO", "FINEG", number)

    def ours(self, patient: str) -> str:
        """The number under which this laboratory keeps a patient of the partner: two laboratories may both have a patient 17."""
        return f"{self.partner.name}:{patient}"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where tests go: to a partner, nowhere, or not known, because the route that would take them asks for a place and the order names none."""

    partner: str = ""
    asks_for_place: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What leaves, for whom: the routes of every subcontractor, in the order of the configuration."""

    routes: tuple[tuple[str, Route], ...] = ()
    partners: Mapping[str, PartnerTerms] = field(default_factory=dict)

    def route_for(
        self,
        tests: Iterable[str],
        kind: str,
        now: datetime,
        zone: ZoneInfo,
        down: frozenset[str],
        places: frozenset[str] = frozenset(),
    ) -> Leaving:
        """The first route that takes all of these tests now; `places` are the names of the one place from which they come, none where it is not said."""
        wanted = set(tests)
        day = now.astimezone(zone).isoweekday()
        for name, route in self.routes:
            if not wanted <= set(route.tests):
                continue
            if (route.days and day not in route.days) or (route.down and route.down not in down):
                continue
            if route.kinds and kind not in route.kinds:
                continue
            if route.places and not places:
                return Leaving(name, asks_for_place=True)
            if route.places and not places & set(route.places):
                continue
            return Leaving(name)
        return Leaving()
