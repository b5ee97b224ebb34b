"""Logs are one line per event, also as JSON, and a traceback never prints local variables: those may hold patients."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import structlog
from labmw.watch import log
log.begin("test")
def fail(patient):
    raise ValueError("something")
try:
    fail("ALOUETTE Adele")
except ValueError as error:
    structlog.get_logger("labmw.test").exception("it failed", why=str(error))
structlog.get_logger("labmw.test").debug("a detail")
"""


def said(**variables: str) -> str:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    ).stderr


def test_for_people() -> None:
    text = said(LABMW_LOG="", LABMW_LOG_LEVEL="info")
    assert "it failed" in text and "process=test" in text and "ValueError: something" in text
    assert "ALOUETTE" not in text.replace('fail("ALOUETTE Adele")', "") and "a detail" not in text


def test_for_a_collector() -> None:
    (line,) = said(LABMW_LOG="json", LABMW_LOG_LEVEL="info").splitlines()
    event = json.loads(line)
    assert event["event"] == "it failed" and event["process"] == "test" and event["level"] == "error"
    assert "ValueError: something" in event["exception"]


def test_the_level_can_be_chosen() -> None:
    assert "a detail" in said(LABMW_LOG="", LABMW_LOG_LEVEL="debug")
    assert "it failed" not in said(LABMW_LOG="", LABMW_LOG_LEVEL="critical")
