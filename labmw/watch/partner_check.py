"""Can what is set about other laboratories be used? Their certificates, folders and SFTP keys; from the files, and with --live by really trying."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from labmw.config import Config
from labmw.errors import CertificateError
from labmw.partner import Exchange, Partner
from labmw.sftp.settings import Sftp
from labmw.watch.certificates import of_one
from labmw.watch.finding import Finding, error, good, warning


def partners_checked(config: Config, now: datetime) -> Iterator[Finding]:
    """What there is to say of every partner, without calling any."""
    for partner in config.partners:
        if partner.tls is not None:
            yield from of_one(partner.name, partner.tls, now, server=bool(partner.listen))
        if partner.files is not None:
            yield from _files(partner, partner.files)


def _files(partner: Partner, files: Exchange) -> Iterator[Finding]:
    if files.sftp is not None:
        yield from _sftp(partner.name, files.sftp)
        return
    missing = [folder for folder in (files.out, files.into) if not Path(folder).is_dir()]
    for folder in missing:
        yield error(partner.name, "check-folder-missing", partner=partner.name, folder=folder)
    if not missing:
        yield good(partner.name, "check-folders-good", partner=partner.name, out=files.out, into=files.into)


def _sftp(name: str, sftp: Sftp) -> Iterator[Finding]:
    from labmw.sftp.keys import read_secrets  # noqa: PLC0415 - asyncssh is loaded where a partner wants it

    try:
        known = read_secrets(sftp).of_host(sftp)
    except CertificateError as problem:
        yield error(name, "sftp-files", place=name, words=problem)
        return
    if not known:
        yield error(name, "check-sftp-unknown", partner=name, host=sftp.connect, file=sftp.known_hosts)
        return
    for file in filter(None, (sftp.key, sftp.passphrase_file, sftp.password_file)):
        if Path(file).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield warning(name, "check-secret-readable", partner=name, file=file)
    yield good(name, "check-sftp-good", partner=name, host=sftp.connect, known=", ".join(known))


def tried(name: str, files: Exchange) -> Finding:
    """Log in at a partner's SFTP server and look at both folders."""
    from labmw.sftp.session import try_once  # noqa: PLC0415 - see above

    assert files.sftp is not None
    folders = {files.sftp.title(one): one for one in (files.out, files.into)}
    problems = asyncio.run(try_once(files.sftp, folders))
    if problems:
        first = problems[0]
        return error(name, first.code, **first.facts)
    return good(name, "check-live-good", name=name, place=", ".join(folders))
