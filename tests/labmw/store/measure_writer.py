"""How many rows a second does the writer make durable? Run by hand; quote the figures with the flush rate beside them.

    python tests/labmw/store/measure_writer.py [FOLDER] [SECONDS]

Each producer waits for its commit before it submits again, as a line waits before it acknowledges. `rows` is the journal's quick
way, `script` a transaction of one frame and two journal rows, as a line commits an accepted frame.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from labmw.store import Commit, SqliteStore, Transaction, migrate, schema
from labmw.store.statements import INSERT_FRAME, INSERT_JOURNAL, insert
from labmw.store.transaction import Step

ROUNDS = 3


def flushes(folder: Path, seconds: float = 0.5) -> float:
    """Appends of 4 KiB, each flushed, a second: what the disk alone can do."""
    with (folder / "flush").open("wb", buffering=0) as file:
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            file.write(bytes(4096))
            os.fsync(file.fileno())
            count += 1
    return count / seconds


def frame(producer: int, seq: int) -> Transaction[None]:
    data = b"R|1|^^^WBC|6.25|10*3/uL||N||F||||20261125080000"
    row = {"site": "s", "link": f"line-{producer}", "session": str(producer), "at": "2026-11-25T08:00:00.000000Z"}
    yield Step(INSERT_FRAME, row | {"seq": seq, "number": seq % 8, "last": 0, "text": data})
    yield Step(INSERT_JOURNAL, [row | {"direction": ">", "data": data}, row | {"direction": "<", "data": b"\x06"}])


async def measure(folder: Path, kind: str, producers: int, seconds: float) -> tuple[float, float, float]:
    """Transactions a second, transactions in a commit, and the 99th percentile of waiting in milliseconds."""
    url = f"sqlite:///{folder}/{kind}-{producers}-{time.monotonic_ns()}.db"
    migrate(url)
    commits: list[Commit] = []
    waits: list[float] = []
    store = SqliteStore(url, on_commit=commits.append)
    await store.start()

    def open_sessions() -> Transaction[None]:
        for producer in range(producers):
            yield insert(schema.session, id=str(producer), site="s", link="l", opened_at="t")

    await store.run(open_sessions())
    commits.clear()
    end = time.perf_counter() + seconds

    async def produce(producer: int) -> None:
        seq, row = 0, {"site": "s", "link": "l", "session": "", "at": "t", "direction": ">", "data": bytes(60)}
        while (began := time.perf_counter()) < end:
            seq += 1
            if kind == "rows":
                await store.submit_rows(INSERT_JOURNAL, [row])
            else:
                await store.run(frame(producer, seq), timeout=10)
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*[produce(producer) for producer in range(producers)])
    took = time.perf_counter() - began
    await store.stop()
    waits.sort()
    return len(waits) / took, len(waits) / len(commits), waits[int(len(waits) * 0.99)] * 1000


async def main(folder: Path, seconds: float) -> None:
    print(f"flushed appends: {flushes(folder):,.0f}/s")
    cases = [(kind, producers) for kind in ("rows", "script") for producers in (1, 20, 50)]
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {case: [] for case in cases}
    for _ in range(ROUNDS):  # interleaved: the machine's other work falls on all cases alike
        for case in cases:
            found[case].append(await measure(folder, *case, seconds))
    for (kind, producers), rounds in found.items():
        rates = [rate for rate, _, _ in rounds]
        group, p99 = median(one[1] for one in rounds), median(one[2] for one in rounds)
        spread = f"{min(rates):,.0f}-{max(rates):,.0f}"
        print(
            f"{kind:6} {producers:3} producers: {median(rates):8,.0f}/s ({spread}), {group:4.1f} per commit, p99 {p99:.2f} ms"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        asyncio.run(main(Path(name), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0))
