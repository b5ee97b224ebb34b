"""How is a box filled, listed and closed from the command line?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE, look, now, write
from labmw.phrases import Language, say
from labmw.watch.spoken import moment

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
    aliquot: str = ""


def ship(settings: Config, wanted: Shipment, by: str, tongue: Language) -> int:
    """Do it; return the exit code."""
    from labmw.lab import shipments
    from labmw.lab.lis_told import Doubt

    site = settings.site.id
    names = [one.name for one in settings.partners if one.performs_for_us]
    if wanted.partner not in names:
        fail(say("interlab-no-partner", tongue, partner=wanted.partner, partners=", ".join(names) or "–"), UNUSABLE)
    refused = False
    if wanted.aliquot and len(wanted.tubes) != 1:
        fail(say("interlab-aliquot-of-one", tongue, aliquot=wanted.aliquot), UNUSABLE)
    if wanted.tubes:
        tubes = [tube.strip() for tube in wanted.tubes]
        step = shipments.pack(
            site, wanted.partner, tubes, wanted.temperature.strip(), by, now(), wanted.aliquot.strip()
        )
        (packed,) = write(settings, step, tongue=tongue)
        for doubt in (*packed.refused, *packed.remarks):
            typer.echo(say(doubt.reason, tongue, **dict(doubt.facts)), err=True)
        refused = bool(packed.refused)
    if wanted.close:
        partner = next(one for one in settings.partners if one.name == wanted.partner)
        tells = bool(partner.choices.shipment)
        leaving = shipments.close_box(site, partner.name, wanted.courier, wanted.tracking, by, now(), tells=tells)
        (closed,) = write(settings, leaving, tongue=tongue)
        if isinstance(closed, Doubt):
            fail(say(closed.reason, tongue, **dict(closed.facts)), REFUSED)
        told = say("interlab-shipped", tongue, box=closed.box.number, orders=closed.sent, told=closed.told)
        typer.echo(told, err=wanted.as_json)
    _show(settings, wanted, tongue)
    return REFUSED if refused else 0


def _show(settings: Config, wanted: Shipment, tongue: Language) -> None:
    from labmw.lab.shipments import contents, waiting_for

    site, partner = settings.site.id, wanted.partner
    found = look(settings, lambda: contents(site, partner), tongue)
    outside = look(settings, lambda: waiting_for(site, partner), tongue)
    if found is None and not wanted.as_json:
        typer.echo(say("interlab-no-box", tongue, partner=partner))
    box, tubes = found or (None, [])
    if wanted.as_json:
        told = {
            "box": box.mapping() if box is not None else None,
            "tubes": [tube.mapping() | {"orders": [row.number for row in rows]} for tube, rows in tubes],
            "waiting": [{"specimen": specimen, "orders": [row.number for row in rows]} for specimen, rows in outside],
        }
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        if box is not None:
            _draw(box, tubes, tongue)
        for specimen, rows in outside:
            names = ", ".join(row.number for row in rows)
            typer.echo("  " + say("interlab-outside", tongue, specimen=specimen, orders=names))
    if wanted.print_to is not None and box is not None:
        try:
            wanted.print_to.write_bytes(packing_list(settings, wanted.partner, box, tubes, tongue))
        except OSError as problem:
            fail(say("interlab-unwritable", tongue, file=wanted.print_to, problem=problem), UNUSABLE)
        typer.echo(say("interlab-printed", tongue, file=wanted.print_to), err=wanted.as_json)


def _draw(box: Row, tubes: list[tuple[Row, list[Row]]], tongue: Language) -> None:
    for tube, rows in tubes:
        names = ", ".join(row.number for row in rows)
        typer.echo(f"  {tube.specimen}  {names}  {say(f'interlab-state-of-tube-{tube.state}', tongue)}")
    state = say(f"interlab-box-{box.state}", tongue)
    typer.echo(say("interlab-box", tongue, box=box.number, count=len(tubes), state=state))


def packing_list(
    settings: Config, partner: str, box: Row, tubes: list[tuple[Row, list[Row]]], tongue: Language
) -> bytes:
    """The list that goes into the box."""
    from labmw.documents.packing_list import PackingList, as_pdf
    from labmw.lab.packed_tubes import packed_tubes

    agreed = next(one for one in settings.partners if one.name == partner)
    lines = look(settings, lambda: packed_tubes(settings.site.id, agreed, tubes, tongue), tongue)
    name = settings.site.name or settings.site.id
    said = {
        "from": name if not agreed.our_id else f"{name} ({agreed.our_id})",
        "to": agreed.laboratory or partner,
        "temperature": box.temperature,
        "tubes": str(len(lines)),
        "shipped": moment(box.shipped_at, ZoneInfo(settings.site.timezone)) if box.shipped_at else "",
        "courier": box.courier,
        "tracking": box.tracking,
    }
    columns = [say(f"interlab-list-{one}", tongue) for one in ("tube", "patient", "tests")]
    return as_pdf(
        PackingList(
            say("interlab-list-title", tongue, box=box.number, partner=partner),
            box.number,
            tuple((say(f"interlab-list-{key}", tongue), text) for key, text in said.items() if text),
            tongue,
            (columns[0], columns[1], columns[2]),
            say("interlab-list-scan", tongue),
            lines,
        )
    )
