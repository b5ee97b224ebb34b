"""How is a box unpacked from the command line? Tubes are scanned against its list; what is missing, unexpected or cannot be used is said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config

REFUSED = 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """What was scanned and said."""

    tubes: tuple[str, ...]
    box: str
    complete: bool
    partner: str
    non_conforming: str
    why: str
    as_json: bool


def receive(settings: Config, came: Arrival, by: str | None, tongue: Language) -> int:
    """Note it; return the exit code."""
    from labmw.lab.partner_steps import REASONS

    requesters = [one.name for one in settings.partners if not one.performs_for_us]
    if came.partner and came.partner not in requesters:
        fail(say("interlab-no-partner", tongue, partner=came.partner, partners=", ".join(requesters) or "–"), UNUSABLE)
    if came.complete and not came.box:
        fail(say("interlab-complete-which", tongue), UNUSABLE)
    if not came.tubes and not came.complete:
        return _coming(settings, came, tongue)
    if came.non_conforming:
        if came.non_conforming not in REASONS:
            told = say("interlab-reason-unknown", tongue, code=came.non_conforming, codes=", ".join(REASONS))
            fail(told, UNUSABLE)
        return _give_back(settings, came, by, tongue)
    # With one requester alone there is no doubt whose a tube is that nobody asks for.
    partner = came.partner or (requesters[0] if len(requesters) == 1 else "")
    code = _scan(settings, came, partner, by, tongue) if came.tubes else 0
    return max(code, _complete(settings, came, by, tongue) if came.complete else 0)


def _give_back(settings: Config, came: Arrival, by: str | None, tongue: Language) -> int:
    from labmw.lab.partner_steps import give_back

    reason = reason_given(came.why, tongue)
    tubes = [tube.strip() for tube in came.tubes]
    steps = [give_back(settings.site.id, tube, came.non_conforming, who(by), reason, now()) for tube in tubes]
    unknown = False
    for tube, found in zip(tubes, write(settings, *steps, tongue=tongue), strict=True):
        code = "interlab-tube-back" if found else "interlab-tube-unknown"
        unknown = unknown or not found
        typer.echo(say(code, tongue, specimen=tube, orders=", ".join(found)))
    return REFUSED if unknown else 0


def _scan(settings: Config, came: Arrival, partner: str, by: str | None, tongue: Language) -> int:
    from labmw.lab.arrivals import arrive
    from labmw.lab.lis_told import Doubt

    tubes = [tube.strip() for tube in came.tubes]
    steps = [arrive(settings.site.id, tube, who(by), now(), came.box, partner) for tube in tubes]
    wrong = False
    for tube, found in zip(tubes, write(settings, *steps, tongue=tongue), strict=True):
        if isinstance(found, Doubt):
            fail(say(found.reason, tongue, **dict(found.facts)), REFUSED)
        code = "interlab-tube-unknown"
        if found.kept_in:
            code = "interlab-tube-unlisted" if found.orders else "interlab-tube-unexpected"
        elif found.orders:
            code = "interlab-tube-here"
        elif found.listed:
            code = "interlab-tube-known"
        wrong = wrong or code in ("interlab-tube-unknown", "interlab-tube-unexpected")
        typer.echo(say(code, tongue, specimen=tube, orders=", ".join(found.orders), box=found.kept_in or "–"))
    return REFUSED if wrong else 0


def _complete(settings: Config, came: Arrival, by: str | None, tongue: Language) -> int:
    from labmw.lab.arrivals import GONE, complete
    from labmw.lab.lis_told import Doubt

    step = complete(settings.site.id, came.box, came.partner, who(by), now())
    (states,) = write(settings, step, tongue=tongue)
    if isinstance(states, Doubt):
        fail(say(states.reason, tongue, **dict(states.facts)), REFUSED)
    told = ", ".join(
        f"{count} {say(f'interlab-state-of-tube-{state}', tongue)}" for state, count in sorted(states.items())
    )
    typer.echo(say("interlab-box-checked", tongue, box=came.box, tubes=told or "–"))
    return REFUSED if states[GONE] else 0


def _coming(settings: Config, came: Arrival, tongue: Language) -> int:
    """The boxes that are on their way, or that are being unpacked."""
    from labmw.lab.arrivals import expected

    found = look(settings, lambda: expected(settings.site.id), tongue)
    found = [one for one in found if came.partner in ("", one[0].partner) and came.box in ("", one[0].number)]
    if came.as_json:
        rows: list[dict[str, Any]] = [
            box.mapping() | {"tubes": [tube.mapping() for tube in tubes]} for box, tubes in found
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    for box, tubes in found:
        said = box.announced if box.announced is not None else "?"
        typer.echo(
            say("interlab-box-coming", tongue, box=box.number, partner=box.partner, temperature=box.temperature or "–",
                courier=box.courier or "–", tracking=box.tracking or "–", count=sum(tube.state != "unexpected" for tube in tubes), said=said)
        )  # fmt: skip
        for tube in tubes:
            typer.echo(f"  {tube.specimen}  {say(f'interlab-state-of-tube-{tube.state}', tongue)}")
    if not found:
        typer.echo(say("interlab-no-box-coming", tongue))
    return 0
