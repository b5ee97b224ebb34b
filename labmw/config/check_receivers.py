"""Can the LIS and everybody else who gets results, or tests to do, be told apart and reached as the configuration says?"""

from __future__ import annotations

from collections.abc import Iterable

from labmw.config.check_link import check_not_hl7
from labmw.config.link import Link
from labmw.config.lis import Lis
from labmw.config.values import address, check_allowed, check_encoding, check_loinc
from labmw.config.whole import Config
from labmw.dialect import DIALECTS
from labmw.errors import ConfigError
from labmw.partner import check as check_partners
from labmw.tls import settings as tls_settings


def check_receivers(file: str, config: Config) -> None:
    """Check the LIS, the partners, and further receivers; raises ConfigError."""
    _check_files(file, config)
    _check_destinations(file, config)
    if config.lis:
        _check_lis(file, config.lis, config.link)
    _check_partners(file, config)


def _check_files(file: str, config: Config) -> None:
    seen = {link.name for link in config.link}
    for index, drop in enumerate(config.files):
        key = f"files[{index}] ({drop.name})"
        if not drop.name.strip() or not drop.name.isprintable() or not drop.folder:
            raise ConfigError(file, key, "has no name or no folder", "give it both", "config-folder")
        if drop.name in seen or (config.lis and drop.name in (config.lis.name, config.lis.feed)):
            raise ConfigError(
                file,
                f"{key}.name",
                "is used by another link or destination",
                "give each its own name",
                "config-name-used",
            )
        seen.add(drop.name)


def _check_lis(file: str, lis: Lis, links: Iterable[Link]) -> None:
    address(file, "lis.connect", lis.connect)
    if not lis.connect.endswith(":0") and lis.connect in {lis.listen, *(link.listen for link in links)}:
        raise ConfigError(
            file,
            "lis.connect",
            f"{lis.connect} is a port of labmw itself",
            "name the LIS's address",
            "config-lis-ourselves",
            found=lis.connect,
        )
    for name in (lis.name, lis.feed):
        if name in {link.name for link in links}:
            raise ConfigError(
                file,
                "lis.name",
                f"{name!r} is the name of a link",
                "give the LIS a name of its own",
                "config-lis-name",
                found=name,
            )
    if lis.dialect not in DIALECTS:
        raise ConfigError(
            file,
            "lis.dialect",
            f"there is no dialect {lis.dialect!r}",
            f"use one of {', '.join(DIALECTS)}",
            "config-dialect",
            found=lis.dialect,
            known=", ".join(DIALECTS),
        )
    if lis.protocol == "astm":
        check_not_hl7(file, "lis", lis)
    if lis.listen and lis.protocol == "astm":
        raise ConfigError(
            file,
            "lis.listen",
            "is of no use with protocol astm",
            "leave it out: orders come by lis.connect",
            "config-lis-listen-astm",
        )
    if lis.listen:
        address(file, "lis.listen", lis.listen)
        if not lis.listen.endswith(":0") and lis.listen in {link.listen for link in links}:
            raise ConfigError(
                file,
                "lis.listen",
                f"{lis.listen} is used by a link",
                "give the LIS a port of its own",
                "config-lis-port",
                found=lis.listen,
            )
    if lis.encoding:
        check_encoding(file, "lis.encoding", lis.encoding)
    if lis.tls:
        tls_settings.check(file, "lis.tls", lis.tls, listens=False)
        if lis.listen:
            tls_settings.check(file, "lis.tls", lis.tls, listens=True)
    check_allowed(file, "lis", lis.allow)
    for code, meant in lis.tests.items():
        for loinc in [meant] if isinstance(meant, str) else meant or [""]:
            check_loinc(file, f"lis.tests.{code}", loinc)


def _check_destinations(file: str, config: Config) -> None:
    links = {link.name for link in config.link}
    others = [
        *links,
        *(drop.name for drop in config.files),
        *((config.lis.name, config.lis.feed) if config.lis else ()),
    ]
    for index, one in enumerate(config.destination):
        key = f"destination[{index}] ({one.name})"
        if not one.name.strip() or not one.name.isprintable():
            raise ConfigError(
                file,
                f"{key}.name",
                "is empty or cannot be printed",
                "give the destination a name",
                "config-destination-name",
            )
        if one.name in others:
            raise ConfigError(
                file,
                f"{key}.name",
                "is used by another link or destination",
                "give each its own name",
                "config-name-used",
            )
        others.append(one.name)
        address(file, f"{key}.connect", one.connect)
        if one.dialect not in DIALECTS:
            raise ConfigError(
                file,
                f"{key}.dialect",
                f"there is no dialect {one.dialect!r}",
                f"use one of {', '.join(DIALECTS)}",
                "config-dialect",
                found=one.dialect,
                known=", ".join(DIALECTS),
            )
        if one.tls:
            tls_settings.check(file, f"{key}.tls", one.tls, listens=False)
    chosen = [(f"destination ({one.name})", one.links, one.tests) for one in config.destination]
    chosen += [(f"files ({drop.name})", drop.links, drop.tests) for drop in config.files]
    for key, names, loincs in chosen:
        for name in names:
            if name not in links:
                raise ConfigError(
                    file,
                    f"{key}.links",
                    f"there is no link {name!r}",
                    "give the name of a [[link]]",
                    "config-no-link",
                    found=name,
                )
        for loinc in loincs:
            check_loinc(file, f"{key}.tests", loinc)


def _check_partners(file: str, config: Config) -> None:
    links = frozenset(link.name for link in config.link)
    lis = {config.lis.name, config.lis.feed} if config.lis else set[str]()
    others = {one.name for one in config.files} | {one.name for one in config.destination}
    check_partners(file, config.partners, links, links | lis | others)
    for one in config.partners:
        for key, text in (("connect", one.connect), ("listen", one.listen)):
            if text:
                address(file, f"partners ({one.name}).{key}", text)
        if one.files and one.files.sftp:
            address(file, f"partners ({one.name}).files.sftp.connect", one.files.sftp.connect)
        if one.encoding:
            check_encoding(file, f"partners ({one.name}).encoding", one.encoding)
        check_allowed(file, f"partners ({one.name})", one.allow)


def check_routes(file: str, config: Config) -> None:
    """Check which analyzers do which tests; raises ConfigError."""
    able = {link.name for link in config.link if link.work or link.protocol == "law"}
    seen: dict[str, int] = {}
    for index, route in enumerate(config.route):
        key = f"route[{index}]"
        if not route.links:
            raise ConfigError(
                file, f"{key}.links", "is empty", "name the analyzers that do these tests", "config-route-links"
            )
        for name in (*route.links, *route.urgent):
            if name not in able:
                raise ConfigError(
                    file,
                    key,
                    f"{name!r} is no link that is told what to do",
                    f"use one of {', '.join(sorted(able))}",
                    "config-not-told",
                    found=name,
                    known=", ".join(sorted(able)),
                )
        for loinc in route.tests:
            check_loinc(file, f"{key}.tests", loinc)
            if loinc in seen:
                raise ConfigError(
                    file,
                    f"{key}.tests",
                    f"{loinc} is routed by route[{seen[loinc]}] too",
                    "route it once",
                    "config-routed-twice",
                    found=loinc,
                    other=str(seen[loinc]),
                )
            seen[loinc] = index
        if route.by == "load" and route.comparable is None:
            raise ConfigError(
                file,
                f"{key}.by",
                "by load needs analyzers that may stand in for each other",
                "record the comparison",
                "config-route-load",
            )
