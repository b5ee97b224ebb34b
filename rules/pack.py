"""Which packs judge which test? Those signed as they are; a signed one that broke or changed holds what it would have judged.

Where the version in force was kept when it was activated, it goes on judging instead: a new version that is refused, or waits for its day,
stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from labmw.model import VerdictLevel
from rules.analyte import Analyte
from rules.checks.finding import Limits
from rules.load import SHIPPED, Broken, Pack, load, load_all
from rules.reserved import class_of
from rules.rule import Rule
from rules.signature import Signature
from rules.subject import Facts, Scope
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
    pack: str = ""  # id@version#hash
    agreed: bool = False  # the protocol of its rule is signed


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that judges one LOINC code."""

    steps: tuple[Step, ...] = ()
    critical: tuple[Step, ...] = ()
    packs: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    numbers: bool = False  # some rule has release limits for it
    reconciles: bool = False  # some rule compares its runs
    stopped: tuple[Inactive, ...] = ()
    reserved: str = ""  # the class of tests that never leave without a person, unless a signature excepts this one


NOTHING = Plan()


@dataclass(frozen=True, slots=True)
class Packs:
    """The packs in force. Build with `Packs.of`."""

    active: tuple[Pack, ...] = ()
    inactive: tuple[Inactive, ...] = ()
    broken: tuple[Broken, ...] = ()
    language: Language = "fr"  # of the comments that go out with a result
    plans: Mapping[str, Plan] = field(default_factory=dict)
    excepted: frozenset[str] = frozenset()  # LOINC codes that a signature excepts
    signers: Mapping[str, str] = field(default_factory=dict)  # "id@version#hash" of an active pack: who answers for it
    versions: Mapping[str, Pack] = field(
        default_factory=dict
    )  # by the same name: what is in force, and what was and is kept
    signatures: tuple[Signature, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)  # of LOINC codes, as the site's catalogue says

    @classmethod
    def of(
        cls,
        packs: Sequence[Pack],
        signatures: Sequence[Signature],
        broken: Sequence[Broken] = (),
        *,
        language: Language = "fr",
        kept: Sequence[Pack] = (),
        now: datetime | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> Packs:
        """Return the packs that judge under these signatures, and why the others do not.

        `kept` are versions as they were when they were activated; `now` decides which signatures hold already (when not given, all).
        `classes` are those that the site's catalogue gives to LOINC codes (rules.reserved).
        """
        classes = classes or {}
        signatures = [
            one for one in signatures if one.step in ("active", "retired") and (now is None or one.since <= now)
        ]
        last = _last(signatures)
        before = {pack.id: pack for pack in kept if pack.id in last and _is(last[pack.id], pack)}
        active: list[Pack] = []
        stopped: list[Pack] = []
        inactive: list[Inactive] = []
        for pack in packs:
            why = _why_not(pack, packs, signatures, last)
            if why is None:
                active.append(pack)
                continue
            if why.code == "pack-altered" and pack.id in before:
                instead = before[pack.id]
                active.append(instead)
                facts = (("pack", pack.id), ("version", pack.version), ("hash", pack.hash), ("active", instead.version))
                inactive.append(Inactive(pack.id, "pack-waits", facts))
                continue
            inactive.append(why)
            if why.holds:
                stopped.append(pack)
        in_force = {name for name, one in last.items() if one.step == "active"}
        missing = in_force - {pack.id for pack in packs} - {one.pack for one in broken}
        for one in broken:
            # A pack so broken that its name is gone may be any of the missing ones.
            if one.pack in before and last[one.pack].step == "active":
                active.append(before[one.pack])
                refused = (("pack", one.pack), ("error", str(one.error)), ("active", before[one.pack].version))
                inactive.append(Inactive(one.pack, "pack-refused", refused))
                continue
            meant = (one.pack in last and last[one.pack].step == "active") or missing
            holds = one.loincs | _tests(last, one.pack) if meant else frozenset[str]()
            inactive.append(Inactive(one.pack, "pack-broken", (("pack", one.pack), ("error", str(one.error))), holds))
        for name in sorted(missing):
            inactive.append(Inactive(name, "pack-missing", (("pack", name),), _tests(last, name)))
        valid = {pack.name: _under(pack, signatures)[-1] for pack in active}
        signers = {name: _named(one) for name, one in valid.items()}
        excepted = frozenset(loinc for pack in active for loinc in valid[pack.name].exceptions if loinc in pack.loincs)
        agreed = {name: frozenset(one.protocols) for name, one in valid.items()}
        plans = _plans(active, stopped, inactive, excepted, agreed, classes)
        versions = {pack.name: pack for pack in (*kept, *active)}
        return cls(
            tuple(active),
            tuple(inactive),
            tuple(broken),
            language,
            plans,
            excepted,
            signers,
            versions,
            tuple(signatures),
            classes,
        )

    def former(self, names: Sequence[str]) -> Packs | None:
        """Return these versions as they judged when they were in force; None where one of them was not kept."""
        if not all(name in self.versions for name in names):
            return None
        packs = [self.versions[name] for name in names]
        under = [one for one in self.signatures if any(one.pack == pack.id and _is(one, pack) for pack in packs)]
        return Packs.of(packs, under, language=self.language, classes=self.classes)

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
        found = self.plans.get(loinc)
        return NOTHING if found is None else found


def signed(pack: Pack, *, who: str, at: datetime, reason: str, role: str = "biologist") -> Signature:
    """Return the signature of a person under a pack exactly as it is."""
    return Signature(pack.id, pack.version, pack.hash, who, role, at, reason, tuple(sorted(pack.loincs)))


def _named(signature: Signature) -> str:
    return f"{signature.who}, {signature.second}" if signature.second else signature.who


def _is(signature: Signature, pack: Pack) -> bool:
    return signature.step == "active" and (signature.hash, signature.version) == (pack.hash, pack.version)


def _last(signatures: Sequence[Signature]) -> dict[str, Signature]:
    """Return the newest signature of each pack that holds already."""
    return {one.pack: one for one in sorted(signatures, key=lambda one: (one.since, one.at))}


def _under(pack: Pack, signatures: Sequence[Signature]) -> list[Signature]:
    """Return the signatures under exactly this content, oldest first."""
    own = [one for one in signatures if one.pack == pack.id and _is(one, pack)]
    return sorted(own, key=lambda one: (one.since, one.at))


def _tests(last: Mapping[str, Signature], pack: str) -> frozenset[str]:
    return frozenset(last[pack].tests) if pack in last else frozenset()


def _why_not(
    pack: Pack, packs: Sequence[Pack], signatures: Sequence[Signature], last: Mapping[str, Signature]
) -> Inactive | None:
    facts = (("pack", pack.id), ("version", pack.version), ("hash", pack.hash))
    if pack.id not in last:
        return Inactive(pack.id, "pack-unsigned", facts)
    if last[pack.id].step == "retired":
        told = (("who", last[pack.id].who), ("at", last[pack.id].since.isoformat()), ("why", last[pack.id].reason))
        return Inactive(pack.id, "pack-retired", (*facts, *told))
    holds = pack.loincs | _tests(last, pack.id)
    if sum(other.id == pack.id for other in packs) > 1:
        return Inactive(pack.id, "pack-twice", (*facts, ("file", pack.file)), holds)
    if _under(pack, signatures):
        return None
    newest = last[pack.id]
    told = (("signed", newest.hash), ("who", newest.who), ("at", newest.at.isoformat()))
    return Inactive(pack.id, "pack-altered", (*facts, *told), holds)


def _plans(
    active: Sequence[Pack],
    stopped: Sequence[Pack],
    inactive: Sequence[Inactive],
    excepted: frozenset[str],
    agreed: Mapping[str, frozenset[str]],
    classes: Mapping[str, str],
) -> dict[str, Plan]:
    loincs = {loinc for pack in active for loinc in pack.loincs} | {loinc for one in inactive for loinc in one.holds}
    return {
        loinc: _plan(loinc, active, stopped, inactive, excepted, agreed, classes.get(loinc, "")) for loinc in loincs
    }


def _plan(
    loinc: str,
    active: Sequence[Pack],
    stopped: Sequence[Pack],
    inactive: Sequence[Inactive],
    excepted: frozenset[str],
    agreed: Mapping[str, frozenset[str]],
    kind: str,
) -> Plan:
    judging = [(pack, analyte) for pack in active if (analyte := _analyte(pack, loinc)) is not None]
    steps = [
        step for pack, analyte in judging for step in _steps(pack, analyte, loinc, agreed.get(pack.name, frozenset()))
    ]
    said = [analyte.kind for _, analyte in judging]
    # A stopped pack releases nothing, but its critical limits still call somebody: an alert too many is the safe side.
    alarming = [
        step
        for pack in stopped
        if (analyte := _analyte(pack, loinc)) is not None
        for step in _steps(pack, analyte, loinc, frozenset())
    ]
    return Plan(
        tuple(steps),
        critical=tuple(step for step in (*steps, *alarming) if step.rule.check.name == "critical"),
        packs=tuple(pack.name for pack, _ in judging),
        words=frozenset(word for _, analyte in judging for word in analyte.words),
        numbers=any(step.rule.check.name == "limit" for step in steps),
        reconciles=any(_reconciles(step.rule) for step in steps),
        stopped=tuple(one for one in inactive if loinc in one.holds),
        reserved="" if loinc in excepted else class_of(loinc, kind, *said),
    )


def _reconciles(rule: Rule) -> bool:
    """A rule may stand for the person only where it holds for all analyzers and wards, and holding what it cannot compare."""
    strict = rule.verdict >= VerdictLevel.HOLD and rule.if_missing >= VerdictLevel.HOLD
    return rule.check.name == "rerun" and strict and rule.scope == Scope() and not rule.exemptions


def _analyte(pack: Pack, loinc: str) -> Analyte | None:
    return next((one for one in pack.analytes.values() if loinc in one.loincs), None)


def _steps(pack: Pack, analyte: Analyte, loinc: str, agreed: frozenset[str]) -> list[Step]:
    limits = pack.limits.of(loinc)
    return [
        Step(
            f"{pack.id}/{rule.id}",
            rule,
            limits,
            analyte.words,
            pack.name,
            bool(rule.protocol) and rule.protocol in agreed,
        )
        for rule in pack.rules
        if analyte.alias in rule.analytes
    ]


__all__ = ["SHIPPED", "Analyte", "Broken", "Inactive", "Pack", "Packs", "Plan", "Step", "load", "load_all", "signed"]
