"""What must the worklist know of the links whose analyzers are told what to do? What each measures, in its own codes, and which of them does which test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from labmw.clock import Clock
from labmw.config import Config, Link
from labmw.driver import Driver
from labmw.driver.declaration import Hl7Driver
from labmw.errors import DriverError
from labmw.fitting.ground import Ground
from labmw.fitting.reading import Readers, profile_of
from labmw.lab.law_orders import LawLink
from labmw.lab.routing import Comparison, Route, Routing
from labmw.lab.work_link import AstmLink, Hl7Link, asking_of
from protocols.errors import SettingError
from protocols.hl7.datatypes import Code

AWAY = timedelta(minutes=10)  # without a connection and a word for so long, an analyzer counts as away (routing)


def law_link(link: Link, driver: Driver, config: Config) -> LawLink:
    """What the worklist needs to know of a LAW link: what its analyzer measures, in its own codes; of two codes of one test, the first."""
    codes: dict[str, Code] = {}
    for code, test in driver.tests.items():
        if test.loinc and not test.index:
            system = "LN" if code == test.loinc else link.code_system
            codes.setdefault(test.loinc, Code(code, test.name or code, system))
    zone = ZoneInfo(link.timezone or config.site.timezone)
    return LawLink(
        link.name,
        codes,
        profile_of(link),
        zone,
        facility=config.site.name or config.site.id,
        push=link.push,
        patients=link.patients,
        anything=isinstance(driver, Hl7Driver) and driver.coded,
        only=frozenset(link.tests),
    )


def astm_link(link: Link, driver: Driver, config: Config) -> AstmLink:
    """What the worklist needs to know of an ASTM link that is told what to do; raises SettingError for a tolerance that there is not."""
    return AstmLink(
        link.name,
        driver,
        ZoneInfo(link.timezone or config.site.timezone),
        link.work == "push",
        link.patients,
        frozenset(link.tests),
        encoding=link.encoding or driver.encoding,
        tolerances=driver.tolerances.changed(link.tolerances),
    )


def routing_of(config: Config, available: Callable[[str], bool], clock: Clock) -> Routing:
    """Which analyzer is to do which test, as the configuration says."""
    zone = ZoneInfo(config.site.timezone)
    routes: dict[str, Route] = {}
    for one in config.route:
        told = one.comparable
        comparison = Comparison(told.document, told.by, told.until) if told else None
        route = Route(tuple(one.links), tuple(one.urgent), one.by, comparison)
        routes |= dict.fromkeys(one.tests, route)
    return Routing(routes, available, lambda: clock.now().astimezone(zone).date())


def reached(ground: Ground) -> Callable[[str], bool]:
    """Whether the analyzer of a link can be reached: it is connected, or was a while ago (some connect for each message, and we have just begun)."""
    began = ground.clock.now()

    def available(link: str) -> bool:
        health = ground.health.get(link)
        if health is not None and health.connected:
            return True
        last = max(filter(None, (began, health.heard_at if health else None, health.since if health else None)))
        return ground.clock.now() - last < AWAY

    return available


def law_links(ground: Ground, readers: Readers, routing: Routing) -> dict[str, LawLink]:
    """What the worklist needs to know of the LAW links whose driver can be used."""
    found: dict[str, LawLink] = {}
    for link in ground.config.link:
        with contextlib.suppress(DriverError):
            if link.protocol == "law" and (driver := readers.driver_of(link)):
                found[link.name] = replace(law_link(link, driver, ground.config), routing=routing)
    return found


def astm_links(ground: Ground, readers: Readers, routing: Routing) -> dict[str, AstmLink]:
    """What the worklist needs to know of the ASTM links that are told what to do, and whose driver can be used."""
    found: dict[str, AstmLink] = {}
    for link in ground.config.link:
        with contextlib.suppress(DriverError, SettingError):
            if link.work and link.protocol == "astm" and (driver := readers.driver_of(link)):
                found[link.name] = replace(astm_link(link, driver, ground.config), routing=routing)
    return found


def hl7_link(link: Link, driver: Driver, config: Config) -> Hl7Link:
    """What the worklist needs to know of an HL7 link whose queries are answered; raises DriverError where the driver does not say how."""
    dialect = asking_of(driver)
    assert isinstance(driver, Hl7Driver)
    zone = ZoneInfo(link.timezone or config.site.timezone)
    return Hl7Link(link.name, driver, dialect, zone, link.patients, frozenset(link.tests))


def hl7_links(ground: Ground, readers: Readers, routing: Routing) -> dict[str, Hl7Link]:
    """What the worklist needs to know of the HL7 links whose queries are answered, and whose driver can be used."""
    found: dict[str, Hl7Link] = {}
    for link in ground.config.link:
        with contextlib.suppress(DriverError):
            if link.work and link.protocol == "hl7" and (driver := readers.driver_of(link)):
                found[link.name] = replace(hl7_link(link, driver, ground.config), routing=routing)
    return found
