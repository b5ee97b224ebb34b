"""Who has signed which rule pack? A pack judges only under the signature of a biologist on exactly this content."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from rules.strict import Table, refusal

ROLES = ("biologist",)
_HASH = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: what was signed, by whom, in which role, when and why."""

    pack: str
    version: str
    hash: str  # "sha256:..." over the content of the pack and its limit table
    who: str
    role: str
    at: datetime
    reason: str
    tests: tuple[str, ...] = ()  # LOINC codes it judges: what is held when the pack is lost or can no longer be read
    protocols: tuple[str, ...] = ()  # of the pack: tests may be added to the prescription under these
    exceptions: tuple[str, ...] = ()  # LOINC codes of never-automatic classes that the rules may release all the same


def read_signatures(path: Path) -> tuple[Signature, ...]:
    """Read a file of signatures; raises PackError naming file, key and remedy, and then no pack is active."""
    file = str(path)
    try:
        data = tomllib.loads(path.read_bytes().decode(), parse_float=Decimal)
    except FileNotFoundError:
        raise refusal(file, "", "there is no such file", "create it empty, or mend rules.signatures") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise refusal(file, "", f"cannot be read ({error})", "mend it; until then no pack is active") from None
    table = Table(file, "", data)
    found = tuple(_signature(one) for one in table.tables("signature", "write each as [[signature]]"))
    table.done()
    return found


def _signature(table: Table) -> Signature:
    hash_ = table.text("hash", "copy the hash that `labmw check` shows")
    if not _HASH.fullmatch(hash_):
        raise table.refuse("hash", f"{hash_!r} is not a hash", "write sha256: and 64 hexadecimal digits")
    found = Signature(
        pack=table.text("pack", "name the pack"),
        version=table.text("version", "name the version"),
        hash=hash_,
        who=table.text("who", "name the person who signs"),
        role=table.word("role", ROLES),
        at=table.moment("at", "write it like 2026-04-01T08:30:00+02:00"),
        reason=table.text("reason", "say why"),
        tests=table.texts("tests", "list LOINC codes"),
        protocols=table.texts("protocols", "name protocols of the pack"),
        exceptions=table.texts("exceptions", "list LOINC codes, each with the biologist's own reason elsewhere"),
    )
    table.done()
    return found


def as_toml(signature: Signature) -> str:
    """Write a signature as the file keeps it."""
    rows = [
        f"{key} = {_quoted(getattr(signature, key))}" for key in ("pack", "version", "hash", "who", "role", "reason")
    ]
    for key in ("tests", "protocols", "exceptions"):
        if several := getattr(signature, key):
            rows.append(f"{key} = [{', '.join(_quoted(one) for one in several)}]")
    return "\n".join(["[[signature]]", *rows, f"at = {signature.at.isoformat()}", ""])


def _quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(c):04X}" if ord(c) < 32 or c in '"\\' or ord(c) == 127 else c for c in text)
    return f'"{escaped}"'
