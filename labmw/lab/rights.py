"""Who may do what? The role table of the configuration: a person without a role that may is refused, and so is everybody when there is no table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from labmw.errors import LabmwError

ACTS: Final = (
    "technical",  # say that a measurement is sound
    "biological",  # say that a result may be used for the patient
    "hold",
    "reject",
    "rerun",
    "comment",
    "withdraw",
    "call",  # document a call to the prescriber
    "recall",  # close an entry of the recall list
    "stop",
    "resume",
    "qc",  # say how quality control is done: materials, targets, plans, derogations, calibrations, reagents, averages
    "rules",  # review, approve and put in force packs, retire them, keep the roster
    "accept",  # accept the analyzer that a line has now
    "mapping",  # sign the laboratory's own codes, catalogue and units
    "quarantine",  # say whose a result is, have it read again, put it away
    "deliver",  # send a message again, elsewhere, or not at all
    "order",  # take an order of an analyzer back or give it again; type orders while the LIS is away
    "retention",  # keep, or destroy, what a patient has here
)
"""What a role may be allowed. Technical and biological validation are two: whoever has one does not have the other by it."""


class Undecidable(LabmwError):
    """A decision that cannot be carried out: a code of the catalogue and its facts."""

    def __init__(self, code: str, **facts: object) -> None:
        self.code, self.facts = code, facts
        super().__init__(f"{code} {facts}")


@dataclass(frozen=True, slots=True)
class Role:
    """What the people of one role may do."""

    name: str
    may: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rights:
    """The role table."""

    roles: tuple[Role, ...] = field(default=())

    @classmethod
    def of(cls, table: Mapping[str, tuple[list[str], list[str]]]) -> Rights:
        """Build it from names: role -> (acts, people)."""
        return cls(tuple(Role(name, frozenset(may), frozenset(people)) for name, (may, people) in table.items()))

    def may(self, who: str, act: str) -> bool:
        """Whether a person has a role that may."""
        return any(act in role.may and who in role.people for role in self.roles)

    def require(self, who: str, act: str, *or_else: str) -> str:
        """Return the role by which a person may do one of these; raises Undecidable, which names the first."""
        acts = {act, *or_else}
        found = next((role.name for role in self.roles if acts & role.may and who in role.people), None)
        if found is None:
            able = sorted({role.name for role in self.roles if acts & role.may})
            code = "rights-refused" if able else "rights-unwritten" if self.roles else "rights-nobody"
            raise Undecidable(code, who=who, act=act, key=act, roles=", ".join(able))
        return found
