"""What does a piece of the archive look like? Lines of JSON: a head that says what it is, then row after row, to be read without labmw."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table

from labmw.errors import StoreError
from labmw.store.encryption.envelope import Unreadable
from labmw.store.schema import ENCRYPTED, metadata

SCHEMA: Final = "labmw-archive/1"


@dataclass(frozen=True, slots=True)
class Kept:
    """A row in a piece. `how`: whole; emptied, a copy of a row that has stayed without its contents; stub, one without contents that others refer to."""

    table: Table
    values: Mapping[str, Any]
    how: str = "whole"


def encode(head: Mapping[str, Any], rows: Iterable[Kept]) -> bytes:
    """A piece, not yet encrypted; raises StoreError when bytes of a row cannot be read."""
    lines = [json.dumps({"schema": SCHEMA, **head}, ensure_ascii=False)]
    for one in rows:
        keys = ENCRYPTED.get(one.table.name, {})  # of the live store's bytes: they are destroyed with it
        values = {name: _as_json(value) for name, value in one.values.items() if name not in keys}
        lines.append(json.dumps({"table": one.table.name, "how": one.how, "row": values}, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def decode(data: bytes, **expected: str) -> tuple[dict[str, Any], list[Kept]]:
    """A piece, decrypted; raises StoreError when it is none, when its head says something else, or when it is of a labmw that we do not know."""
    try:
        lines = data.decode("utf-8", "surrogatepass").removesuffix("\n").split("\n")
        head = json.loads(lines[0])
        if any(head[name] != value for name, value in {"schema": SCHEMA, **expected}.items()):
            raise ValueError("the head")
        return head, [_row(json.loads(line)) for line in lines[1:]]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise StoreError(
            f"a piece of the archive is not what labmw writes ({type(error).__name__}: {error}); put its copy in its place, "
            "or use the labmw that wrote it"
        ) from error


def _row(told: dict[str, Any]) -> Kept:
    table = metadata.tables[told["table"]]
    if strange := set(told["row"]) - set(table.c.keys()):
        raise ValueError(f"{table.name}: {', '.join(sorted(strange))}")
    if told["how"] not in ("whole", "emptied", "stub"):
        raise ValueError(str(told["how"]))
    return Kept(table, {name: _from_json(value) for name, value in told["row"].items()}, told["how"])


def _as_json(value: object) -> object:
    if isinstance(value, Unreadable):
        raise StoreError(
            f"bytes that cannot be read ({value.why}) are not moved into the archive; see `labmw check` for the key"
        )
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _from_json(value: Any) -> Any:
    return base64.b64decode(value["base64"], validate=True) if isinstance(value, dict) else value
