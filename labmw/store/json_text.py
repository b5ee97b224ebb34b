"""How do a list and a table of facts become the JSON text of a column? Most of them are empty, and the writers are made once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
# Characters as they are: a person reads these columns too.
_facts = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
# Escaped: holds whatever a driver may say of a message that it could not read, also half a character.
_escaped = json.JSONEncoder(sort_keys=True).encode


def json_list(values: Sequence[Any]) -> str:
    """A list, in its order."""
    return _encode(values).decode() if values else "[]"


def json_object(values: Mapping[str, Any]) -> str:
    """Values by name, in their order."""
    return _encode(values).decode() if values else "{}"


def json_facts(facts: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Facts by name, in the order of their names."""
    kept = dict(facts)
    return _facts(kept) if kept else "{}"


def json_escaped(facts: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Facts by name, in ASCII: for what may hold characters that UTF-8 does not know."""
    kept = dict(facts)
    return _escaped(kept) if kept else "{}"
