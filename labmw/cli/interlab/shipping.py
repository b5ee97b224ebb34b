"""How is a box filled, listed and closed from the command line?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE, look, now, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Row

REFUSED = 1


@dataclass(frozen=True, slots=True)
class Shipment:
    """What was asked for."""

    partner: str
    tubes: tuple[str, ...]
    close: bool
    temperature: str
    courier: str
    tracking: str
    print_to: Path | None
    as_json: bool


def ship(settings: Config, wanted: Shipment, by: str, tongue: Language) -> int:
    """Do it; return the exit code."""
    from labmw.lab import shipments
    from labmw.lab.lis_told import Doubt

    site = settings.site.id
    names = [one.name for one in settings.partners if one.performs_for_us]
    if wanted.partner not in names:
        fail(say("interlab-no-partner", tongue, partner=wanted.partner, partners=", ".join(names) or "–"), UNUSABLE)
    refused = False
    if wanted.tubes:
        tubes = [tube.strip() for tube in wanted.tubes]
        step = shipments.pack(site, wanted.partner, tubes, wanted.temperature, by, now())
        (doubts,) = write(settings, step, tongue=tongue)
        for doubt in doubts:
            typer.echo(say(doubt.reason, tongue, **dict(doubt.facts)), err=True)
        refused = bool(doubts)
    if wanted.close:
        (closed,) = write(
            settings,
            shipments.close_box(site, wanted.partner, wanted.courier, wanted.tracking, by, now()),
            tongue=tongue,
        )
        if isinstance(closed, Doubt):
            fail(say(closed.reason, tongue, **dict(closed.facts)), REFUSED)
        typer.echo(say("interlab-shipped", tongue, box=closed[0].number, orders=closed[1]), err=wanted.as_json)
    _show(settings, wanted, tongue)
    return REFUSED if refused else 0


def _show(settings: Config, wanted: Shipment, tongue: Language) -> None:
    from labmw.lab.shipments import contents

    found = look(settings, lambda: contents(settings.site.id, wanted.partner), tongue)
    if found is None:
        typer.echo(say("interlab-no-box", tongue, partner=wanted.partner))
        return
    box, tubes = found
    if wanted.as_json:
        told = {
            "box": box.mapping(),
            "tubes": [tube.mapping() | {"orders": [row.number for row in rows]} for tube, rows in tubes],
        }
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for tube, rows in tubes:
            typer.echo(
                f"  {tube.specimen}  {', '.join(row.number for row in rows)}  {say(f'interlab-tube-{tube.state}', tongue)}"
            )
        typer.echo(
            say(
                "interlab-box", tongue, box=box.number, count=len(tubes), state=say(f"interlab-box-{box.state}", tongue)
            )
        )
    if wanted.print_to is not None:
        try:
            wanted.print_to.write_bytes(packing_list(settings, wanted.partner, box, tubes, tongue))
        except OSError as problem:
            fail(say("interlab-unwritable", tongue, file=wanted.print_to, problem=problem), UNUSABLE)
        typer.echo(say("interlab-printed", tongue, file=wanted.print_to), err=wanted.as_json)


def packing_list(
    settings: Config, partner: str, box: Row, tubes: list[tuple[Row, list[Row]]], tongue: Language
) -> bytes:
    """The list that goes into the box."""
    from labmw.documents.packing_list import PackedTube, PackingList, as_pdf
    from labmw.lab.sub_orders import service_of

    lines = tuple(
        PackedTube(
            tube.specimen,
            ", ".join(service_of(row).text for row in rows),
            ", ".join(row.number for row in rows),
            say(f"interlab-tube-{tube.state}", tongue),
        )
        for tube, rows in tubes
    )
    name = settings.site.name or settings.site.id
    columns = tuple(say(f"interlab-column-{one}", tongue) for one in ("specimen", "order", "test", "state"))
    assert len(columns) == 4
    return as_pdf(
        PackingList(
            say("interlab-list-title", tongue, box=box.number, partner=partner),
            box.number,
            say(
                "interlab-list-subtitle", tongue, laboratory=name, temperature=box.temperature or "–", count=len(lines)
            ),
            tongue,
            columns,
            lines,
        )
    )
