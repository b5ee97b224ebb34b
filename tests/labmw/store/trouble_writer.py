"""A process whose disk fails: writes until it is refused, then has the trouble removed and goes on.

    python trouble_writer.py URL file-size|full

Prints the sentence of the refusal, then how many rows were told and how many are in the store.
"""

import asyncio
import resource
import sys

from sqlalchemy import func, select

from labmw.errors import StoreError
from labmw.store import SqliteStore, read_sync, schema
from labmw.store.statements import INSERT_JOURNAL

COUNT = select(func.count().label("n")).select_from(schema.journal)
ROW = {"site": "s", "link": "l", "at": "t", "direction": ">", "data": b"x" * 2000}


async def write(store: SqliteStore, producers: int) -> tuple[int, str]:
    """Write from several sides until each is refused; how many rows were told, and the last sentence."""
    told, sentence = 0, ""

    async def produce() -> None:
        nonlocal told, sentence
        for _ in range(2000):
            try:
                await store.run_rows(INSERT_JOURNAL, [ROW])
            except StoreError as error:
                sentence = str(error)
                return
            told += 1

    await asyncio.gather(*[produce() for _ in range(producers)])
    return told, sentence


async def main(url: str, trouble: str) -> None:
    store = SqliteStore(url)
    await store.start()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    ballast = store.file.with_name("ballast")
    if trouble == "file-size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, hard))
    else:
        ballast.write_bytes(bytes(600_000))
    told, sentence = await write(store, 20)
    print(sentence)
    again, _ = await write(store, 1)  # still in trouble: refused again, and the writer lives
    print(told + again)
    if trouble == "file-size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    else:
        ballast.unlink()
    for _ in range(20):
        await store.run_rows(INSERT_JOURNAL, [ROW])
    print((await store.read(COUNT))[0].n - 20)
    await store.stop()
    print(read_sync(url, COUNT)[0].n - 20)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
