"""What every test has: quiet logs without local variables, the corpus where it is present, Hypothesis profiles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from labmw.watch.log import begin

ROOT = Path(__file__).parent.parent
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))

settings.register_profile("labmw", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("labmw")


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Errors only, and never the values of local variables."""
    begin("tests", {"LABMW_LOG_LEVEL": os.environ.get("LABMW_LOG_LEVEL", "critical")})


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real captures; a test that needs it is skipped where it is not."""
    if not CORPUS.is_dir():
        pytest.skip(f"needs the corpus of real captures in {CORPUS}; set LABMW_CORPUS to its folder")
    return CORPUS
