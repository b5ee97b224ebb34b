"""Are the five packages installed together? `rules` and `drivers` are common names: another distribution's would be imported in silence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from labmw.watch.finding import Finding, error, good

PACKAGES = ("labmw", "drivers", "protocols", "rules", "simulators")


def installed() -> list[Finding]:
    """Say where each package comes from; all must come from one place."""
    places = {name: _place(name) for name in PACKAGES}
    home = places["labmw"]
    strangers = [
        error(name, "check-package-absent", package=name, home=home)
        if place is None
        else error(name, "check-package-foreign", package=name, place=place, home=home)
        for name, place in places.items()
        if place != home
    ]
    return strangers or [good("packages", "check-packages", home=home)]


def _place(name: str) -> Path | None:
    """Return the folder that holds a package, without running any of it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin:
        return None
    return Path(spec.origin).resolve().parent.parent
