"""How is it told? Tables for a person, with every target and whether it was met, and the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.decode import Comparison
from tests.benchmarks.durable import DurableCell
from tests.benchmarks.floor import Floor
from tests.benchmarks.identity import BETTER, Found
from tests.benchmarks.law import QueryCell, ReportCell, p99
from tests.benchmarks.planted import Planted
from tests.benchmarks.receive import Cell
from tests.benchmarks.rounds import Sample
from tests.benchmarks.rules import Replayed

LOOP = 20.0  # times as fast as one result at a time, at least
EDITED = 0.1  # of the time of all sixty rules, at most
SHARE = 0.25  # of the reference's rate, at least


def machine_table(console: Console, machine: dict[str, str]) -> None:
    """What it was measured on."""
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)


def comparison_table(console: Console, title: str, comparison: Comparison) -> None:
    """Times of one message, beside the peer."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column, justify in (
        ("", "left"),
        ("median", "right"),
        ("spread", "right"),
        ("times the peer", "right"),
        ("target", "left"),
    ):
        table.add_column(column, justify="left" if justify == "left" else "right")
    for name, sample in comparison.samples.items():
        times = comparison.times_peer(name)
        target = comparison.targets.get(name)
        table.add_row(
            name,
            f"{sample.median * 1e6:.1f} µs",
            f"{sample.low * 1e6:.1f} to {sample.high * 1e6:.1f}",
            ""
            if times is None or name == comparison.peer
            else f"{times.median:.1f} ({times.low:.1f} to {times.high:.1f})",
            "" if target is None else _verdict(times, target, f"at least {target:g} times"),
        )
    if comparison.missing:
        table.add_row(comparison.peer, "not measured", "", "", comparison.missing)
    console.print(table)


def replay_table(console: Console, one: Replayed) -> None:
    """A year of results at once."""
    table = Table(title=f"Replay: {one.results:,} results under sixty rules", title_justify="left", title_style="bold")
    for column in ("", "median", "spread", "target"):
        table.add_column(column, justify="left" if column in ("", "target") else "right")
    target = f"{one.times:.0f} times our own loop ({one.loop:.1f} s), at least {LOOP:g} times: " + _met(
        one.times >= LOOP
    )
    table.add_row("sixty conditions on stored features", *_ms(one.all_rules), target)
    share = f"{one.share:.2f} of all sixty, at most {EDITED:g}: " + _met(one.share <= EDITED)
    table.add_row("one edited rule", *_ms(one.one_rule), share)
    table.add_row("whole packs: verdict, guards, each rule's level", f"{one.whole * 1e3:,.0f} ms", "", "")
    table.add_row(
        "features from the raw table",
        f"{one.features * 1e3:,.0f} ms",
        "",
        f"{one.memory:,.0f} MB at most in this process",
    )
    console.print(table)


def safety_tables(console: Console, one: Planted, score: Found | None) -> None:
    """What rules stop of what was planted, and what a score of many tests finds in public data."""
    table = Table(
        title=f"Planted in {one.results:,} results of invented patients; shipped packs, as an example",
        title_justify="left",
        title_style="bold",
    )
    for column in ("mishap", "specimens", "something stopped", "results touched", "released all the same"):
        table.add_column(column, justify="left" if column == "mishap" else "right")
    for kind, (tubes, stopped, results, released) in one.kinds.items():
        table.add_row(kind, str(tubes), f"{stopped / tubes:.0%}", str(results), str(released))
    console.print(table)
    console.print(
        f"Held for nothing: {one.false_holds:.2%} of the rest. A generator can flatter, and can be unfair.",
        highlight=False,
    )
    if score is None:
        console.print("Identity score: the public data are not here, so it was not measured.", style="yellow")
        return
    table = Table(
        title=f"Exchanged tubes found in {score.panels:,} specimens of a public trial; set on half of the subjects",
        title_justify="left",
        title_style="bold",
    )
    for column in ("held for nothing, wanted", "found", "exchanged tubes caught", "95 % interval"):
        table.add_column(column, justify="right")
    for wanted, held, caught, low, high in score.curve:
        table.add_row(f"{wanted:.0%}", f"{held:.1%}", f"{caught:.1%}", f"{low:.1%} to {high:.1%}")
    console.print(table)
    best = score.best
    console.print(f"The best test alone: {best.name} ({best.mode}), {best.caught:.1%} at {best.false_holds:.1%} held for nothing; at no more than 5 % found the score catches {score.above * 100:.0f} points more, at least 20: {_met(score.above >= BETTER)}")  # fmt: skip


def safety_json(one: Planted, score: Found | None) -> dict[str, Any]:
    """The same for a script."""
    told = (
        None
        if score is None
        else {"curve": score.curve, "best": score.best.name, "best_caught": score.best.caught, "panels": score.panels}
    )
    return {"planted": one.kinds, "false_holds": one.false_holds, "results": one.results, "identity": told}


def _ms(sample: Sample) -> tuple[str, str]:
    return f"{sample.median * 1e3:,.1f} ms", f"{sample.low * 1e3:,.1f} to {sample.high * 1e3:,.1f}"


def _met(met: bool) -> str:
    return "[green]met[/]" if met else "[bold red]missed[/]"


def replay_missed(one: Replayed) -> list[str]:
    """Every target of the replay that was not met."""
    found = []
    if one.times < LOOP:
        found.append(f"replay: {one.times:.1f} times our own loop, wanted {LOOP:g}")
    if one.share > EDITED:
        found.append(f"one edited rule: {one.share:.2f} of all sixty, wanted {EDITED:g}")
    return found


def replay_json(one: Replayed) -> dict[str, Any]:
    """The replay in seconds and MB."""
    return {
        "results": one.results, "sixty_rules": one.all_rules.values, "one_rule": one.one_rule.values, "loop": one.loop, "times_loop": one.times,
        "whole_packs": one.whole, "features": one.features, "memory_mb": one.memory,
    }  # fmt: skip


def receive_table(console: Console, cells: Sequence[Cell], flushes: dict[int, float], why: str) -> None:
    """Rates and times to ACK, beside the reference, by delay of a flush."""
    for delay, rate in flushes.items():
        title = f"receive, store, ACK; {rate:,.0f} flushes a second" + (
            f" (each {delay} ms later)" if delay else " (this disk)"
        )
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in ("", "connections", "messages/s", "spread", "p50 ms", "p99 ms", "worst", "CPU ms/message"):
            table.add_column(column, justify="left" if not column else "right")
        table.add_column("share of the reference")
        for cell in cells:
            if cell.delay == delay:
                _receive_rows(table, cell)
        console.print(table)
    if why:
        console.print(f"Slower flushes not measured: {why}.", style="yellow")


def law_tables(console: Console, cells: Sequence[ReportCell], queries: QueryCell, why: str) -> None:
    """Reports and queries of a LAW line, beside others."""
    table = Table(title="LAW: report, store, ACK", title_justify="left", title_style="bold")
    for column in ("", "connections", "messages/s", "spread", "p50 ms", "p99 ms", "labmw is so many times it"):
        table.add_column(column, justify="left" if not column else "right")
    for cell in cells:
        if cell.error:
            table.add_row("failed", str(cell.connections), "", "", "", "", cell.error, style="red")
            continue
        for who, outcomes in cell.outcomes.items():
            if outcomes:
                rate = cell.sample(who, "rate")
                times = cell.over(who) if who != "labmw" else None
                table.add_row(
                    who,
                    str(cell.connections),
                    f"{rate.median:,.1f}",
                    f"{rate.low:,.1f} to {rate.high:,.1f}",
                    f"{cell.sample(who, 'median').median:.2f}",
                    f"{cell.sample(who, 'p99').median:.2f}",
                    f"{times.median:.2f} ({times.low:.2f} to {times.high:.2f})" if times else "",
                )
    console.print(table)
    if queries.error:
        console.print(f"LAW queries failed: {queries.error}", style="red", markup=False)
    else:
        asked, trips = ([one for waits in some for one in waits] for some in (queries.queries, queries.round_trips))
        console.print(
            f"LAW query to order, {queries.orders:,} open orders, {len(asked):,} queries: p50 {median(asked):.2f} ms, p99 {p99(asked):.2f} ms; "
            f"one durable round trip: p50 {median(trips):.2f} ms, p99 {p99(trips):.2f} ms; {queries.times:.1f} times.",
            highlight=False,
        )
    if why:
        console.print(f"python-hl7 not measured: {why}.", style="yellow")


def law_json(cells: Sequence[ReportCell], queries: QueryCell) -> dict[str, Any]:
    """The same for a script: milliseconds."""
    return {
        "reports": [{"connections": one.connections, "rounds": one.outcomes, "error": one.error} for one in cells],
        "queries": {
            "orders": queries.orders,
            "milliseconds": queries.queries,
            "round_trips": queries.round_trips,
            "error": queries.error,
        },
    }


def _receive_rows(table: Table, cell: Cell) -> None:
    if cell.error:
        table.add_row(cell.protocol, str(cell.connections), "failed", "", "", "", "", "", cell.error, style="red")
        return
    for who in ("labmw", "reference"):
        rate = cell.sample(who, "rate")
        table.add_row(
            f"{cell.protocol} {who}",
            str(cell.connections),
            f"{rate.median:,.1f}",
            f"{rate.low:,.1f} to {rate.high:,.1f}",
            f"{cell.sample(who, 'median').median:.2f}",
            f"{cell.sample(who, 'p99').median:.2f}",
            f"{cell.sample(who, 'worst').high:.1f}",
            f"{cell.cost(who).median:.2f}",
            _verdict(cell.share, SHARE, f"at least {SHARE:g}", show=True) if who == "labmw" else "",
        )


def _verdict(times: Sample | None, target: float, words: str, *, show: bool = False) -> str:
    if times is None:
        return f"{words}: not measured"
    value = f"{times.median:.3f} ({times.low:.2f} to {times.high:.2f}); " if show else ""
    return f"{value}{words}: " + ("[green]met[/]" if times.median >= target else "[bold red]missed[/]")


def missed(comparisons: Sequence[Comparison], cells: Sequence[Cell]) -> list[str]:
    """Every target that was not met, in a sentence."""
    found = []
    for comparison in comparisons:
        for name, target in comparison.targets.items():
            times = comparison.times_peer(name)
            if times is not None and times.median < target:
                found.append(f"{name}: {times.median:.1f} times {comparison.peer}, wanted {target:g}")
    for cell in cells:
        if not cell.error and cell.share.median < SHARE:
            where = f"{cell.protocol}, {cell.connections} connections, flush +{cell.delay} ms"
            found.append(f"{where}: {cell.share.median:.2f} of the reference, wanted {SHARE:g}")
    return found


def as_json(
    machine: dict[str, str],
    comparisons: dict[str, Comparison],
    cells: Sequence[Cell],
    flushes: dict[int, float],
    states: dict[str, int],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Everything, for a script: seconds for times of codecs, else as the names say."""
    return {
        "machine": machine,
        "flushes_per_second": {str(delay): rate for delay, rate in flushes.items()},
        "codecs": {
            title: {
                "seconds": {name: sample.values for name, sample in one.samples.items()},
                "peer": one.peer,
                "times_peer": {name: times.median for name in one.samples if (times := one.times_peer(name))},
                "targets": one.targets,
                "missing": one.missing,
            }
            for title, one in comparisons.items()
        },
        "receive": [
            {
                "protocol": cell.protocol,
                "connections": cell.connections,
                "flush_delay_ms": cell.delay,
                "rounds": cell.outcomes,
                "cpu_seconds": cell.processor,
                "share_of_reference": None if cell.error else cell.share.median,
                "error": cell.error,
            }
            for cell in cells
        ],
        "results_of_labmw_by_state": states,
        "missed": missed(list(comparisons.values()), cells),
        "notes": list(notes),
    }


def durable_table(console: Console, cells: Sequence[DurableCell], why: str) -> None:
    """Durable end to end on both databases, beside the reference and its twin."""
    title = "durable end to end: OUL^R22 of 40 segments, ten results, 20 connections"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in ("store", "flush", "", "messages/s", "p99 ms", "bytes/message", "flushes/message"):
        table.add_column(column, justify="left" if column in ("store", "") else "right")
    table.add_column("share of the reference")
    for cell in cells:
        if cell.error:
            table.add_row(cell.store, f"+{cell.delay} ms", "failed", "", "", "", "", cell.error, style="red")
            continue
        for who in ("labmw", "reference"):
            size, flushes = cell.written.get(who, (0.0, 0.0))
            share = f"{cell.share.median:.2f} ({cell.share.low:.2f} to {cell.share.high:.2f})"
            table.add_row(
                cell.store,
                f"+{cell.delay} ms",
                who,
                f"{Sample(tuple(cell.rates[who])).median:,.0f}",
                f"{Sample(tuple(cell.p99[who])).median:.1f}",
                f"{size:,.0f}" if size else "",
                f"{flushes:.2f}" if size else "",
                share if who == "labmw" else "",
            )
    console.print(table)
    if why:
        console.print(f"PostgreSQL not measured: {why}.", style="yellow")


def floor_table(console: Console, least: Floor, cells: Sequence[DurableCell]) -> None:
    """What a message with ten results costs at least, beside what the wanted share of the reference leaves for it."""
    title = "the least that such a message can cost: its rows and its reading, and nothing else"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("what")
    table.add_column("ms a message", justify="right")
    for name, sample in least.samples.items():
        table.add_row(name, f"{sample.median * 1e3:.3f} ({sample.low * 1e3:.3f} to {sample.high * 1e3:.3f})")
    console.print(table)
    for cell in cells:
        if cell.store == "sqlite" and cell.delay == 0 and not cell.error:
            leaves = 1 / (SHARE * Sample(tuple(cell.rates["reference"])).median)
            console.print(
                f"{SHARE} of the reference leaves {leaves * 1e3:.2f} ms a message; rows and reading need {least.least * 1e3:.2f}.",
                highlight=False,
            )


def durable_json(cells: Sequence[DurableCell]) -> list[dict[str, Any]]:
    """The same for a script."""
    return [asdict(cell) for cell in cells]
