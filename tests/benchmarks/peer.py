"""How long do python-astm, python-hl7 and zen-engine take? Runs inside their environment and answers one line of JSON for each line it is sent.

Started by peers.py with the interpreter of .venv-peers; it imports nothing of labmw.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any


def astm(frames: list[bytes]) -> Callable[[], object]:
    """python-astm's decode on each frame: checksum, records, fields and components. It wants the stream cut into frames by somebody else."""
    decode = import_module("astm.codec").decode

    def action() -> object:
        return [decode(one) for one in frames]

    records = [record for one in action() for record in one]  # type: ignore[attr-defined]
    assert len(records) == len(frames), f"{len(records)} records from {len(frames)} frames"
    assert records[-1][0] == "L"
    return action


def hl7(blocks: list[bytes]) -> Callable[[], object]:
    """python-hl7's parse, and the values of a result message."""
    parse = import_module("hl7").parse
    text = blocks[0].decode("utf-8")

    def action() -> object:
        message = parse(text)
        patient = message.segment("PID")
        read = [str(patient(3)(1)(1)), str(patient(5)(1)(1)), str(message.segment("SPM")(2)(1)(1)(1))]
        for obx in message.segments("OBX"):
            read += [str(obx(3)(1)(1)), str(obx(5)), str(obx(6)(1)(1)), str(obx(8)(1)(1)), str(obx(11)), str(obx(19))]
        return read

    return action


def zen(data: list[bytes]) -> Callable[[], object]:
    """zen-engine's one array expression on each flat table; it answers which places of the array are true."""
    compile_expression = import_module("zen").compile_expression
    text, contexts = json.loads(data[0])
    expression = compile_expression(text)

    def action() -> object:
        return [expression.evaluate(context) for context in contexts]

    assert all(isinstance(one, list) for one in action())  # type: ignore[attr-defined]
    return action


ACTIONS: dict[str, Callable[[list[bytes]], Callable[[], object]]] = {"astm": astm, "hl7": hl7, "zen": zen}


def main() -> None:
    """Prepare what the arguments name, then time it on demand."""
    request = json.loads(sys.stdin.readline())
    data = [bytes.fromhex(one) for one in request["data"]]
    try:
        action = ACTIONS[request["peer"]](data)
    except Exception as error:  # the benchmark tells it and goes on
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return
    read = action() if request["peer"] != "astm" else None
    if request["peer"] == "zen":
        read = [[place for place, holds in enumerate(one) if holds is True] for one in read]  # type: ignore[attr-defined]
    print(json.dumps({"read": read}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": timed(action, int(line))}), flush=True)


def timed(action: Callable[[], Any], times: int) -> float:
    """Seconds for one time."""
    gc.collect()
    began = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - began) / times


if __name__ == "__main__":
    main()
