"""What is agreed with the LIS? The configuration's `[lis]`, as the laboratory and delivery need it."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from labmw.config import Config
from labmw.dialect import DIALECTS
from labmw.lab.partner_agreed import elsewhere
from labmw.terms import LisTerms
from protocols.hl7.acknowledging import ltw_as_agreed


def lis_terms(config: Config) -> LisTerms | None:
    """What is agreed with the LIS, as the laboratory and delivery need it; None without `[lis]`."""
    lis = config.lis
    if lis is None:
        return None
    dialect = DIALECTS[lis.dialect]
    return LisTerms(
        site=config.site.id,
        name=lis.name,
        application=lis.sending_application,
        zone=ZoneInfo(config.site.timezone),
        feed=lis.feed,
        dialect=replace(dialect, ltw=ltw_as_agreed(dialect.ltw, lis.acknowledge)),
        validation=lis.biological_validation,
        window_days=lis.window_days,
        tests={code: (loinc,) if isinstance(loinc, str) else tuple(loinc) for code, loinc in lis.tests.items()},
        authority=lis.patient_authority,
        ins_fictitious=lis.ins_fictitious,
        language=config.site.language,
        place=lis.place,
        elsewhere=elsewhere(config),
    )
