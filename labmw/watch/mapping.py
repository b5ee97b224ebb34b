"""Can the site's mapping be used, and what holds now? As `labmw mapping check` and `labmw check` ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from labmw.clock import SYSTEM
from labmw.config import Config
from labmw.errors import MappingError
from labmw.line.registry import Registry
from labmw.mapping import site
from labmw.mapping.read import load
from labmw.mapping.signature import signers
from labmw.mapping.site import Mappings
from labmw.mapping.version import Version
from labmw.watch.finding import Finding, error, good, warning


def of_config(config: Config) -> Iterator[Finding]:
    """Every version of the configured folder, and what holds now."""
    found = site.find(config.mapping.folder, config.mapping.signatures)
    for problem in found.broken:
        yield error("mapping", "mapping-mistake", problem=problem)
    for version in found.versions:
        yield from _version(version, found, config)
    yield from verdict(found, SYSTEM.now())


def of_files(files: Sequence[Path], config: Config | None) -> Iterator[Finding]:
    """Some versions, whether or not they are in the folder."""
    nobody = Mappings(True)
    for file in files:
        try:
            version = load(file)
        except MappingError as problem:
            yield error(str(file), "mapping-mistake", problem=problem)
            continue
        signed = site.find(config.mapping.folder, config.mapping.signatures) if config else nobody
        yield from _version(version, signed, config)


def verdict(found: Mappings, at: datetime) -> Iterator[Finding]:
    """What holds at a moment, or why nothing does."""
    if not found.configured:
        yield good("mapping", "mapping-absent")
        return
    state = found.state(at)
    if state.version is None:
        yield error("mapping", state.code, **dict(state.facts))
        return
    who = ", ".join(one.who for one in signers(state.version, found.signatures))
    yield good("mapping", "mapping-in-force", mapping=state.version.name, who=who)


def _version(version: Version, found: Mappings, config: Config | None) -> Iterator[Finding]:
    who = ", ".join(one.who for one in signers(version, found.signatures)) or "–"
    yield good(
        "mapping",
        "mapping-good",
        mapping=version.name,
        analytes=len(version.analytes),
        codes=len(version.codes),
        units=len(version.units),
        begins=f"{version.begins:%Y-%m-%d %H:%M}",
        who=who,
    )
    folder = config.drivers.folder if config else ""
    drivers = Registry.find([folder] if folder else []).drivers
    links = {link.name for link in config.link} if config else None
    for one in version.codes:
        if one.driver and one.driver not in drivers:
            yield warning(
                "mapping", "mapping-stranger", mapping=version.name, test=one.code, what="driver", name=one.driver
            )
        if one.link and links is not None and one.link not in links:
            yield warning(
                "mapping", "mapping-stranger", mapping=version.name, test=one.code, what="link", name=one.link
            )
