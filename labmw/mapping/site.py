"""Which mapping holds now, and what does it make of a driver? Laid over the driver as a value; where none may hold, its codes mean nothing.

What a laboratory has put under its own mapping never falls back to what the shipped driver thinks: as long as no signed version holds, these
codes are unknown, and their results go to quarantine. Decision 0052.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from labmw.driver.declaration import Driver, Test
from labmw.errors import MappingError
from labmw.mapping.read import load
from labmw.mapping.signature import Signature, four_eyes, read_signatures
from labmw.mapping.version import IGNORED, Version


@dataclass(frozen=True, slots=True)
class State:
    """What holds at one moment: a version, or a reason why none does (a phrase with its facts)."""

    version: Version | None = None
    code: str = ""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Mappings:
    """All that a laboratory has written, and who has signed it. Without a folder there is nothing, and drivers are as they are."""

    configured: bool = False
    versions: tuple[Version, ...] = ()
    signatures: tuple[Signature, ...] = ()
    broken: tuple[MappingError, ...] = ()
    _kept: dict[tuple[int, str, str], Driver] = field(default_factory=dict, compare=False)
    _states: dict[int, State] = field(default_factory=dict, compare=False)  # of this second

    def now(self, at: datetime) -> State:
        """What holds in the second of a moment: every result of a message asks, and the files do not change."""
        second = int(at.timestamp())
        found = self._states.get(second)
        if found is None:
            self._states.clear()
            found = self._states[second] = self.state(at)
        return found

    def state(self, at: datetime) -> State:
        """What holds at a moment: of the signed versions whose dates fit, the one that began last.

        Never an older one in the place of a newer one that was signed and is now altered, unreadable or gone.
        """
        if lost := self._lost():
            return lost
        current = sorted((one for one in self.versions if one.current(at)), key=lambda one: one.begins)
        signed = [one for one in current if four_eyes(one, self.signatures)]
        altered = [one for one in current if one not in signed and self._was_signed(one)]
        if altered and not (signed and altered[-1].begins < signed[-1].begins):
            return State(None, "mapping-altered", (("mapping", altered[-1].name), ("file", altered[-1].file)))
        if signed:
            latest = [one for one in signed if one.begins == signed[-1].begins]
            if len(latest) > 1:
                return State(None, "mapping-twice", (("versions", ", ".join(one.name for one in latest)),))
            return State(signed[-1])
        if current:
            return State(None, "mapping-unsigned", (("mapping", current[-1].name), ("file", current[-1].file)))
        return State(None, "mapping-none", ())

    def _lost(self) -> State | None:
        """A version that was signed and cannot be read any more, or is gone; None when none is missed."""
        there = {(one.id, one.version) for one in self.versions}
        missed = [one for one in self.signatures if (one.mapping, one.version) not in there]
        if self.broken and (missed or not self.signatures):
            return State(None, "mapping-broken", (("problem", str(self.broken[0])),))
        last = max((one.at for one in self.signatures if (one.mapping, one.version) in there), default=None)
        gone = [one for one in missed if last is None or one.at > last]
        if gone:
            return State(None, "mapping-gone", (("mapping", f"{gone[-1].mapping}@{gone[-1].version}"),))
        return None

    def _was_signed(self, one: Version) -> bool:
        """Whether this version was in force with another content: then the older one must not take its place in silence."""
        return any((s.mapping, s.version) == (one.id, one.version) and s.hash != one.hash for s in self.signatures)

    def classes(self, at: datetime) -> dict[str, str]:
        """By LOINC code, the class of tests that never leave without a person, as the catalogue says it.

        A class only tightens: what a signed version will say from a later day on holds already, and where none is in force, whatever any says.
        """
        version = self.now(at).version
        later = [one for one in self.versions if one.begins > at and four_eyes(one, self.signatures)]
        found: dict[str, str] = {}
        for one in (version, *later) if version else self.versions:
            found |= {
                loinc: kind for loinc, kind in one.classes.items() if found.get(loinc, "infection") == "infection"
            }
        return found

    def driver(self, driver: Driver, link: str, at: datetime) -> Driver:
        """A driver as this site uses it on a link at a moment; the same value for the same question."""
        if not self.configured or driver.name.startswith("any-"):
            return driver
        version = self.now(at).version
        key = id(driver), link, version.hash if version else ""
        found = self._kept.get(key)
        if found is None or found.name != driver.name:
            found = overlaid(driver, link, version) if version else self._without(driver, link)
            if len(self._kept) > 4096:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _without(self, driver: Driver, link: str) -> Driver:
        """A driver that knows nothing of what the mapping is about; nothing at all where that cannot be read."""
        named = {code for one in self.versions for code in one.codes_of(link, driver.name)}
        tests = {} if self.broken else {code: test for code, test in driver.tests.items() if code not in named}
        return replace(driver, tests=tests, mapping_version=f"{driver.mapping_version}+none")


def overlaid(driver: Driver, link: str, version: Version) -> Driver:
    """A driver with the codes and units of a version over its own."""
    tests, unreported = dict(driver.tests), set(driver.unreported)
    for code, one in version.codes_of(link, driver.name).items():
        if one.analyte == IGNORED:
            tests.pop(code, None)
            unreported.add(code)
            continue
        analyte = version.analytes[one.analyte]
        unit = one.unit or analyte.unit
        also = () if one.unit else analyte.also
        tests[code] = Test(analyte.loinc, unit, also, analyte.name or analyte.id, text=not unit, values=analyte.words)
        unreported.discard(code)
    return replace(
        driver,
        tests=tests,
        unreported=frozenset(unreported),
        units={**driver.units, **version.units},
        mapping_version=f"{driver.mapping_version}+{version.name}",
    )


def specimens_of(version: Version | None, link: str, driver: str, code: str) -> frozenset[str]:
    """On which kinds of tube the laboratory measures what this code stands for; empty where it does not say."""
    one = version.codes_of(link, driver).get(code) if version else None
    analyte = version.analytes.get(one.analyte) if version and one else None
    return frozenset(analyte.specimens) if analyte else frozenset()


def find(folder: str, signatures: str) -> Mappings:
    """Read every version of a folder; what cannot be read is told, and stops the codes it might have named."""
    if not folder:
        return Mappings()
    versions: list[Version] = []
    broken: list[MappingError] = []
    place = Path(folder)
    try:
        files: Sequence[Path] = sorted(
            path for path in place.iterdir() if path.suffix == ".toml" and path != Path(signatures)
        )
    except OSError as error:
        return Mappings(
            True, broken=(MappingError(f"{folder}: cannot be listed ({error.strerror}); correct [mapping] folder"),)
        )
    for file in files:
        try:
            versions.append(load(file))
        except MappingError as error:
            broken.append(error)
    try:
        signed = read_signatures(Path(signatures)) if signatures else ()
    except MappingError as error:
        return Mappings(True, tuple(versions), (), (error, *broken))
    return Mappings(True, tuple(versions), signed, tuple(broken))
