"""The configuration: one TOML file, read strictly, each error naming file, key and remedy."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from labmw.config.check import check
from labmw.config.laboratory import Mapping
from labmw.config.link import Link
from labmw.config.lis import Lis
from labmw.config.routing import Destination
from labmw.config.whole import Config
from labmw.errors import ConfigError
from labmw.tls.settings import Tls


def load(path: Path) -> Config:
    """Read and check one configuration file; raises ConfigError naming file, key and remedy."""
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            name, "", "there is no such file", "give its path, or set LABMW_CONFIG", "config-no-file"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            name,
            "",
            f"cannot be read ({error})",
            "check its permissions and that it is UTF-8",
            "config-unreadable",
            words=str(error),
        ) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            name, "", f"is not TOML ({error})", "mend the line it names", "config-not-toml", words=str(error)
        ) from None
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        key = where.rstrip("`").lstrip(".") or _unknown_key(problem)
        raise ConfigError(
            name,
            key or "the file",
            problem,
            "see deploy/labmw.toml, where every key is explained",
            "config-unfit",
            words=problem,
        ) from None
    check(name, config)
    return _resolved(config, path.absolute().parent)


def _resolved(config: Config, folder: Path) -> Config:
    """Make relative paths start at the configuration file; a pack's bare name that is no file there stays a name."""

    def found(text: str) -> str:
        return str(folder / text) if text else ""

    def secured(one: Link | Lis | Destination) -> dict[str, Tls | None]:
        return {"tls": one.tls.resolved(found) if one.tls else None}

    packs = [found(pack) if (folder / pack).exists() or "/" in pack else pack for pack in config.rules.packs]
    shadow = [found(pack) if (folder / pack).exists() or "/" in pack else pack for pack in config.rules.shadow]
    scheme, slashes, place = config.store.url.partition(":///")
    url = f"{scheme}{slashes}{folder / place}" if scheme == "sqlite" and place else config.store.url
    return msgspec.structs.replace(
        config,
        store=msgspec.structs.replace(config.store, url=url, key_file=found(config.store.key_file)),
        retention=msgspec.structs.replace(config.retention, archive_folder=found(config.retention.archive_folder)),
        rules=msgspec.structs.replace(
            config.rules, packs=packs, shadow=shadow, signatures=found(config.rules.signatures)
        ),
        drivers=msgspec.structs.replace(config.drivers, folder=found(config.drivers.folder)),
        mapping=Mapping(folder=found(config.mapping.folder), signatures=found(config.mapping.signatures)),
        files=[msgspec.structs.replace(one, folder=found(one.folder)) for one in config.files],
        partners=[one.resolved(found) for one in config.partners],
        link=[msgspec.structs.replace(link, **secured(link)) for link in config.link],
        destination=[msgspec.structs.replace(one, **secured(one)) for one in config.destination],
        lis=msgspec.structs.replace(config.lis, **secured(config.lis)) if config.lis else None,
    )


def _unknown_key(problem: str) -> str:
    match = re.search(r"`([^`]+)`", problem)
    return match.group(1) if match else ""
