"""What may a rule ask to be done, beside holding a result? Measure again, dilute, add a test, comment, send elsewhere, call somebody.

What adds to the prescription (reflex, add-on) is done by itself only under a protocol that the responsible biologist has signed by name; without
one it is proposed to a person. Nothing here is carried out: the laboratory does that, once for each tube.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from labmw.model import Asked
from rules.analyte import Analytes
from rules.message import Message, read_message
from rules.strict import Table, nearest
from rules.vocabulary import is_loinc

PLAIN: Final = ("rerun", "comment", "call")
WITH_TARGET: Final = ("dilute", "reflex", "add-on", "route")
ADDING: Final = ("reflex", "add-on")
"""These change what was prescribed."""
MOST_DILUTION: Final = 1000


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its kind, and what it is about (a dilution, the LOINC code of a test, the name of an analyzer's link)."""

    kind: str
    target: str = ""
    name: Message | None = None  # of the test that is added


@dataclass(frozen=True, slots=True)
class Protocol:
    """An agreement between biologist and prescribers on tests that are added: what it is called, and where it is written down."""

    id: str
    title: Message
    source: str


Protocols = Mapping[str, Protocol]


def read_protocols(table: Table) -> dict[str, Protocol]:
    """Read [protocols]: each with its title and where it is written down."""
    if not table.has("protocols"):
        return {}
    outer = table.table("protocols", 'write [protocols.NAME] with title.en, title.fr and source = "..."')
    found: dict[str, Protocol] = {}
    for name in outer.names():
        inner = outer.table(name, "")
        title = read_message(inner, "title", frozenset())
        found[name] = Protocol(name, title, inner.text("source", "say where it is written down, and with whom agreed"))
        inner.done()
    outer.done()
    return found


def read_actions(table: Table, pack: Analytes) -> tuple[Action, ...]:
    """Read `action = ["rerun", "add-on:CA"]`."""
    return tuple(_action(table, text, pack) for text in table.texts("action", 'write action = ["rerun"]'))


def _action(table: Table, text: str, pack: Analytes) -> Action:
    kind, colon, target = text.partition(":")
    if kind in PLAIN and not colon:
        return Action(kind)
    if kind not in WITH_TARGET or not target.strip():
        known = ", ".join([*PLAIN, *(f"{one}:..." for one in WITH_TARGET)])
        raise table.refuse("action", f"{text!r} is no action", f"known are {known}")
    if kind in ADDING and is_loinc(target):  # a test that another pack judges
        return Action(kind, target)
    if kind in ADDING:
        if target not in pack:
            raise table.refuse(
                "action", f"{target!r} is neither an analyte of this pack nor a LOINC code", nearest(target, pack)
            )
        return Action(kind, pack[target].loincs[0], pack[target].name)
    if kind == "dilute":
        if not target.isascii() or not target.isdecimal() or not 2 <= int(target) <= MOST_DILUTION:
            raise table.refuse(
                "action", f"{target!r} is no dilution", f"write a whole number from 2 to {MOST_DILUTION}"
            )
        return Action(kind, str(int(target)))
    return Action(kind, target.strip())


def asked(action: Action, rule: str, pack: str, *, agreed: bool, protocol: str) -> Asked:
    """Return what a fired rule asks for; `agreed`: its protocol is signed, so that it may add to the prescription."""
    names = () if action.name is None else tuple((f"test_{language}", text) for language, text in action.name.items())
    return Asked(action.kind, action.target, rule, pack, agreed or action.kind not in ADDING, protocol, names)
