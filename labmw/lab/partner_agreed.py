"""What is agreed with the other laboratories? The configuration's `[[partners]]`, as the laboratory and delivery need it."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from labmw.config import Config
from labmw.dialect import DIALECTS
from labmw.partner import Partner
from labmw.terms import Elsewhere, LisTerms, PartnerTerms
from protocols.hl7.acknowledging import ltw_as_agreed
from protocols.hl7.profile import LTW_GENERIC


def partner_terms(config: Config, partner: Partner) -> PartnerTerms:
    """What is agreed with one of them."""
    tests = {code: (meant,) if isinstance(meant, str) else tuple(meant) for code, meant in partner.tests.items()}
    lis = LisTerms(
        site=config.site.id,
        name=partner.name,
        application=config.lis.sending_application if config.lis else "LABMW",
        zone=ZoneInfo(config.site.timezone),
        feed=partner.feed,
        window_days=partner.window_days,
        tests=tests,
        ins_fictitious=partner.ins_fictitious,
        dialect=replace(DIALECTS["ltw"], ltw=ltw_as_agreed(LTW_GENERIC, partner.acknowledge)),
        language=config.site.language,
    )
    name = config.site.name or config.site.id
    return PartnerTerms(partner, lis, name, config.lis.name if config.lis else "")


def elsewhere(config: Config) -> Elsewhere:
    """What leaves, for whom."""
    terms = {one.name: partner_terms(config, one) for one in config.partners}
    routes = tuple((one.name, route) for one in config.partners for route in one.routes)
    return Elsewhere(routes, terms)
