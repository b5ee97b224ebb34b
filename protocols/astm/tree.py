"""Which patient does an order belong to, which order a result, and which record a comment?

Levels are those of LIS02-A2 §4.1. A comment or manufacturer record belongs to the record with a level that stands
before it. What breaks the hierarchy is kept where it comes nearest and told in `problems`; nothing is refused here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocols.astm.record import Record
from protocols.astm.records import FIELDS


@dataclass(slots=True)
class Node:
    """A record with the comment and manufacturer records that belong to it; no record where the sender left it out."""

    record: Record | None
    comments: list[Record] = field(default_factory=list)
    manufacturer: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class ResultNode(Node):
    """R with what belongs to it."""


@dataclass(slots=True)
class OrderNode(Node):
    """O with what belongs to it, and its results."""

    results: list[ResultNode] = field(default_factory=list)


@dataclass(slots=True)
class PatientNode(Node):
    """P with what belongs to it, and its orders."""

    orders: list[OrderNode] = field(default_factory=list)


@dataclass(slots=True)
class Tree:
    """A message by levels."""

    header: Node
    patients: list[PatientNode] = field(default_factory=list)
    queries: list[Node] = field(default_factory=list)
    scientific: list[Node] = field(default_factory=list)
    terminator: Record | None = None
    unknown: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def grow(records: Iterable[Record]) -> Tree:
    """The tree of one message's records."""
    tree = Tree(Node(None))
    latest: Node = tree.header
    patient: PatientNode | None = None
    order: OrderNode | None = None
    for place, record in enumerate(records, 1):
        kind = record.type
        if tree.terminator is not None:
            tree.problems.append(f"record {place} ({kind}) follows the terminator")
        if kind == "H":
            latest = tree.header = Node(record)
        elif kind == "P":
            latest = patient = PatientNode(record)
            order = None
            tree.patients.append(patient)
        elif kind == "O":
            if patient is None:
                tree.problems.append(f"record {place}: O without a P before it")
                patient = PatientNode(None)
                tree.patients.append(patient)
            latest = order = OrderNode(record)
            patient.orders.append(order)
        elif kind == "R":
            if order is None:
                tree.problems.append(f"record {place}: R without an O before it")
                if patient is None:
                    patient = PatientNode(None)
                    tree.patients.append(patient)
                order = OrderNode(None)
                patient.orders.append(order)
            result = ResultNode(record)
            order.results.append(result)
            latest = result
        elif kind == "C":
            latest.comments.append(record)
        elif kind == "M":
            latest.manufacturer.append(record)
        elif kind in ("Q", "S"):
            latest = Node(record)
            patient = order = None
            (tree.queries if kind == "Q" else tree.scientific).append(latest)
        elif kind == "L":
            tree.terminator = record
        else:
            tree.unknown.append(record)
            tree.problems.append(f"record {place}: unknown type {kind[:20]!r}, expected one of {' '.join(FIELDS)}")
    return tree
