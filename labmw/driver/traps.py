"""What does a reader have to know about this family before believing a number? The traps that its declaration names, as reasons to be said."""

from __future__ import annotations

from dataclasses import fields

from labmw.driver.declaration import Driver, Evidence, Field, Hl7Driver
from labmw.driver.reading import Facts
from labmw.quantity import NumberFormat
from protocols.astm.tolerance import STRICT, Tolerances

Trap = tuple[str, Facts]
"""A code of the catalogue, and the facts of its sentence."""


def traps(driver: Driver) -> list[Trap]:
    """Everything in which this family is not as one would expect, the gravest first; derived, so that it cannot disagree with the reading."""
    found = [*_belief(driver), *_identity(driver), *_numbers(driver.numbers), *_values(driver), *_control(driver)]
    return found + _link(driver.tolerances)


def _belief(driver: Driver) -> list[Trap]:
    """What keeps its results from being used at all."""
    found: list[Trap] = []
    if driver.evidence is Evidence.UNVERIFIED:
        found.append(("trap-unverified", ()))
    if driver.evidence is Evidence.RESTATED:
        found.append(("trap-restated", ()))
    if not driver.recognises:
        found.append(("trap-anonymous", (("driver", driver.name),)))
    coded = isinstance(driver, Hl7Driver) and driver.coded
    if coded:
        found.append(("trap-coded", ()))
    elif not driver.tests:
        found.append(("trap-no-tests", ()))
    return found


def _identity(driver: Driver) -> list[Trap]:
    """Where it says whose result this is, and when it was made."""
    found: list[Trap] = []
    usual = "SPM.2.1" if driver.protocol == "hl7" else "O.3.1"
    places = [shown(place) for place in (driver.specimen, *driver.specimen_or)]
    if places != [usual] and not (driver.protocol == "hl7" and places[0] == usual):
        found.append(("trap-specimen", (("places", ", ".join(places)),)))
    form = driver.tube
    if form.pad:
        found.append(("trap-tube-padded", (("pad", form.pad), ("length", str(form.length)))))
    if form.check:
        found.append(("trap-tube-check", (("check", form.check),)))
    if driver.material:
        said = ", ".join(shown(place) for place in driver.material)
        found.append(("trap-material", (("places", said), ("materials", ", ".join(sorted(driver.materials))))))
    if driver.run is not None:
        found.append(("trap-run", (("place", shown(driver.run)),)))
    if isinstance(driver, Hl7Driver) and driver.utc:
        found.append(("trap-utc", ()))
    return found


def _numbers(form: NumberFormat) -> list[Trap]:
    found: list[Trap] = []
    if form.decimal != ".":
        found.append(("trap-decimal", (("decimal", " ".join(form.decimal)),)))
    if form.thousands:
        found.append(("trap-thousands", (("thousands", form.thousands),)))
    if form.decimals is not None:
        found.append(("trap-decimals", (("decimals", str(form.decimals)),)))
    if form.exponent:
        found.append(("trap-exponent", ()))
    return found


def _values(driver: Driver) -> list[Trap]:
    found: list[Trap] = []
    if driver.value.component or driver.value_or is not None:
        places = [driver.value] + ([driver.value_or] if driver.value_or else [])
        found.append(("trap-component", (("places", ", ".join(shown(place) for place in places)),)))
    if isinstance(driver, Hl7Driver) and driver.measure is not None:
        found.append(("trap-measure", ()))
    if driver.no_value:
        found.append(("trap-no-value", (("words", ", ".join(sorted(driver.no_value))),)))
    if driver.split is not None or driver.main is not None:
        found.append(("trap-details", ()))
    if driver.mean_flag:
        found.append(("trap-mean", (("flag", driver.mean_flag),)))
    for detail, table in driver.details.items():
        units = ", ".join(f"{sent} → {meant}" for sent, meant in table.items())
        found.append(("trap-detail-unit", (("detail", detail), ("units", units))))
    if driver.units:
        units = ", ".join(f"{sent or '-'} → {meant}" for sent, meant in driver.units.items())
        found.append(("trap-units", (("units", units),)))
    if driver.powers:
        found.append(("trap-powers", ()))
    if driver.loinc_sent is not None:
        found.append(("trap-loinc-sent", (("place", shown(driver.loinc_sent)),)))
    if driver.alarm is not None:
        found.append(("trap-alarm", (("place", shown(driver.alarm)),)))
    found.append((f"trap-diluted-{driver.diluted or 'unknown'}", ()))
    if driver.unreported:
        found.append(("trap-unreported", (("codes", ", ".join(sorted(driver.unreported))),)))
    return found


def _control(driver: Driver) -> list[Trap]:
    control = driver.control
    patterns = [one for one in (control.specimen, control.descriptor, control.position) if one]
    return [("trap-control", (("patterns", ", ".join(patterns)),))] if patterns else []


def _link(tolerances: Tolerances) -> list[Trap]:
    """The tolerances that its wire needs."""
    needed = [
        f"{field.name} = {getattr(tolerances, field.name)}"
        for field in fields(Tolerances)
        if getattr(tolerances, field.name) != getattr(STRICT, field.name)
    ]
    return [("trap-tolerances", (("tolerances", ", ".join(needed)),))] if needed else []


def shown(place: Field) -> str:
    """A place as people write it: R.4.2, SPM.2.1, OBX.3.1.2, C.4."""
    parts = [place.record, str(place.field)]
    if place.component or place.sub > 1:
        parts.append(str(place.component or 1))
    if place.sub > 1:
        parts.append(str(place.sub))
    return ".".join(parts) + (f" (#{place.repeat})" if place.repeat > 1 else "")
