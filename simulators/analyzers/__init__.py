"""Which families of analyzers can be simulated? One file each, holding one value named DIALECT."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.analyzers import (
    cepheid_genexpert,
    erba_xl,
    horiba_yumizen_h500,
    law_immunoassay,
    roche_cobas_c311,
    sysmex_xn,
)
from simulators.dialect import Dialect, Menu

DIALECTS: Mapping[str, Dialect] = {
    one.DIALECT.name: one.DIALECT
    for one in (cepheid_genexpert, erba_xl, horiba_yumizen_h500, roche_cobas_c311, sysmex_xn)
}
"""Families that speak ASTM."""

LAW_IMMUNOASSAY = "law-immunoassay"
MENUS: Mapping[str, Menu] = {
    **{name: Menu(one.kind, one.assays) for name, one in DIALECTS.items()},
    LAW_IMMUNOASSAY: law_immunoassay.MENU,
}
"""What each family measures, whatever it speaks."""
