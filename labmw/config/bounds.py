"""Are the numbers within bounds?"""

from __future__ import annotations

from labmw.config.whole import Config
from labmw.errors import ConfigError


def check_bounds(file: str, config: Config) -> None:
    """Check numbers that would make a part spin, wait for ever, or answer after the sender has given up."""
    store, lis, limits, web = config.store, config.lis, config.limits, config.web
    bounds: list[tuple[str, float, float, float]] = [
        ("store.commit_timeout", store.commit_timeout, 0.01, 13.0),
        ("store.queue", store.queue, 1, 10_000_000),
        ("store.group", store.group, 1, 10_000),
        ("web.port", web.port, 0, 65535),
        ("limits.connections", limits.connections, 1, 100_000),
        ("rules.call_hours", config.rules.call_hours, 0, 720),
        ("orders.max_age", config.orders.max_age, 0, 10_000_000),
        ("orders.late", config.orders.late, 1, 100_000),
        ("orders.late_urgent", config.orders.late_urgent, 1, 100_000),
        ("limits.message_bytes", limits.message_bytes, 1024, 2**30 - 1),
    ]
    kept = config.retention
    for name in ("archive", "raw", "messages", "results", "identity", "qc", "audit", "genetics"):
        bounds.append((f"retention.{name}", getattr(kept, name), 1, 200))
    for name in ("raw", "messages", "results", "identity", "genetics", "qc", "audit"):
        bounds.append((f"retention.archive_{name}", getattr(kept, f"archive_{name}"), 0, 200))
    moved = {
        name: getattr(kept, f"archive_{name}") or kept.archive for name in ("raw", "messages", "results", "identity")
    }
    bounds.append(("retention.archive_results", moved["results"], max(moved["raw"], moved["messages"]), 200))
    bounds.append(("retention.archive_identity", moved["identity"], moved["results"], 200))
    longest = max(kept.raw, kept.messages, kept.results, kept.identity, kept.qc)
    bounds.append(("retention.audit", kept.audit, longest, 200))  # what was done outlives what it was done to
    bounds.append(("retention.results", kept.results, max(kept.raw, kept.messages), 200))
    bounds.append(("retention.identity", kept.identity, kept.results, 200))
    for index, link in enumerate(config.link):
        key = f"link[{index}] ({link.name})"
        bounds.append((f"{key}.connections", link.connections, 1, limits.connections))
        bounds.append((f"{key}.ack_timeout", link.ack_timeout, 0, 3600))
        bounds.append((f"{key}.clock_tolerance", link.clock_tolerance, 0, 10_000_000))
        bounds.append((f"{key}.idle_timeout", link.idle_timeout, 0, 10_000_000))
        if link.serial:
            bounds.append((f"{key}.serial.baud", link.serial.baud, 50, 4_000_000))
    for index, one in enumerate(config.destination):
        key = f"destination[{index}] ({one.name})"
        bounds.append((f"{key}.ack_timeout", one.ack_timeout, 0.01, 3600))
        bounds.append((f"{key}.retry_base", one.retry_base, 0.01, 3600))
        bounds.append((f"{key}.retry_cap", one.retry_cap, one.retry_base, 86_400))
        bounds.append((f"{key}.attempts", one.attempts, 1, 1_000_000))
    if lis:
        bounds += [
            ("lis.ack_timeout", lis.ack_timeout, 0.01, 3600),
            ("lis.retry_base", lis.retry_base, 0.01, 3600),
            ("lis.retry_factor", lis.retry_factor, 1, 100),
            ("lis.retry_cap", lis.retry_cap, lis.retry_base, 86_400),
            ("lis.retry_jitter", lis.retry_jitter, 0, 0.99),
            ("lis.attempts", lis.attempts, 1, 1_000_000),
            ("lis.connections", lis.connections, 1, limits.connections),
            ("lis.query_patience", lis.query_patience, 0, 25),
            ("lis.window_days", lis.window_days, 1, 3660),
        ]
    for key, value, least, most in bounds:
        if not least <= value <= most:  # also NaN
            raise ConfigError(
                file,
                key,
                f"{value:g} is out of bounds",
                f"give a number from {least:g} to {most:g}",
                "config-bounds",
                found=f"{value:g}",
                least=f"{least:g}",
                most=f"{most:g}",
            )
