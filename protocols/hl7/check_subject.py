"""What does a check look at, and how does it tell what it found? One message with its kind and its groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from protocols.hl7.check_fields import FieldRule, shown
from protocols.hl7.deviation import Deviation, Facts, Severity
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.grammar import SEGMENT_NAME, Tree, match, structure_of

REPLIES = frozenset({"ACK", "RSP^K11", "RSP^Z02", "ORL^O22", "ORL^O34", "ORL^O36", "ORR^O02"})


class Subject:
    """A message that is checked: its segments in order, its type, and its group tree when there is a grammar for it."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.segments: list[Segment] = message.segments
        self.kind = "ACK" if message.code == "ACK" else f"{message.code}^{message.trigger}"
        self.structure = structure_of(message)
        self.tree: Tree | None = match(message, self.structure) if self.structure else None
        self._index: list[int] = []
        count: dict[str, int] = {}
        for item in self.segments:
            count[item.name] = count.get(item.name, 0) + 1
            self._index.append(count[item.name])

    @property
    def reply(self) -> bool:
        """Whether the message answers another one."""
        return self.kind in REPLIES

    @property
    def refuses(self) -> bool:
        """Whether it is a reply that says AE or AR."""
        msa = self.message.first("MSA")
        return msa is not None and msa.component(1) in ("AE", "AR", "CE", "CR")

    def named(self, name: str) -> Iterator[tuple[int, Segment]]:
        """Every segment of this name with its place."""
        return ((place, item) for place, item in enumerate(self.segments) if item.name == name)

    def tell(
        self,
        place: int,
        field: int,
        rule: str,
        source: str,
        text_code: str,
        facts: Facts = (),
        severity: Severity = Severity.ERROR,
        component: int = 0,
    ) -> Deviation:
        """A deviation of the segment at this place, or of the line when it is none; the fact ``place`` is filled in."""
        name, index = self.segments[place].name, self._index[place]
        if not SEGMENT_NAME.fullmatch(name):
            name, index = "line", place + 1
        made = Deviation(name, index, field, rule, source, severity, text_code, (), place, component)
        return _with_place(made, facts)

    def absent(
        self, segment: str, rule: str, source: str, place: int, severity: Severity = Severity.ERROR
    ) -> Deviation:
        """A deviation because a segment is not there; it should stand after the one at this place."""
        made = Deviation(segment, 0, 0, rule, source, severity, "hl7-segment-absent", (), place)
        return _with_place(made, ())

    def apply(self, rules: tuple[FieldRule, ...]) -> Iterator[Deviation]:
        """What breaks these rules about fields."""
        wanted: dict[str, list[FieldRule]] = {}
        for item in rules:
            if "*" in item.messages or self.kind in item.messages:
                wanted.setdefault(item.place.segment, []).append(item)
        for place, segment in enumerate(self.segments):
            for item in wanted.get(segment.name, ()):
                complaint = item.test(segment, item.place.field, item.place.component)
                if complaint:
                    code, facts = complaint
                    yield self.tell(
                        place,
                        item.place.field,
                        item.name,
                        item.source,
                        code,
                        facts,
                        item.severity,
                        item.place.component,
                    )


def _with_place(made: Deviation, facts: Facts) -> Deviation:
    return replace(made, facts=(("place", made.where), *((name, shown(text)) for name, text in facts)))
