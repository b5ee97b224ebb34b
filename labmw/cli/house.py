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
    from labmw.lab.law_orders import LawLink
    from labmw.lab.rights import Rights, Undecidable
    from labmw.lab.validation import House
    from labmw.store import Row, Transaction

REFUSED = 1


def rights_of(settings: Config) -> Rights:
    """The role table."""
    from labmw.lab.rights import Rights

    return Rights.of({name: (list(role.may), role.people) for name, role in settings.roles.items()})


def house_of(settings: Config, *, orders: bool = False) -> House:
    """What bears on a decision; `orders`: with what LAW analyzers can be asked for."""
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
        law=_law_links(settings) if orders else {},
        keyboard=who(),
        released=released,
    )


def _law_links(settings: Config) -> dict[str, LawLink]:
    from contextlib import suppress

    from labmw.app import law_link
    from labmw.errors import DriverError
    from labmw.line.registry import Registry

    links = [link for link in settings.link if link.protocol == "law"]
    if not links:
        return {}
    registry = Registry.find([Path(settings.drivers.folder)] if settings.drivers.folder else [])
    found = {}
    for link in links:
        with suppress(DriverError):
            found[link.name] = law_link(link, registry.named(link.driver), settings)
    return found


def decide(settings: Config, script: Transaction[Any], tongue: Language) -> Any:
    """Carry a decision out, or end with the sentence that says why it cannot be."""
    from labmw.lab.rights import Undecidable

    try:
        (answer,) = write(settings, script, tongue=tongue)
    except Undecidable as problem:
        _refuse(problem, tongue)
    return answer


def require(settings: Config, who: str, act: str, tongue: Language) -> str:
    """Return the role by which a person may, or end with the sentence that says that none does."""
    from labmw.lab.rights import Undecidable

    try:
        return rights_of(settings).require(who, act)
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
