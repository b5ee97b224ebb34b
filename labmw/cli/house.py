"""Who may decide, to whom does it go, and what can be asked of the analyzers? The configuration, as a decision needs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from labmw.cli.options import fail
from labmw.cli.writing import who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from labmw.config import Config
    from labmw.lab.deciding import Decision
    from labmw.lab.rights import Rights, Undecidable
    from labmw.lab.validation import House
    from labmw.lab.work_link import WorkLink
    from labmw.store import Row, Transaction

REFUSED = 1


def rights_of(settings: Config) -> Rights:
    """The role table."""
    from labmw.lab.rights import Rights

    return Rights.of({name: (list(role.may), role.people) for name, role in settings.roles.items()})


def house_of(settings: Config, *, orders: bool = False) -> House:
    """What bears on a decision; `orders`: with the analyzers that can be asked."""
    from datetime import timedelta

    from labmw.dialect import DIALECTS
    from labmw.lab.calling import after_release
    from labmw.lab.routes import routes
    from labmw.lab.validation import House

    window = timedelta(hours=settings.rules.call_hours)

    def released(decision: Decision, rows: Sequence[Row]) -> Transaction[None]:
        yield from after_release(decision.site, rows, decision.at, window)

    lis = settings.lis
    takes = lis is not None and lis.protocol == "hl7" and DIALECTS[lis.dialect].corrections == "takes"
    return House(
        rights_of(settings),
        destinations=settings.destinations,
        takes=routes(settings),
        lis=lis.name if lis and takes else "",
        validation=lis.biological_validation if lis else "labmw",
        analyzers=told(settings) if orders else {},
        keyboard=who(),
        released=released,
    )


def told(settings: Config) -> dict[str, WorkLink]:
    """The analyzers that are told what to do, by link, with the codes of the site's mapping."""
    from contextlib import suppress
    from dataclasses import replace

    from labmw.clock import SYSTEM
    from labmw.driver.order_writing import dialect_of
    from labmw.errors import DriverError
    from labmw.fitting.work_links import astm_link, hl7_link, law_link
    from labmw.line.registry import Registry
    from labmw.mapping import site as mapping_site
    from protocols.errors import SettingError

    links = [link for link in settings.link if link.protocol == "law" or link.work]
    if not links:
        return {}
    registry = Registry.find([Path(settings.drivers.folder)] if settings.drivers.folder else [])
    mappings = mapping_site.find(settings.mapping.folder, settings.mapping.signatures)
    found: dict[str, WorkLink] = {}
    for link in links:
        with suppress(DriverError, SettingError):
            driver = mappings.driver(registry.named(link.driver), link.name, SYSTEM.now())
            if link.tube is not None:
                driver = replace(driver, tube=link.tube.form)
            if link.protocol == "law":
                found[link.name] = law_link(link, driver, settings)
            elif link.protocol == "hl7":
                found[link.name] = hl7_link(link, driver, settings)
            else:
                dialect_of(driver)
                found[link.name] = astm_link(link, driver, settings)
    return found


def decide(settings: Config, script: Transaction[Any], tongue: Language) -> Any:
    """Carry a decision out, or end with the sentence that says why it cannot be."""
    from labmw.lab.rights import Undecidable

    try:
        (answer,) = write(settings, script, tongue=tongue)
    except Undecidable as problem:
        _refuse(problem, tongue)
    return answer


def require(settings: Config, who: str, act: str, tongue: Language, *or_else: str) -> str:
    """Return the role by which a person may do one of these, or end with the sentence that says that none does."""
    from labmw.lab.rights import Undecidable

    try:
        return rights_of(settings).require(who, act, *or_else)
    except Undecidable as problem:
        _refuse(problem, tongue)


def _refuse(problem: Undecidable, tongue: Language) -> NoReturn:
    facts = {name: _in_words(name, fact, tongue) for name, fact in problem.facts.items()}
    fail(say(problem.code, tongue, **facts), REFUSED)


def _in_words(name: str, fact: object, tongue: Language) -> object:
    """A fact that is a code of the catalogue, as people say it."""
    if name == "act":
        return say(f"act-{fact}", tongue)
    if name == "states":
        return ", ".join(say(f"state-{one}", tongue) for one in str(fact).split(", "))
    return fact
