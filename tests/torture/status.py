"""What does `labmw status` say in the middle of a fault, and is it one sentence that says what to do?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from stage import Stage

from labmw.clock import SYSTEM, Clock
from labmw.config import load
from labmw.errors import StoreError
from labmw.watch.snapshot import take
from labmw.watch.trouble import Telling, troubles


def told(stage: Stage, clock: Clock = SYSTEM, later: timedelta = timedelta(), process: int | None = None) -> set[str]:
    """The codes of the sentences of trouble, as they are read `later`: a daemon that cannot write says so by its silence.

    `process`: who serves the store, where it was not started by `labmw serve`, which holds its lock.
    """
    config = load(stage.config)
    telling = Telling("en", clock.now() + later, ZoneInfo(config.site.timezone))
    try:
        snapshot = take(config)
        found = troubles(config, replace(snapshot, served_by=process or snapshot.served_by), telling)
    except StoreError:
        return {"store-unreadable"}
    return {one.code for one in found if one.weight.value != "good"}
