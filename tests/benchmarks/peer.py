"""How long do python-astm, python-hl7 and zen-engine take? Runs inside their environment and answers one line of JSON for each line it is sent.

Started by peers.py with the interpreter of .venv-peers; it imports nothing of labmw.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
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


def _typed(case: dict[str, Any]) -> dict[str, Any]:
    """A case as software holds it in memory: decimals and moments, not texts."""
    return {
        **case,
        "own": (case["own"][0], Decimal(case["own"][1])),
        "siblings": [(loinc, Decimal(number)) for loinc, number in case["siblings"]],
        "history": [(Decimal(number), datetime.fromisoformat(at)) for number, at in case["history"]],
        "indices": [None if one is None else Decimal(one) for one in case["indices"]],
        "completed": datetime.fromisoformat(case["completed"]),
        "collected": datetime.fromisoformat(case["collected"]),
        "birth": date.fromisoformat(case["birth"]),
    }


def zen(data: list[bytes]) -> Callable[[], object]:
    """zen-engine's one array expression on each case, made into its flat table first; it answers which places of the array are true."""
    compile_expression = import_module("zen").compile_expression
    given = json.loads(data[0])
    expression = compile_expression(given["text"])
    names, alias_of, limits = given["names"], given["aliases"], given["limits"]
    cases = [_typed(one) for one in given["cases"]]

    def flat(case: dict[str, Any]) -> dict[str, Any]:
        """The one table that the engine takes, from results with exact decimals, history, patient and tube."""
        table: dict[str, Any] = dict.fromkeys(names)
        loinc, number = case["own"]
        alias = alias_of[loinc]
        table["analyte"], table["value"], table[alias] = alias, float(number), float(number)
        for other, number in case["siblings"]:
            table[alias_of[other]] = float(number)
        completed = case["completed"]
        earlier = [one for one in case["history"] if one[1] < completed]
        if earlier:
            number, at = max(earlier, key=lambda one: one[1])
            table["previous"], table["hours"] = float(number), (completed - at).total_seconds() / 3600
        collected, birth = case["collected"], case["birth"]
        table["tube_hours"] = (completed - collected).total_seconds() / 3600
        day = collected.date()
        table["age"] = (day - birth).days / 365.2425
        years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
        for name, index in zip(("haemolysis", "icterus", "lipaemia"), case["indices"], strict=True):
            table[name] = None if index is None else float(index)
        sex = case["sex"]
        table["sex"], table["ward"], table["flags"], table["limits"] = sex, case["ward"], case["flags"], None
        for wanted, start, end, ends in limits[alias]:
            if (wanted in (sex, "*")) and start <= years < end:
                table["limits"] = 1
                (
                    table["lim_lo"],
                    table["lim_hi"],
                    table["crit_lo"],
                    table["crit_hi"],
                    table["abs_lo"],
                    table["abs_hi"],
                ) = ends
                break
        return table

    def action() -> object:
        return [expression.evaluate(flat(case)) for case in cases]

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
