"""How is a specimen's story drawn? A tree: message by message from the wire to the LIS, readable at 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from labmw.cli.trace_words import guarded
from labmw.phrases import Language, say
from labmw.watch.spoken import moment, some, trouble

Value = Mapping[str, Any]
STATES = {
    "delivered": "bold green", "released": "green", "detail": "dim", "control": "cyan", "verify": "yellow",
    "held": "bold yellow", "blocked": "bold red", "quarantined": "bold magenta", "dead": "bold red", "technical": "bold yellow", "rejected": "red",
}  # fmt: skip
OUTCOMES = {"fired": "yellow", "unknown": "yellow", "passed": "dim", "exempt": "dim"}
LINE = 76  # characters of bytes shown in one line; --bytes shows all


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws one story."""

    language: Language
    zone: ZoneInfo
    every_byte: bool

    def draw(self, console: Console, story: Value) -> None:
        """Print it. What came over the wire may not steer a terminal: control characters are spelled out, wherever they stand."""
        story = _spelled_out(story)
        console.print(Text(self._say("story-specimen", specimen=story["specimen"]), "bold"))
        for tube in story["tubes"]:
            console.print(Padding(self._tube(tube), (0, 2)))
        for patient in story["patients"]:
            console.print(Padding(Text(self._patient(patient)), (0, 2)))
        orders = some((order["loinc"] for order in story["orders"]), 12)
        console.print(Padding(Text(self._say("story-orders", count=len(story["orders"]), orders=orders)), (0, 2)))
        if not story["messages"]:
            console.print(Text(self._say("story-nothing-yet"), "yellow"))
        for message in story["messages"]:
            console.print()
            console.print(self._message(message))

    def _message(self, message: Value) -> Tree:
        heading = Text(
            self._say(
                "story-message", number=message["message"], line=message["line"], at=self._at(message["received_at"])
            ),
            "bold cyan",
        )
        tree = Tree(heading, guide_style="dim")
        facts = {name: message[name] for name in ("peer", "driver", "mapping", "labmw")}
        tree.add(Text(self._say("story-read-by", **facts), "dim"))
        if not message["terminated"]:
            tree.add(Text(self._say("story-unterminated", ended=message["session"]["ended"]), "bold magenta"))
        if message["unreadable"]:
            tree.add(Text(message["unreadable"], "bold magenta"))
        if message["tolerances"]:
            tree.add(Text(self._say("story-tolerances", names=", ".join(message["tolerances"])), "yellow"))
        for entry in message["quarantine"]:
            tree.add(self._quarantine(entry))
        tree.add(Text(self._say("story-wire"), "bold")).add(self._wire(message["wire"]))
        if message["reply"]:
            tree.add(Text(f"{self._say('story-reply')} {self._cut(message['reply'])}"))
        if kinds := [one["kind"] for one in message["pictures"]]:
            told = ", ".join(f"{kinds.count(kind)} x {self._say(f'picture-{kind}')}" for kind in dict.fromkeys(kinds))
            tree.add(Text(self._say("pictures-kept", what=told), "dim"))
        frames = {frame["seq"]: frame for frame in message["frames"]}
        for result in message["results"]:
            self._result(tree, result, frames)
        for repeat in message["repeats"]:
            branch = tree.add(
                Text(self._say("story-repeat-of", test=repeat["test"], at=self._at(repeat["seen_at"])), "cyan")
            )
            branch.add(self._bytes(repeat["record"]))
        return tree

    def _result(self, tree: Tree, result: Value, frames: Mapping[int, Value]) -> None:
        word = say(f"state-{result['state']}", self.language)
        state = Text(f" {word} ", f"reverse {STATES.get(result['state'], '')}")
        value = " ".join(filter(None, (result["value"], result["unit_raw"])))
        detail = f" [{result['detail']}]" if result["detail"] else ""
        heading = Text.assemble((f"{result['test']}{detail}  ", "bold"), (value, "bold"), "  ", state)
        branch = tree.add(heading)
        for seq in result["record"]["frames"]:
            if seq in frames:
                branch.add(Text(self._frame(frames[seq])))
        record = Text(self._say("story-record", number=result["record"]["number"]) + " ")
        branch.add(record.append_text(self._bytes(result["record"]["bytes"])))
        branch.add(Text(self._reading(result)))
        if result["measured_with"]:
            branch.add(Text(self._say("story-measured-with", what=self._measured_with(result)), "dim"))
        for alert in result["alerts"]:
            facts = {"sentence": alert["sentence"], "at": self._at(alert["raised_at"])}
            branch.add(Text(self._say(f"story-alert-{alert['state']}", **facts), "bold red"))
        for entry in result["quarantine"]:
            branch.add(self._quarantine(entry))
        if result["verdict"]:
            self._verdict(branch, result["verdict"])
        self._followed(branch, result)
        for entry in result["outbox"]:
            self._outbox(branch, entry)
        for repeat in result["repeats"]:
            branch.add(
                Text(self._say("story-seen-again", at=self._at(repeat["seen_at"]), message=repeat["message"]), "cyan")
            )

    def _followed(self, branch: Tree, result: Value) -> None:
        """What was decided before, what rules had done, whom somebody called, and what speaks against it since."""
        for one in result["decided_before"]:
            branch.add(
                Text(self._say("story-before", sentence=one["sentence"], at=self._at(one["at"]), by=one["by"]), "dim")
            )
        for one in result["actions"]:
            what = f"{say('action-' + one['kind'], self.language)} {one['target']}".strip()
            facts = {"rule": one["rule"], "what": what}
            branch.add(Text(self._say(f"story-action-{one['state']}", why=one["why"], **facts), "cyan"))
        for one in result["calls"]:
            times = {"since": self._at(one["raised_at"]), "at": self._at(one["called_at"])}
            facts = {"by": one["called_by"], "told": one["told"], "read_back": one["read_back"]}
            style = "bold red" if one["state"] == "open" else "green"
            branch.add(Text(self._say(f"story-call-{one['state']}", **facts, **times), style))
        for one in result["recalls"]:
            facts = {"sentence": one["sentence"], "why": one["why"], "by": one["closed_by"], "note": one["note"]}
            style = "bold red" if one["state"] == "open" else "dim"
            branch.add(Text(self._say(f"story-recall-{one['state']}", at=self._at(one["raised_at"]), **facts), style))

    def _frame(self, frame: Value) -> str:
        code = "story-frame" if frame["answer"] else "story-frame-unanswered"
        facts = {"seq": frame["seq"], "number": frame["number"], "answer": frame["answer"]}
        times = {name: self._clock(frame[name]) for name in ("came_at", "stored_at", "answered_at")}
        return self._say(code, **facts, **times)

    def _measured_with(self, result: Value) -> str:
        """The device, then reagents, calibrators and consumables with their lots."""
        told = []
        for one in result["measured_with"]:
            kind = f" ({one['kind']})" if one["kind"] != "device" else ""
            lot = f" {self._say('story-lot', lot=one['lot'])}" if one["lot"] else ""
            told.append(f"{one['name']}{kind}{lot}")
        return ", ".join(told)

    def _reading(self, result: Value) -> str:
        read = result["read_as"]
        number = f"{read['comparator']}{read['number']}"
        facts = {
            "value": " ".join(filter(None, (number, read["ucum"]))) or self._say("story-text"),
            "code": result["code"],
            "loinc": read["loinc"] or "–",
            "flags": ", ".join(result["flags"]) or "–",
            "measured": self._at(result["completed_at"])
            if result["completed_at"]
            else (result["completed_raw"] or "–"),
            "driver": result["driver"],
            "analyzer": result["analyzer"],
        }
        return self._say("story-reading", **facts)

    def _verdict(self, branch: Tree, verdict: Value) -> None:
        packs = some(pack.get("pack", "") for pack in verdict["packs"])
        facts = {
            "sentence": verdict["sentence"],
            "at": self._at(verdict["decided_at"]),
            "packs": packs,
            "by": verdict["decided_by"],
        }
        style = "green" if verdict["level"] in ("release", "comment") else "bold yellow"
        node = branch.add(Text(self._say("story-verdict", **facts), style))
        for reason in verdict["reasons"]:
            rule = guarded(reason["rule"], self.language)
            node.add(Text(f"{reason['sentence']}  ({rule})" if rule else reason["sentence"]))
        quiet = [line["rule"] for line in verdict["trace"] if line["outcome"] == "passed" and not line["detail"]]
        for line in verdict["trace"]:
            if line["rule"] not in quiet:
                node.add(Text(line["sentence"], OUTCOMES.get(line["outcome"], "")))
        if quiet:
            node.add(
                Text(
                    self._say("story-nothing-against", rules=", ".join(guarded(rule, self.language) for rule in quiet)),
                    "dim",
                )
            )

    def _outbox(self, branch: Tree, entry: Value) -> None:
        facts = {name: entry[name] for name in ("destination", "control_id", "attempts", "last_error")}
        facts["last_error"] = trouble(entry["last_error"], self.language)
        times = {"created": self._at(entry["created_at"]), "delivered": self._at(entry["delivered_at"])}
        style = {"delivered": "green", "dead": "bold red"}.get(entry["state"], "yellow")
        node = branch.add(Text(self._say(f"story-outbox-{entry['state']}", **facts, **times), style))
        if self.every_byte and entry["payload"]:
            node.add(Text(f"> {entry['payload']}", "dim", overflow="fold"))
        if entry["receipt"]:
            node.add(Text.assemble("< ", self._cut(entry["receipt"])))

    def _quarantine(self, entry: Value) -> Text:
        facts = {
            "sentence": entry["sentence"],
            "at": self._at(entry["raised_at"]),
            "closed": self._at(entry["closed_at"]),
            "note": entry["note"],
        }
        return Text(
            self._say(f"story-quarantine-{entry['state']}", **facts),
            "bold magenta" if entry["state"] == "open" else "magenta",
        )

    def _wire(self, wire: Sequence[Value]) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for piece in wire:
            arrow = Text(piece["direction"], "green" if piece["direction"] == ">" else "blue")
            grid.add_row(self._clock(piece["at"]), arrow, self._bytes(piece["bytes"], piece["size"]))
        return grid

    def _bytes(self, shown: str, size: int | None = None) -> Text:
        """Bytes, cut to a line unless all are wanted; control characters stand out."""
        text = shown if self.every_byte else self._cut(shown, size)
        styled = Text(text, overflow="fold")
        styled.highlight_regex(r"<(?:[A-Z]{2,3}|0x[0-9A-F]{2})>", "bold blue")
        return styled

    def _cut(self, shown: str, size: int | None = None) -> str:
        if self.every_byte or len(shown) <= LINE:
            return shown
        more = self._say("story-bytes", count=size if size is not None else len(shown))
        return f"{shown[: LINE - len(more) - 2]}… {more}"

    def _tube(self, tube: Value) -> Text:
        facts = {"kind": tube["kind"] or "–", "ward": tube["ward"] or "–", "patient": tube["patient"] or "–"}
        times = {name: self._at(tube[name]) for name in ("collected", "valid_from", "valid_to")}
        return Text(self._say("story-tube", **facts, **times))

    def _patient(self, patient: Value) -> str:
        if "family" in patient:
            return self._say("story-patient-named", **patient)
        return self._say("story-patient", **patient)

    def _at(self, stamp: str) -> str:
        return moment(stamp or None, self.zone)

    def _clock(self, stamp: str) -> str:
        """The time of day to the millisecond: what matters on a wire."""
        from labmw.clock import read_stamp

        return read_stamp(stamp).astimezone(self.zone).strftime("%H:%M:%S.%f")[:-3] if stamp else "–"

    def _say(self, code: str, /, **facts: object) -> str:
        return say(code, self.language, **facts)


def _spelled_out(value: Any) -> Any:
    """The same value with every control character written as its code."""
    if isinstance(value, str):
        return (
            value
            if value.isprintable()
            else "".join(one if one.isprintable() else f"<0x{ord(one):02X}>" for one in value)
        )
    if isinstance(value, Mapping):
        return {name: _spelled_out(one) for name, one in value.items()}
    return [_spelled_out(one) for one in value] if isinstance(value, list) else value
