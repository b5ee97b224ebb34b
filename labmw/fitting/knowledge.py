"""What does the laboratory know of analyzers, codes and rules? Its drivers, its mapping and its packs; what of them cannot be used is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog

from labmw.clock import Clock
from labmw.config import Config
from labmw.errors import PackError
from labmw.lab.shadowing import Shadow
from labmw.line.registry import Registry
from labmw.mapping import site as mapping_site
from labmw.watch.inspection import packs_of, shadows_of
from labmw.watch.packs_watch import falls_due, mark
from rules.pack import Packs

log = structlog.get_logger("labmw.app")

PACKS_EVERY = 2.0  # seconds between looks at the files of rule packs


@dataclass(slots=True)
class Knowledge:
    """What was read of them last. `unreadable`: why no signature of a pack could be read."""

    config: Config
    registry: Registry
    packs: Packs
    mappings: mapping_site.Mappings
    shadows: tuple[Shadow, ...]
    unreadable: PackError | None

    @staticmethod
    def read(config: Config) -> Knowledge:
        """Read drivers, mapping and packs from where the configuration says; what is broken stands in what is returned."""
        registry = Registry.find([Path(config.drivers.folder)] if config.drivers.folder else [])
        packs, unreadable = packs_of(config)
        mappings = mapping_site.find(config.mapping.folder, config.mapping.signatures)
        shadows, _ = shadows_of(config, packs)
        return Knowledge(config, registry, packs, mappings, shadows, unreadable)

    def tell(self, clock: Clock) -> None:
        """Log what cannot be used, and what is in force."""
        self._tell_drivers()
        if self.unreadable is not None:
            log.error("signatures cannot be read: no pack judges, everything is held", why=str(self.unreadable))
        self._tell_packs()
        self._tell_mapping(clock)

    def _tell_drivers(self) -> None:
        for file, error in self.registry.broken.items():
            log.error("driver file cannot be used", file=str(file), why=str(error))
        for name, file in self.registry.replaced.items():
            log.warning("the laboratory's own driver replaces the shipped one", driver=name, file=str(file))

    def _tell_mapping(self, clock: Clock) -> None:
        for error in self.mappings.broken:
            log.error("a version of the mapping cannot be used", why=str(error))
        state = self.mappings.state(clock.now())
        if state.version is not None:
            log.info("mapping in force", mapping=state.version.name)
        elif self.mappings.configured:
            log.error("no mapping is in force: the codes it names go to quarantine", why=state.code)

    def _tell_packs(self) -> None:
        for broken in self.packs.broken:
            log.error(
                "rule pack cannot be used; what it would have judged is held", pack=broken.pack, why=str(broken.error)
            )
        for one in self.packs.inactive:
            log.warning("rule pack does not judge", pack=one.pack, why=one.code)

    async def watch(self, clock: Clock) -> None:
        """Read the rule packs again when their files or signatures change, or a signature begins to hold: stopping must work at once."""
        known, at = await asyncio.to_thread(mark, self.config), clock.now()
        while True:
            await asyncio.sleep(PACKS_EVERY)
            seen, now = await asyncio.to_thread(mark, self.config), clock.now()
            if seen == known and not await asyncio.to_thread(falls_due, self.config, at, now):
                at = now
                continue
            packs, unreadable = await asyncio.to_thread(packs_of, self.config)
            known, at = seen, now
            if unreadable is not None:
                log.error("the signatures cannot be read; the packs in force stay in force", why=str(unreadable))
                continue
            self.packs = packs
            self.shadows, _ = await asyncio.to_thread(shadows_of, self.config, packs)
            log.info("rule packs were read again", active=[pack.name for pack in packs.active])
            self._tell_packs()
