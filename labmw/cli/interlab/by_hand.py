"""How does a person send tests to another laboratory that no route has sent? labmw interlab send TUBE --to PARTNER --test LOINC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config

REFUSED = 1


def by_hand(settings: Config, to: str, tube: str, tests: Sequence[str], person: str, tongue: Language) -> None:
    """Make the sub-orders and say their numbers; ends the command when that cannot be."""
    import json

    from labmw.clock import SYSTEM
    from labmw.lab.lis_told import Doubt
    from labmw.lab.partner_agreed import partner_terms
    from labmw.lab.sent_by_hand import send_by_hand
    from labmw.lab.sub_orders import service_of

    partner = next((one for one in settings.partners if one.name == to and one.performs_for_us), None)
    if partner is None:
        names = ", ".join(one.name for one in settings.partners if one.performs_for_us)
        fail(say("interlab-no-subcontractor", tongue, partner=to or "–", partners=names or "–"), UNUSABLE)
    if not tests:
        fail(say("interlab-no-test-named", tongue, partner=to), UNUSABLE)
    step = send_by_hand(partner_terms(settings, partner), tube, tests, person, SYSTEM.now())
    (made,) = write(settings, step, tongue=tongue)
    if isinstance(made, Doubt):
        fail(say(made.reason, tongue, **dict(made.facts)), REFUSED)
    for row in made:
        missing = ", ".join(json.loads(row.missing))
        code = "interlab-by-hand-waits" if missing else "interlab-by-hand"
        told = {"order": row.number, "partner": row.partner, "test": service_of(row).text, "missing": missing}
        typer.echo(say(code, tongue, **told))
