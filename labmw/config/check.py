"""Can labmw work as the configuration says? What one key alone cannot show."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labmw.config.bounds import check_bounds
from labmw.config.check_link import check_links
from labmw.config.check_receivers import check_receivers, check_routes
from labmw.config.laboratory import WorkMode
from labmw.config.values import check_zone
from labmw.config.whole import Config
from labmw.errors import ConfigError


def check(file: str, config: Config) -> None:
    """Check what is read; raises ConfigError for the first thing that cannot be."""
    check_links(file, config.link)
    check_zone(file, "site.timezone", config.site.timezone)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", config.site.id):
        raise ConfigError(
            file,
            "site.id",
            f"{config.site.id!r} is not an identifier",
            "use 1 to 32 letters, digits, '_', '.' or '-'",
            "config-identifier",
            found=config.site.id,
        )
    check_receivers(file, config)
    check_bounds(file, config)
    check_routes(file, config)
    _check_modes(file, config.rules.mode)


def _check_modes(file: str, modes: Iterable[WorkMode]) -> None:
    for index, mode in enumerate(modes):
        key = f"rules.mode[{index}] ({mode.name})"
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", mode.name):
            raise ConfigError(
                file, f"{key}.name", "is no name", "use 1 to 32 letters, digits, '_', '.' or '-'", "config-mode-name"
            )
        for name in ("begins", "ends"):
            if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", getattr(mode, name)):
                raise ConfigError(
                    file,
                    f"{key}.{name}",
                    f"{getattr(mode, name)!r} is no time of day",
                    'write it like "20:00"',
                    "config-time-of-day",
                    found=str(getattr(mode, name)),
                )
        if mode.begins == mode.ends:
            raise ConfigError(file, f"{key}.ends", "is when it begins", "give two different times", "config-mode-ends")
