"""The web process: python -m labmw.console CONFIG."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import structlog
import uvicorn

from labmw.config import Config, load
from labmw.console.web import build
from labmw.errors import ConfigError
from labmw.watch import log as logging
from labmw.watch.supervisor import CONFIGURATION

log = structlog.get_logger("labmw.console")

CANNOT_LISTEN = 1  # started again: whoever holds the port may let go of it


def main(arguments: list[str]) -> int:
    """Serve until asked to stop; exit 78 when the configuration cannot be used."""
    logging.begin("web")
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m labmw.console CONFIG\n")
        return 2
    try:
        config = load(Path(arguments[0]))
    except ConfigError as error:
        log.error("cannot start", why=str(error))
        return CONFIGURATION
    return serve(config)


def serve(config: Config) -> int:
    """Listen where the configuration says."""
    host, port = config.web.host, config.web.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        log.error(
            "the web side cannot listen; the lines are unaffected",
            address=f"{host}:{port}",
            why=str(error),
            remedy="free the port, or set web.port to another one",
        )
        return CANNOT_LISTEN
    settings = uvicorn.Config(
        build(config),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=64,  # a storm is answered 503 and touches nobody else
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
    )
    log.info("open", address=f"{host}:{listening.getsockname()[1]}")
    uvicorn.Server(settings).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
