"""How is a version kept as it was when it was activated? Its page and its tables in one JSON file, so that it can go on judging whatever becomes of the folder."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from labmw.errors import PackError
from rules.inherit import Override
from rules.load import Pack, Written, build
from rules.strict import refusal

_NAME = re.compile(r"[^A-Za-z0-9._@-]")


def keep(folder: Path, pack: Pack, made: Written) -> Path:
    """Keep a version in a folder; raises PackError when it cannot be written, or would not read back as it is."""
    file = folder / f"{_NAME.sub('_', pack.name.replace('#', '@'))}.json"
    text = json.dumps(
        {
            "hash": pack.hash, "file": made.file, "data": _out(made.data), "extends": list(made.extends),
            "sheets": [[name, base64.b64encode(data).decode()] for name, data in made.sheets],
            "overrides": [
                {"rule": one.rule, "layer": one.layer, "parent": one.parent, "what": one.what, "wards": list(one.wards), "reason": dict(one.reason)}
                for one in made.overrides
            ],
        },
        ensure_ascii=False, indent=1,
    )  # fmt: skip
    if _pack(str(file), text).hash != pack.hash:
        raise refusal(str(file), "", "would not read back as it is", "report it with the pack")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise refusal(str(file), "", f"cannot be written ({error})", "mend the permissions of its folder") from None
    return file


def kept(folder: Path) -> tuple[tuple[Pack, ...], tuple[PackError, ...]]:
    """Read every version that a folder keeps; one that was touched is not what was signed, and is left out with its error."""
    packs: list[Pack] = []
    errors: list[PackError] = []
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            packs.append(_pack(str(file), file.read_text(encoding="utf-8")))
        except PackError as error:
            errors.append(error)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            problem = f"is no version that was kept ({type(error).__name__}: {error})"
            errors.append(refusal(str(file), "", problem, "put it back from a backup, or activate the version again"))
    return tuple(packs), tuple(errors)


def _pack(file: str, text: str) -> Pack:
    found = json.loads(text)
    overrides = tuple(
        Override(one["rule"], one["layer"], one["parent"], one["what"], tuple(one["wards"]), one["reason"])
        for one in found["overrides"]
    )
    sheets = tuple((name, base64.b64decode(data, validate=True)) for name, data in found["sheets"])
    pack = build(Written(found["file"], _in(found["data"]), "", sheets, tuple(found["extends"]), overrides))
    if pack.hash != found["hash"]:
        raise refusal(
            file, "hash", "is not that of its content", "put it back from a backup, or activate the version again"
        )
    return pack


def _out(value: Any) -> Any:
    """Write what JSON does not know with its kind beside it."""
    if isinstance(value, Mapping):
        return {key: _out(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_out(one) for one in value]
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime | date):
        return {"$moment" if isinstance(value, datetime) else "$day": value.isoformat()}
    return value


def _in(value: Any) -> Any:
    if isinstance(value, list):
        return [_in(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$decimal"}:
        return Decimal(value["$decimal"])
    if value.keys() == {"$day"}:
        return date.fromisoformat(value["$day"])
    if value.keys() == {"$moment"}:
        return datetime.fromisoformat(value["$moment"])
    return {key: _in(one) for key, one in value.items()}
