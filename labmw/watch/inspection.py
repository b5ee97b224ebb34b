"""Can labmw run with this configuration? Everything that can be known without opening a line: file, store, drivers, packs, addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labmw.clock import SYSTEM
from labmw.config import Config, Link, address, content_of, load
from labmw.driver.order_writing import dialect_of
from labmw.errors import ConfigError, DriverError, PackError, StoreError
from labmw.lab.shadowing import Shadow
from labmw.lab.work_link import asking_of
from labmw.line.registry import Registry, reads
from labmw.mapping.site import find
from labmw.store import is_postgresql, place_of, require, revision_of, sqlite_file
from labmw.watch.archive import archive
from labmw.watch.certificates import certificates
from labmw.watch.finding import Finding, error, good, warning
from labmw.watch.keys import keys
from labmw.watch.mapping import of_config
from labmw.watch.packages import installed
from labmw.watch.partner_check import partners_checked
from protocols.astm.tolerance import Tolerances
from protocols.errors import SettingError
from protocols.plain.links import LINKS
from protocols.plain.tolerance import PLAIN
from rules.archive import kept
from rules.pack import SHIPPED, Packs, load_all, signed
from rules.signature import Signature, read_signatures

PRIVILEGED = 1024  # ports below it need a privilege that a daemon should not have


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found; `config` is None when the file cannot be used."""

    config: Config | None
    findings: tuple[Finding, ...]


def inspect(file: Path) -> Inspection:
    """Look at everything a configuration names; never raises for what is wrong with it."""
    found = installed()
    try:
        config = load(file)
    except ConfigError as problem:
        wrong = error(problem.key or str(file), problem.code, **problem.facts)
        return Inspection(None, (*found, wrong))
    found.append(good("configuration", "check-config-good", file=file, links=len(config.link)))
    found += _store(config)
    registry = Registry.find([config.drivers.folder] if config.drivers.folder else [])
    found += drivers(registry)
    found += packs(config)
    if config.mapping.folder:
        found += of_config(config)
    for index, link in enumerate(config.link):
        found += _link(str(file), f"link[{index}] ({link.name})", link, registry)
    found += certificates(config, SYSTEM.now())
    found += partners_checked(config, SYSTEM.now())
    found += _places(str(file), config)
    return Inspection(config, tuple(found))


def _store(config: Config) -> Iterator[Finding]:
    url = config.store.url
    try:
        if revision_of(url) is not None:
            require(url)
            yield good("store", "check-store-good", file=place_of(url))
            yield from keys(config)
            yield from archive(config, SYSTEM.now())
        elif is_postgresql(url) or sqlite_file(url).parent.exists():
            yield good("store", "check-store-absent", file=place_of(url))
        else:
            yield warning("store.url", "check-store-folder", folder=sqlite_file(url).parent)
    except StoreError as problem:
        yield error("store.url", "check-store", problem=problem)


def drivers(registry: Registry) -> Iterator[Finding]:
    """Say which driver files cannot be used, and which shipped ones are replaced."""
    for file, problem in registry.broken.items():
        yield error(Path(file).name, "check-driver", problem=problem)
    for name, file in registry.replaced.items():
        yield warning(name, "check-driver-replaced", driver=name, file=file)
    if not registry.broken:
        yield good("drivers", "check-drivers-good", count=len(registry.drivers))


def packs(config: Config) -> Iterator[Finding]:
    """Say which rule packs judge, and why the others do not."""
    active, problem = packs_of(config)
    if problem is not None:
        yield error("rules.signatures", "check-signatures", problem=problem)
    for one in active.inactive:
        weigh = warning if one.code in ("pack-unsigned", "pack-waits", "pack-retired") else error
        yield weigh(one.pack, one.code, **dict(one.facts))
    today = SYSTEM.now().date()
    for pack in active.active:
        if pack.review_by is not None and pack.review_by < today:
            yield warning(
                pack.id, "pack-review-due", pack=pack.id, version=pack.version, day=pack.review_by.isoformat()
            )
    for refused in shadows_of(config, active)[1]:
        yield warning("rules.shadow", "check-shadow", problem=refused)
    if active.active:
        yield good("rules", "check-packs-good", packs=", ".join(pack.name for pack in active.active))
    elif config.rules.packs:
        yield warning("rules", "check-packs-none-active")
    else:
        yield warning("rules.packs", "check-packs-none")


def packs_of(config: Config) -> tuple[Packs, PackError | None]:
    """Load the packs that a configuration names; with signatures that cannot be read, none is in force."""
    paths = [Path(pack) if "/" in pack else SHIPPED / pack for pack in config.rules.packs]
    found, broken = load_all(paths)
    signatures: tuple[Signature, ...] = ()
    problem: PackError | None = None
    if config.rules.signatures:
        try:
            signatures = read_signatures(Path(config.rules.signatures))
        except PackError as unreadable:
            problem = unreadable
    versions, _ = kept(in_force(config))
    now = SYSTEM.now()
    classes = find(config.mapping.folder, config.mapping.signatures).classes(now)
    language = config.site.language
    return Packs.of(found, signatures, broken, language=language, kept=versions, now=now, classes=classes), problem


def shadows_of(config: Config, packs: Packs) -> tuple[tuple[Shadow, ...], tuple[PackError, ...]]:
    """The packs that are only watched, each as if it were in force in the place of its own id; and why others cannot be."""
    found, broken = load_all([Path(pack) if "/" in pack else SHIPPED / pack for pack in config.rules.shadow])
    shadows = []
    for pack in found:
        together = [*(one for one in packs.active if one.id != pack.id), pack]
        signatures = [signed(one, who="shadow", at=SYSTEM.now(), reason="shadow") for one in together]
        alone = Packs.of(together, signatures, language=config.site.language, classes=packs.classes)
        shadows.append(Shadow(pack.name, pack.loincs, alone))
    return tuple(shadows), tuple(one.error for one in broken)


def in_force(config: Config) -> Path:
    """Where versions are kept as they were when they were activated: beside the signatures."""
    return Path(config.rules.signatures).parent / "in-force" if config.rules.signatures else Path("in-force-nowhere")


def _link(file: str, key: str, link: Link, registry: Registry) -> Iterator[Finding]:
    if link.driver != "auto":
        try:
            driver = registry.named(link.driver)
            if not reads(driver, content_of(link)):
                raise DriverError(
                    f"driver {driver.name!r} reads {driver.protocol} and the link speaks {link.protocol}; correct link.driver or link.protocol"
                )
            if link.work and link.protocol == "hl7":
                asking_of(driver)
            elif link.work:
                dialect_of(driver, push=link.work == "push")
        except DriverError as problem:
            yield error(f"{key}.driver", "check-key", file=file, key=f"{key}.driver", problem=problem)
    for place, name in link.senders.items():
        try:
            if not reads(registry.named(name), content_of(link)):
                raise DriverError(f"driver {name!r} does not read {link.protocol}; correct link.senders")
        except DriverError as problem:
            yield error(f"{key}.senders.{place}", "check-key", file=file, key=f"{key}.senders", problem=problem)
    try:
        if (plain := LINKS.get(link.protocol)) is not None:
            PLAIN.changed(link.tolerances, plain.uses, plain.name)
        else:
            Tolerances.from_mapping(link.tolerances)
    except SettingError as problem:
        yield error(f"{key}.tolerances", "check-key", file=file, key=f"{key}.tolerances", problem=problem)
    if link.serial and "://" not in link.serial.device and not Path(link.serial.device).exists():
        yield warning(f"{key}.serial.device", "check-device", device=link.serial.device, link=link.name)


def _places(file: str, config: Config) -> Iterator[Finding]:
    """Look at every address: two listeners on one, privileged ports, names that nobody knows."""
    listening: dict[int, tuple[str, str]] = {}
    ours = [
        (f"link[{index}] ({link.name}).listen", link.listen) for index, link in enumerate(config.link) if link.listen
    ]
    ours += [(f"partners ({one.name}).listen", one.listen) for one in config.partners if one.listen]
    if config.web.enabled:
        ours.append(("web.port", f"{config.web.host}:{config.web.port}"))
    for key, place in ours:
        host, port = address(file, key, place)
        other = listening.get(port)
        if port and other is not None and (host == other[1] or {host, other[1]} & {"0.0.0.0", "::", ""}):  # noqa: S104 - compared, not bound
            yield error(key, "check-listen-twice", file=file, key=key, other=other[0], address=place)
        listening.setdefault(port, (key, host))
        if 0 < port < PRIVILEGED:
            yield warning(key, "check-port-privileged", key=key, port=port)
        yield from _resolves(key, host)
    theirs = [
        (f"link[{index}] ({link.name}).connect", link.connect) for index, link in enumerate(config.link) if link.connect
    ]
    for one in config.partners:
        place = one.files.sftp.connect if one.files and one.files.sftp else one.connect
        if place:
            theirs.append((f"partners ({one.name}).connect", place))
    if config.lis:
        theirs.append(("lis.connect", config.lis.connect))
    else:
        yield warning("lis", "check-no-lis")
    for key, place in theirs:
        yield from _resolves(key, address(file, key, place)[0])


def _resolves(key: str, host: str) -> Iterator[Finding]:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as problem:
        yield warning(key, "check-host", key=key, host=host, problem=problem)
