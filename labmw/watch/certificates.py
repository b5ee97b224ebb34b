"""Until when do the certificates and revocation lists hold that a configuration names, and can they be used at all? From the files; pure but for reading them."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from labmw.config import Config
from labmw.errors import CertificateError
from labmw.tls.certificate import Certificate, read_file
from labmw.tls.credentials import build
from labmw.tls.revocation import RevocationList, read_lists
from labmw.tls.settings import Tls
from labmw.watch.finding import Finding, error, good, warning


def certificates(config: Config, now: datetime) -> Iterator[Finding]:
    """What there is to say of the certificates of every line and of the LIS."""
    for link in config.link:
        if link.tls:
            yield from of_one(link.name, link.tls, now, server=bool(link.listen))
    if config.lis and config.lis.tls:
        yield from of_one(config.lis.name, config.lis.tls, now, server=False)
    for one in config.destination:
        if one.tls:
            yield from of_one(one.name, one.tls, now, server=False)


def of_one(name: str, tls: Tls, now: datetime, *, server: bool) -> Iterator[Finding]:
    """What there is to say of the certificates of one line."""
    try:
        build(tls, server=server)
        files = [(path, read_file(path)) for path in (tls.certificate, tls.trusted) if path]
        lists = read_lists(tls.revoked) if tls.revoked else []
    except CertificateError as problem:
        yield error(name, "certificate-unusable", link=name, why=problem)
        return
    told = False
    for path, found in files:
        for certificate in found:
            for finding in _dates(name, path, certificate, now, tls.warn_days):
                told = True
                yield finding
    for finding in _lists(name, tls, lists, now):
        told = True
        yield finding
    if (key := tls.key or tls.certificate) and Path(key).stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        told = True
        yield warning(name, "key-readable", link=name, file=key)
    if not told:
        first = min((one for _, found in files for one in found), key=lambda one: one.ends)
        yield good(name, "certificate-good", link=name, certificate=first.title, ends=f"{first.ends:%Y-%m-%d}")


def _dates(name: str, path: str, one: Certificate, now: datetime, warn_days: int) -> Iterator[Finding]:
    common = {"link": name, "certificate": one.title, "file": path}
    left = one.left(now)
    if left.total_seconds() <= 0:
        yield error(name, "certificate-ended", **common, ends=f"{one.ends:%Y-%m-%d %H:%M} UTC")
    elif one.begins > now:
        yield error(name, "certificate-early", **common, begins=f"{one.begins:%Y-%m-%d %H:%M} UTC")
    elif left.days < warn_days:
        yield warning(name, "certificate-ends", **common, days=left.days, ends=f"{one.ends:%Y-%m-%d}")


def _lists(name: str, tls: Tls, lists: Sequence[RevocationList], now: datetime) -> Iterator[Finding]:
    for one in lists:
        warned_from = one.warned_from(tls.warn_days)
        if one.ends is None or warned_from is None or now < warned_from:
            continue
        facts = {
            "link": name,
            "authority": one.authority,
            "file": tls.revoked,
            "ends": f"{one.ends:%Y-%m-%d %H:%M} UTC",
        }
        yield (
            error(name, "revocations-ended", **facts) if one.ends <= now else warning(name, "revocations-end", **facts)
        )


def ends_of(tls: Tls) -> dict[str, datetime]:
    """When our own chain ends, and the first of those that we trust; nothing of files that cannot be read."""
    found: dict[str, datetime] = {}
    for whose, path in (("own", tls.certificate), ("trusted", tls.trusted)):
        if path:
            try:
                found[whose] = min(one.ends for one in read_file(path))
            except CertificateError:
                continue
    return found
