"""What is one version of a site's mapping? Values: analytes, codes of analyzers, units, from when until when, and the hash of all that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

IGNORED = "-"
"""The analyte of a code that is kept and shown, and never reported."""


@dataclass(frozen=True, slots=True)
class Analyte:
    """One line of the catalogue: what the laboratory measures, under its own name."""

    id: str
    name: str
    loinc: str
    unit: str = ""  # UCUM; "" for words
    also: tuple[str, ...] = ()  # further UCUM units that the LOINC code allows
    words: tuple[str, ...] = ()  # what may come instead of a number
    decimals: int | None = None  # how many the laboratory prints; labmw rounds nothing
    specimens: tuple[str, ...] = ()  # kinds of tube it is measured on; () = not compared
    kind: str = ""  # a class of tests that never leave without a person (rules.reserved)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code of an analyzer means here: on one link, or wherever this driver reads. `unit` where it differs from the catalogue's."""

    code: str
    analyte: str
    driver: str = ""
    link: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One version, whole and checked."""

    id: str
    version: str
    author: str
    begins: datetime
    ends: datetime | None
    analytes: Mapping[str, Analyte]
    codes: tuple[Code, ...]
    units: Mapping[str, str]  # as analyzers of this site write them: UCUM
    file: str = ""
    hash: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """As results bear it: id@version#the first twelve digits of its hash."""
        return f"{self.id}@{self.version}#{self.hash.removeprefix('sha256:')[:12]}"

    @property
    def classes(self) -> dict[str, str]:
        """The LOINC codes that are of a class that never leaves without a person; of two lines about one code, not "infection"."""
        found: dict[str, str] = {}
        for one in self.analytes.values():
            if one.kind and found.get(one.loinc, "infection") == "infection":
                found[one.loinc] = one.kind
        return found

    def current(self, at: datetime) -> bool:
        """Whether its dates hold at a moment."""
        return self.begins <= at and (self.ends is None or at < self.ends)

    def codes_of(self, link: str, driver: str) -> dict[str, Code]:
        """What each code means on a link with a driver: what is said of the link goes before what is said of the driver."""
        found = {one.code: one for one in self.codes if not one.link and one.driver == driver}
        found.update({one.code: one for one in self.codes if one.link == link and one.driver in ("", driver)})
        return found


def digest(one: Version) -> str:
    """The hash of what a version says, not of how it is typed: comments, the order of lines and the format of the file do not count."""
    said = {
        "id": one.id,
        "version": one.version,
        "author": one.author,
        "begins": one.begins.timestamp(),
        "ends": one.ends.timestamp() if one.ends else None,
        "units": dict(one.units),
        "analytes": {
            # What says no class has the hash that it had before there were classes.
            key: [a.name, a.loinc, a.unit, a.also, a.words, a.decimals, a.specimens, *([a.kind] if a.kind else [])]
            for key, a in one.analytes.items()
        },
        "codes": sorted([c.driver, c.link, c.code, c.analyte, c.unit] for c in one.codes),
    }
    text = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
