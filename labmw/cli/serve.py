"""labmw serve: the daemon. One process for lines, laboratory and delivery, another for the web side, and this one to keep both alive."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import typer

from labmw.cli.options import ConfigOption, configuration, fail
from labmw.config import Config

if TYPE_CHECKING:
    from labmw.watch.supervisor import Part

STORE_UNUSABLE = 74  # EX_IOERR in sysexits.h


def serve(config: ConfigOption = None) -> None:
    """Run labmw until it is asked to stop (Ctrl-C, SIGTERM, SIGHUP).

    What is under way is finished first, for 30 seconds at most; asked a second time, it stops at once. Nothing acknowledged is lost either way.

    Logs go to standard error: plain, or JSON with LABMW_LOG=json; LABMW_LOG_LEVEL is debug, info, warning or error.

    Exit codes: 0 stopped as asked; 2 wrong usage; 70 something had to be killed to stop (it goes on at the next start);
    74 the store cannot be used, or another labmw serves it; 78 the configuration cannot be used. After 74 and 78 mend first: starting again alone cures nothing.
    """
    from labmw.watch.supervisor import CONFIGURATION

    settings = configuration(config, CONFIGURATION)
    assert config is not None
    raise typer.Exit(run(settings, config.absolute()))


def run(config: Config, file: Path) -> int:
    """Take the store, bring it up to date, and supervise; return the exit code."""
    from labmw.errors import StoreError
    from labmw.store import migrate, sqlite_file
    from labmw.store.lock import hold
    from labmw.watch import log as logging
    from labmw.watch import metrics_folder
    from labmw.watch.supervisor import Supervisor

    logging.begin("serve")
    try:
        with hold(config.store.url) as lock:
            migrate(config.store.url)
            store = sqlite_file(config.store.url)
            folder = metrics_folder.prepare(store)
            environment = {**os.environ, metrics_folder.VARIABLE: str(folder)}
            structlog.get_logger("labmw.watch").info(
                "labmw serves", site=config.site.id, store=str(store), links=len(config.link), configuration=str(file)
            )
            supervisor = Supervisor(
                parts(config, file),
                environment,
                keeps=(lock,),
                died=lambda process: metrics_folder.forget(folder, process),
            )
            return asyncio.run(supervisor.run())
    except StoreError as error:
        fail(str(error), STORE_UNUSABLE)


def parts(config: Config, file: Path, lines: str = "labmw.app") -> list[Part]:
    """Return the processes to keep alive."""
    from labmw.watch.supervisor import Part

    def command(module: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "labmw.watch.supervised", module, str(file))

    found = [Part("lines", command(lines))]
    if config.web.enabled:
        found.append(Part("web", command("labmw.console")))
    return found
