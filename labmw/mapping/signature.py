"""Who has signed which version of the mapping? Four eyes: two different people, one of them a biologist, under exactly this content."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from labmw.errors import MappingError, PackError
from labmw.mapping.version import Version
from rules.strict import Table, refusal

ROLES: Final = ("biologist", "technician", "informatics", "quality")
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """One person under one version."""

    mapping: str
    version: str
    hash: str
    who: str
    role: str
    at: datetime
    reason: str

    def under(self, one: Version) -> bool:
        """Whether it stands under exactly this content."""
        return (self.mapping, self.version, self.hash) == (one.id, one.version, one.hash)


def person(name: str) -> str:
    """Who is meant by a name, however it is typed."""
    return " ".join(name.casefold().split())


def signers(one: Version, signatures: Sequence[Signature]) -> list[Signature]:
    """The people under a version, each once, in the order in which they signed."""
    found: dict[str, Signature] = {}
    for signature in sorted((s for s in signatures if s.under(one)), key=lambda s: s.at):
        found.setdefault(person(signature.who), signature)
    return list(found.values())


def four_eyes(one: Version, signatures: Sequence[Signature]) -> bool:
    """Whether two different people have signed, and one of them is a biologist."""
    people = signers(one, signatures)
    return len(people) >= 2 and any(s.role == "biologist" for s in people)


def read_signatures(path: Path) -> tuple[Signature, ...]:
    """Read a file of signatures; raises MappingError naming file, key and remedy, and then no version is in force."""
    try:
        return _read(path)
    except PackError as error:
        raise MappingError(str(error)) from None


def _read(path: Path) -> tuple[Signature, ...]:
    file = str(path)
    try:
        text = path.read_bytes().decode()
        table = Table(file, "", tomllib.loads(text, parse_float=Decimal), text)
    except FileNotFoundError:
        return ()  # nobody has signed yet
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise refusal(file, "", f"cannot be read ({error})", "mend it; until then no mapping is in force") from None
    found = tuple(_signature(one) for one in table.tables("signature", "write each as [[signature]]"))
    table.done()
    return found


def _signature(table: Table) -> Signature:
    hash_ = table.text("hash", "labmw mapping sign writes it")
    if not _HASH.fullmatch(hash_):
        raise table.refuse("hash", f"{hash_!r} is not a hash", "write sha256: and 64 hexadecimal digits")
    found = Signature(
        table.text("mapping", "name the mapping"),
        table.text("version", "name the version"),
        hash_,
        table.text("who", "name the person who signs"),
        table.word("role", ROLES),
        table.moment("at", "write it like 2026-04-01T08:30:00+02:00"),
        table.text("reason", "say why"),
    )
    table.done()
    return found


def as_toml(one: Signature) -> str:
    """A signature as the file keeps it."""
    rows = [f"{key} = {_quoted(getattr(one, key))}" for key in ("mapping", "version", "hash", "who", "role", "reason")]
    return "\n".join(["[[signature]]", *rows, f"at = {one.at.isoformat()}", ""])


def _quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(c):04X}" if ord(c) < 32 or c in '"\\' or ord(c) == 127 else c for c in text)
    return f'"{escaped}"'
