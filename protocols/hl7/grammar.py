"""Do the segments of a message stand where its structure has a place for them, and into which groups do they fall?

The matcher never gives up: what does not fit is told, and stays in the group in which it stood. Z segments fit anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache

from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.grammars import ALTERNATIVES, GRAMMARS, PARTS, STRUCTURES

SEGMENT_NAME = re.compile("[A-Z][A-Z0-9]{2}")


class Misfit(Enum):
    """How a segment, or its absence, offends against the structure."""

    MISSING = "missing"  # required here
    UNEXPECTED = "unexpected"  # known to the structure, not here
    FOREIGN = "foreign"  # unknown to the structure
    REPEATED = "repeated"  # once is all that is allowed
    NAMELESS = "nameless"  # a line that is no segment


@dataclass(frozen=True, slots=True)
class Offence:
    """One thing that does not fit: which segment, where it stands (from 0; for a missing one, where it should), in which group."""

    misfit: Misfit
    segment: str
    place: int
    group: str


@dataclass(frozen=True, slots=True)
class Place:
    """A segment's place in a structure: the names that may fill it, whether it must be filled, whether it may repeat."""

    names: tuple[str, ...]
    required: bool
    repeats: bool
    starts: frozenset[str]  # the same names

    @property
    def known(self) -> frozenset[str]:
        """Every segment that may stand here."""
        return self.starts


@dataclass(frozen=True, slots=True)
class GroupRule:
    """A group's place in a structure, and what belongs into it."""

    name: str
    members: tuple[Place | GroupRule, ...]
    required: bool
    repeats: bool
    starts: frozenset[str]
    again: tuple[str, int, str] | None = None  # a further group beginning with this segment needs this field to be this
    known: frozenset[str] = frozenset()  # every segment that may stand somewhere inside


@dataclass(slots=True)
class Group:
    """A group as found: its segments and groups in their order, with the place of each segment in the message."""

    name: str
    parts: list[tuple[int, Segment] | Group] = field(default_factory=list)

    def segment(self, name: str) -> Segment | None:
        """The first segment of this name, directly in this group."""
        return next((part[1] for part in self.parts if not isinstance(part, Group) and part[1].name == name), None)

    def segments(self, name: str) -> list[Segment]:
        """Every segment of this name, directly in this group."""
        return [part[1] for part in self.parts if not isinstance(part, Group) and part[1].name == name]

    def groups(self, name: str) -> list[Group]:
        """Every group of this name, directly in this group."""
        return [part for part in self.parts if isinstance(part, Group) and part.name == name]

    def group(self, name: str) -> Group | None:
        """The first group of this name, directly in this group."""
        return next(iter(self.groups(name)), None)

    def flat(self) -> Iterator[tuple[int, Segment]]:
        """Every segment in this group and below, with its place in the message."""
        for part in self.parts:
            if isinstance(part, Group):
                yield from part.flat()
            else:
                yield part


@dataclass(frozen=True, slots=True)
class Tree:
    """A message in its groups, and what did not fit."""

    structure: str
    root: Group
    offences: tuple[Offence, ...]


def structure_of(message: Message) -> str | None:
    """The structure a message should have: MSH-9.3 where it names one of this type, else by type; None when it is unknown."""
    kind = (message.code, message.trigger)
    if message.code == "ACK":
        return "ACK"
    named = message.structure
    if named == STRUCTURES.get(kind) or named in ALTERNATIVES.get(kind, ()):
        return named
    return STRUCTURES.get(kind)


def match(message: Message, structure: str | None = None) -> Tree:
    """The group tree of a message, by the structure given or its own.

    Raises: Hl7Error when there is no table for this type of message.
    """
    name = structure or structure_of(message)
    if name is None or name not in GRAMMARS:
        raise Hl7Error(f"there is no grammar for {message.header.field(9)!r}: check MSH-9")
    walk = _Walk(message.segments, grammar(name).known)
    root = Group(name)
    walk.fill(root, grammar(name), frozenset())
    return Tree(name, root, tuple(walk.offences))


class _Walk:
    """One pass over the segments: where it stands, and what it found wrong."""

    def __init__(self, segments: Sequence[Segment], known: frozenset[str]) -> None:
        self.segments = segments
        self.known = known
        self.at = 0
        self.offences: list[Offence] = []

    def fill(self, group: Group, rule: GroupRule, outside: frozenset[str]) -> None:
        """Fill a group with what belongs to it, up to a segment that may follow after it (``outside``)."""
        for index, member in enumerate(rule.members):
            rest = rule.members[index + 1 :]
            later = outside.union(*(other.starts for other in rest))
            # A segment from inside a group that must come here: the group is entered, and its missing first segment told.
            inside = frozenset().union(
                *(other.known for other in rest if isinstance(other, GroupRule) and other.required)
            )
            count = 0
            while self.at < len(self.segments):
                item = self.segments[self.at]
                name = item.name
                starts = name in member.starts or (
                    not count and isinstance(member, GroupRule) and member.required and name in member.known - later
                )
                if starts and (not count or member.repeats) and not (count and _barred(member, item)):
                    self._enter(group, member, later)
                    count += 1
                elif name in later or name in inside:
                    break
                else:
                    self._misplaced(group, name, again=name in member.starts)
            if not count and member.required:
                self._tell(Misfit.MISSING, _first_name(member), group)

    def _enter(self, group: Group, member: Place | GroupRule, later: frozenset[str]) -> None:
        if isinstance(member, Place):
            self._keep(group)
            return
        inner = Group(member.name)
        group.parts.append(inner)
        self.fill(inner, member, later | member.starts if member.repeats else later)

    def _keep(self, group: Group) -> None:
        group.parts.append((self.at, self.segments[self.at]))
        self.at += 1

    def _misplaced(self, group: Group, name: str, *, again: bool) -> None:
        if not SEGMENT_NAME.fullmatch(name):
            self._tell(Misfit.NAMELESS, name[:20], group)
        elif again:
            self._tell(Misfit.REPEATED, name, group)
        elif not name.startswith("Z"):
            self._tell(Misfit.UNEXPECTED if name in self.known else Misfit.FOREIGN, name, group)
        self._keep(group)

    def _tell(self, misfit: Misfit, name: str, group: Group) -> None:
        if len(self.offences) < _MOST_OFFENCES:
            self.offences.append(Offence(misfit, name, self.at, group.name))


_MOST_OFFENCES = (
    1000  # a message that is this wrong is not worth a longer list, and a hostile one cannot fill the memory
)


def _barred(member: Place | GroupRule, item: Segment) -> bool:
    """Whether a further group may not begin with this segment, because its code says otherwise."""
    if isinstance(member, Place) or member.again is None:
        return False
    name, n, value = member.again
    return item.name == name and item.component(n) != value


def _first_name(member: Place | GroupRule) -> str:
    if isinstance(member, Place):
        return "/".join(member.names)
    return _first_name(next((inner for inner in member.members if inner.required), member.members[0]))


# --- reading the tables ---


@cache
def grammar(name: str) -> GroupRule:
    """The rule of a structure, from its table."""
    members = _members(_lines(GRAMMARS[name], 0))
    return _group(name, members, required=True, repeats=False)


def _lines(table: str, indent: int) -> list[tuple[int, str]]:
    lines = []
    for line in table.splitlines():
        text = line.strip()
        depth = indent + len(line) - len(line.lstrip())
        if text.startswith("="):
            lines += _lines(PARTS[text[1:]], depth)
        elif text:
            lines.append((depth, text))
    return lines


def _members(lines: list[tuple[int, str]]) -> tuple[Place | GroupRule, ...]:
    members: list[Place | GroupRule] = []
    at = 0
    while at < len(lines):
        depth, text = lines[at]
        end = at + 1
        while end < len(lines) and lines[end][0] > depth:
            end += 1
        if end > at + 1:
            members.append(_named_group(text, _members(lines[at + 1 : end])))
        else:
            members += [_place(token) for token in text.split()]
        at = end
    return tuple(members)


def _place(token: str) -> Place:
    names, required, repeats = _marked(token)
    return Place(tuple(names.split("/")), required, repeats, frozenset(names.split("/")))


def _named_group(text: str, members: tuple[Place | GroupRule, ...]) -> GroupRule:
    match = re.fullmatch(r"(\S+)(?: if ([A-Z0-9 ]+))?(?: again ([A-Z0-9]{3})-([0-9]+)=(\S+))?", text)
    if not match:
        raise Hl7Error(f"{text!r} is no line of a grammar table: NAME*, or NAME* if PID PV1, or NAME* again ORC-1=PR")
    token, only, segment, n, value = match.groups()
    name, required, repeats = _marked(token)
    made = _group(name, members, required=required, repeats=repeats)
    return replace(
        made,
        starts=frozenset(only.split()) if only else made.starts,
        again=(segment, int(n), value) if segment else None,
    )


def _marked(token: str) -> tuple[str, bool, bool]:
    name = token.rstrip("?*+")
    mark = token[len(name) :]
    return name, mark in ("", "+"), mark in ("*", "+")


def _group(name: str, members: tuple[Place | GroupRule, ...], *, required: bool, repeats: bool) -> GroupRule:
    starts: set[str] = set()
    for member in members:
        starts |= member.starts
        if member.required:
            break
    known = frozenset().union(*(member.known for member in members))
    return GroupRule(name, members, required, repeats, frozenset(starts), known=known)
