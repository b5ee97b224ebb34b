"""Which packs judge which test? Those signed as they are; a signed one that broke or changed holds what it would have judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rules.checks.finding import Limits
from rules.load import SHIPPED, Analyte, Broken, Pack, load, load_all
from rules.rule import Rule
from rules.signature import Signature
from rules.subject import Facts
from rules.vocabulary import Language


@dataclass(frozen=True, slots=True)
class Inactive:
    """A pack that does not judge, with the code and facts of the sentence that says why.

    `holds` are the tests it would have judged and that therefore no other pack may release: it was meant to be active.
    """

    pack: str
    code: str  # pack-unsigned, pack-altered, pack-broken, pack-twice or pack-missing
    facts: Facts
    holds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One rule as it applies to one LOINC code: nothing is looked up when a result comes."""

    name: str  # pack/rule
    rule: Rule
    limits: Limits
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that judges one LOINC code."""

    steps: tuple[Step, ...] = ()
    critical: tuple[Step, ...] = ()
    packs: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    numbers: bool = False  # some rule has release limits for it
    stopped: tuple[Inactive, ...] = ()


NOTHING = Plan()


@dataclass(frozen=True, slots=True)
class Packs:
    """The packs in force. Build with `Packs.of`."""

    active: tuple[Pack, ...] = ()
    inactive: tuple[Inactive, ...] = ()
    broken: tuple[Broken, ...] = ()
    language: Language = "fr"  # of the comments that go out with a result
    plans: Mapping[str, Plan] = field(default_factory=dict)
    signers: Mapping[str, str] = field(default_factory=dict)  # "id@version#hash" of an active pack: who answers for it

    @classmethod
    def of(
        cls,
        packs: Sequence[Pack],
        signatures: Sequence[Signature],
        broken: Sequence[Broken] = (),
        *,
        language: Language = "fr",
    ) -> Packs:
        """Return the packs that judge under these signatures, and why the others do not."""
        active: list[Pack] = []
        inactive: list[Inactive] = []
        for pack in packs:
            why = _why_not(pack, packs, signatures)
            if why is None:
                active.append(pack)
            else:
                inactive.append(why)
        signed = {one.pack for one in signatures}
        for one in broken:
            holds = one.loincs if one.pack in signed else frozenset[str]()
            inactive.append(Inactive(one.pack, "pack-broken", (("pack", one.pack), ("error", str(one.error))), holds))
        for name in sorted(signed - {pack.id for pack in packs} - {one.pack for one in broken}):
            inactive.append(Inactive(name, "pack-missing", (("pack", name),)))
        plans, signers = _plans(active, inactive), _signers(active, signatures)
        return cls(tuple(active), tuple(inactive), tuple(broken), language, plans, signers)

    @property
    def analytes(self) -> Mapping[str, Analyte]:
        """Every LOINC code that an active pack judges, with its names (the first pack's, where several do)."""
        found: dict[str, Analyte] = {}
        for pack in self.active:
            for analyte in pack.analytes.values():
                for loinc in analyte.loincs:
                    found.setdefault(loinc, analyte)
        return found

    def plan(self, loinc: str) -> Plan:
        """Return what judges one LOINC code; an empty plan when nothing does."""
        return self.plans.get(loinc, NOTHING)


def _why_not(pack: Pack, packs: Sequence[Pack], signatures: Sequence[Signature]) -> Inactive | None:
    own = [one for one in signatures if one.pack == pack.id]
    facts = (("pack", pack.id), ("version", pack.version), ("hash", pack.hash))
    if not own:
        return Inactive(pack.id, "pack-unsigned", facts)
    if sum(other.id == pack.id for other in packs) > 1:
        return Inactive(pack.id, "pack-twice", (*facts, ("file", pack.file)), pack.loincs)
    if any((one.hash, one.version) == (pack.hash, pack.version) for one in own):
        return None
    last = max(own, key=lambda one: one.at)
    told = (("signed", last.hash), ("who", last.who), ("at", last.at.isoformat()))
    return Inactive(pack.id, "pack-altered", (*facts, *told), pack.loincs)


def _signers(active: Sequence[Pack], signatures: Sequence[Signature]) -> dict[str, str]:
    """Return the newest signature under each active pack: the name that an automatic release stands under."""
    found: dict[str, str] = {}
    for one in sorted(signatures, key=lambda one: one.at):
        for pack in active:
            if (one.pack, one.version, one.hash) == (pack.id, pack.version, pack.hash):
                found[pack.name] = one.who
    return found


def _plans(active: Sequence[Pack], inactive: Sequence[Inactive]) -> dict[str, Plan]:
    loincs = {loinc for pack in active for loinc in pack.loincs} | {loinc for one in inactive for loinc in one.holds}
    return {loinc: _plan(loinc, active, inactive) for loinc in loincs}


def _plan(loinc: str, active: Sequence[Pack], inactive: Sequence[Inactive]) -> Plan:
    steps: list[Step] = []
    names: list[str] = []
    words: set[str] = set()
    for pack in active:
        analyte = next((one for one in pack.analytes.values() if loinc in one.loincs), None)
        if analyte is None:
            continue
        names.append(pack.name)
        words |= analyte.words
        limits = pack.limits.of(loinc)
        steps += [
            Step(f"{pack.id}/{rule.id}", rule, limits, analyte.words)
            for rule in pack.rules
            if analyte.alias in rule.analytes
        ]
    return Plan(
        tuple(steps),
        critical=tuple(step for step in steps if step.rule.check.name == "critical"),
        packs=tuple(names),
        words=frozenset(words),
        numbers=any(step.rule.check.name == "limit" for step in steps),
        stopped=tuple(one for one in inactive if loinc in one.holds),
    )


__all__ = ["SHIPPED", "Analyte", "Broken", "Inactive", "Pack", "Packs", "Plan", "Step", "load", "load_all"]
