"""How do the processes write their logs? One line per event on standard error, in English, for a person or (LABMW_LOG=json) a collector."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

import structlog


def begin(process: str, environment: Mapping[str, str] = os.environ) -> None:
    """Set up logging of this process; `process` names it in every line."""
    plain = environment.get("LABMW_LOG", "") != "json"
    threshold = logging.getLevelNamesMapping().get(environment.get("LABMW_LOG_LEVEL", "INFO").upper(), logging.INFO)
    # Plain tracebacks: the pretty ones print local variables, and those may hold patients.
    formatter = structlog.dev.plain_traceback
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False, exception_formatter=formatter)]
        if plain
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
