"""What do commands that only read about other laboratories share? A partner that is known, and reports written out as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from labmw.config import Config
    from labmw.store.transaction import Row


def partner_known(settings: Config, partner: str, rows: Sequence[Row], tongue: Language) -> None:
    """End the command for a partner that nobody knows: an empty list would say that all is well. One that has left the configuration may still have sub-orders."""
    names = [one.name for one in settings.partners]
    if partner and partner not in names and not any(row.partner == partner for row in rows):
        fail(say("interlab-no-partner", tongue, partner=partner, partners=", ".join(names) or "–"), UNUSABLE)


def save_documents(folder: Path, documents: Sequence[Row], number: str, tongue: Language) -> None:
    """Write documents under the sub-order's number and their own place; one that is there already is not overwritten."""
    import re

    named = re.sub(r"[^A-Za-z0-9._-]", "_", number).lstrip(".") or "sub-order"  # a requester's number is its own text
    for document in documents:
        suffix = {"pdf": "pdf", "cda": "xml"}.get(document.kind, "bin")
        file = folder / f"{named}-{document.id}.{suffix}"
        try:
            with file.open("xb") as opened:
                opened.write(document.data)
        except OSError as problem:
            fail(say("interlab-not-saved", tongue, file=file, problem=problem.strerror), UNUSABLE)
        typer.echo(say("interlab-saved", tongue, file=file), err=True)
