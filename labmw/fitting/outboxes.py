"""To whom does what is released go, and how? One outbox for the LIS, for each further destination and for each folder: what one does not take, the others still get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from labmw.config import Destination, Lis, address
from labmw.config import FileDrop as DropSettings
from labmw.delivery.astm import AstmSender
from labmw.delivery.files import FileDrop
from labmw.delivery.lis import LisReport
from labmw.delivery.lis02 import Lis02Writer
from labmw.delivery.mllp import MllpSender
from labmw.delivery.outbox import Outbox, Sender, no_word, nobody_waits
from labmw.delivery.patience import Patience
from labmw.delivery.settling import Settling
from labmw.dialect import DIALECTS
from labmw.fitting.ground import Ground
from labmw.lab.lis_agreed import lis_terms
from labmw.line.lis_astm import AstmOutlet
from protocols.hl7.acknowledgment import Acknowledgment


def build(ground: Ground, outlet: AstmOutlet) -> list[Outbox]:
    """All of them, the LIS first; `outlet` is the line to an LIS that speaks ASTM."""
    to_lis = _to_lis(ground, outlet)
    further = [_to_destination(ground, one) for one in ground.config.destination]
    drops = [_to_folder(ground, drop) for drop in ground.config.files]
    return ([to_lis] if to_lis is not None else []) + further + drops


def lis02_of(lis: Lis) -> Lis02Writer:
    """What writes records for an LIS that speaks ASTM, in its own codes."""
    codes = {meant: code for code, meant in lis.tests.items() if isinstance(meant, str)}
    return Lis02Writer(codes, lis.encoding or "latin-1")


def _to_lis(ground: Ground, outlet: AstmOutlet) -> Outbox | None:
    lis, agreed = ground.config.lis, lis_terms(ground.config)
    if lis is None or agreed is None:
        return None
    host, port = address("the configuration", "lis.connect", lis.connect)
    health = ground.health_of(lis.name)
    astm = lis.protocol == "astm"
    sender: Sender
    confirm: Callable[[bytes], Awaitable[None]] = no_word
    overheard: Callable[[Acknowledgment, bytes], bool] = nobody_waits
    if astm:
        sender = AstmSender(outlet, lis.ack_timeout)
    else:
        tls = ground.credentials_of(lis.name, lis.tls, server=False)
        sender = mllp = MllpSender(
            host, port, patience=lis.ack_timeout, tls=tls, two_replies=agreed.dialect.two_replies
        )
        confirm, overheard = mllp.confirm, mllp.heard
        if lis.tls:
            warn_days = lis.tls.warn_days
            mllp.met = lambda certificate: health.met(certificate, warn_days)
    report = LisReport(
        ground.site,
        lis.sending_application,
        lis.name,
        lis.facility,
        ZoneInfo(ground.config.site.timezone),
        lis.auto_release_text,
        agreed.dialect.ltw,
        agreed.validation,
        lis02_of(lis) if astm else None,
    )
    return Outbox(
        site=ground.site,
        destination=lis.name,
        store=ground.store,
        clock=ground.clock,
        sender=sender,
        compose=report.compose,
        patience=Patience(lis.retry_base, lis.retry_factor, lis.retry_cap, lis.retry_jitter),
        attempts=lis.attempts,
        lease=max(120.0, 3 * lis.ack_timeout),
        after=Settling(ground.site, agreed.dialect).after,
        two_replies=agreed.dialect.two_replies,
        confirm=confirm,
        overheard=overheard,
        trouble=lambda code, facts: health.trouble(code, **facts),
        well=health.well,
    )


def _to_destination(ground: Ground, one: Destination) -> Outbox:
    site, health = ground.config.site, ground.health_of(one.name)
    lis, dialect = ground.config.lis or Lis(connect="", name=one.name), DIALECTS[one.dialect]
    host, port = address("the configuration", "destination.connect", one.connect)
    tls = ground.credentials_of(one.name, one.tls, server=False)
    zone = ZoneInfo(site.timezone)
    report = LisReport(
        site.id,
        lis.sending_application,
        one.name,
        one.facility,
        zone,
        lis.auto_release_text,
        dialect.ltw,
        lis.biological_validation,
    )
    sender = MllpSender(host, port, patience=one.ack_timeout, tls=tls, two_replies=dialect.two_replies)
    return Outbox(
        site=site.id,
        destination=one.name,
        store=ground.store,
        clock=ground.clock,
        sender=sender,
        compose=report.compose,
        patience=Patience(one.retry_base, cap=one.retry_cap),
        attempts=one.attempts,
        lease=max(120.0, 3 * one.ack_timeout),
        after=Settling(site.id, dialect).after,
        two_replies=dialect.two_replies,
        confirm=sender.confirm,
        trouble=lambda code, facts: health.trouble(code, **facts),
        well=health.well,
    )


def _to_folder(ground: Ground, drop: DropSettings) -> Outbox:
    lis, health = ground.config.lis or Lis(connect="", name=drop.name), ground.health_of(drop.name)
    zone = ZoneInfo(ground.config.site.timezone)
    report = LisReport(ground.site, lis.sending_application, lis.name, lis.facility, zone, lis.auto_release_text)
    return Outbox(
        site=ground.site,
        destination=drop.name,
        store=ground.store,
        clock=ground.clock,
        sender=FileDrop(Path(drop.folder)),
        compose=report.compose,
        patience=Patience(drop.retry_base, cap=drop.retry_cap),
        trouble=lambda code, facts: health.trouble(code, **facts),
        well=health.well,
    )
