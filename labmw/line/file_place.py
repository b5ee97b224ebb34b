"""Where do files of an exchange lie? What is done at such a place, whoever's machine it is on: a local folder, or one on a partner's SFTP server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labmw.errors import PlaceError

ASIDE = ".labmw-"  # before the name of a file that is being taken; one that lies there at a start was cut short, and is taken first
PUT_AWAY = "taken"  # folder beside what comes
MOST = 10_000  # files in one folder: more is a sign that nobody looks after it
State = tuple[int, int]
"""Size in bytes, and when it was changed, as the place tells it: equal for a file that is left alone."""


@dataclass(frozen=True, slots=True)
class Lying:
    """A file at a place."""

    name: str
    state: State


class FilePlace(Protocol):
    """One folder. Every operation raises PlaceError when it cannot be done; names are without a path."""

    title: str  # what it is called in a sentence

    async def look(self) -> Sequence[Lying]:
        """The files that lie there, by name."""
        ...

    async def read(self, name: str, limit: int) -> bytes:
        """The bytes of a file, and one more than the limit where it is larger; raises FileGone."""
        ...

    async def set_aside(self, name: str, state: State) -> bool:
        """Take a file away from its sender, under ASIDE and its name; one that was changed since it was looked at goes back, unless the next one lies there."""
        ...

    async def put_away(self, name: str, digest: str) -> None:
        """Move a file that was set aside to what was taken; where one of this name lies there, under a name with its digest."""
        ...

    async def lay(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        """Write a file whole under a name that nobody reads, then give it its own; False when one with other bytes has that name and may not be replaced."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class FileGone(PlaceError):
    """A file is not there any more: whoever laid it took it back."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is gone", "place-missing", {"place": name, "words": "gone"})


def partial(name: str) -> str:
    """The name under which a file is written."""
    return f".{name}.partial"


def other_name(name: str, digest: str) -> str:
    """The name of a file whose own is taken."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{digest[:8]}.{suffix}" if dot else f"{name}-{digest[:8]}"


def shown(name: str) -> str:
    """A name as it can be stored and printed: bytes that are no UTF-8, and control characters, are spelled out."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)
