"""Markdown tables of what the service was measured against, and under what: for README.md.

As `benchmarks.figures.tables`: each function takes the parsed reports it shows.
"""

from __future__ import annotations

from typing import Any

from benchmarks.figures.tables import table

APPS = {
    "ours": "this app",
    "same": "the same network in Flask and TensorFlow",
    "original": "the original network in it",
}


def comparison(report: dict[str, Any]) -> str:
    """The app against what a user would otherwise run."""
    apps = [report[name] for name in APPS]

    def row(label: str, unit: str, digits: int, values: list[float]) -> list[str]:
        return [label, *(f"{value:,.{digits}f}{unit}" for value in values)]

    rows = [
        row("process start to first prediction", " s", 1,
            [app["seconds_to_first_prediction"] for app in apps]),
        row("resident memory after load", " MB", 0,
            [app["resident_megabytes_after_load"] for app in apps]),
        row("one upload answered, median", " ms", 0,
            [app["milliseconds_of_one"]["p50"] for app in apps]),
        *(
            row(f"answers a second, {clients} client" + "s" * (clients != "1"), "", 1,
                [app["throughput"][clients]["per_second"] for app in apps])
            for clients in apps[0]["throughput"]
        ),
    ]  # fmt: skip
    return table((f"on {report['machine']}", *APPS.values()), rows)


def engines(report: dict[str, Any]) -> str:
    """Engines and precisions that run the network, the fastest first."""
    mirrored = report["conclusion"]["shipped"].endswith("mirrored")
    threads = list(report["conclusion"]["threads"])
    rows = sorted(
        (row for row in report["engines"] if row["mirrored"] == mirrored),
        key=lambda row: float(row["threads"][threads[-1]]["milliseconds"]["p50"]),
    )
    shown = [
        [
            f"**{row['name']}** (shipped)"
            if row["name"] == report["conclusion"]["shipped"]
            else row["name"],
            *(f"{row['threads'][n]['milliseconds']['p50']:.1f} ms" for n in threads),
            f"{row['threads'][threads[-1]]['resident_megabytes']:.0f} MB",
            f"{row['same_label_as_keras']:.1%}",
        ]
        for row in rows
    ]
    on = f" with {report['instructions']}" if "instructions" in report else ""
    head = (
        f"engine, precision{on}",
        *(f"an image, {n} thread" + "s" * (n != "1") for n in threads),
        "resident memory", "same label as Keras",
    )  # fmt: skip
    return table(head, shown)


def endurance(host: dict[str, Any], soak: dict[str, Any], fuzz: dict[str, Any]) -> str:
    """The free plan's limits, half an hour under load, and fuzzing."""
    heat_maps = host["seconds_with_heat_map"]
    slowest = max(host["seconds_of_first_heat_map"], *(max(times) for times in heat_maps.values()))
    limits, mixed, memory = host["limits"], host["mixed"], soak["memory"]
    rows = [
        ["first page, from process start (aim 20 s)", f"{host['seconds_to_first_page']:.1f} s"],
        ["prediction with heat map, slowest (aim 3 s)", f"{slowest:.1f} s"],
        ["peak memory (aim 256 MB)", f"{host['peak_megabytes']:.0f} MB"],
        ["mixed requests, uploads among them",
         f"{mixed['requests']:,}: {_failed(mixed)}, nothing killed"],
    ]  # fmt: skip
    plan = table(
        (f"with {limits['megabytes']:.0f} MB and {limits['processor_share']:.0%} of a core", ""),
        rows,
    )
    restarts = " and ".join(f"{r['requests']:,}" for r in soak["restarts"])
    rows = [
        ["requests", f"{soak['requests']:,}: {_failed(soak)}"],
        ["of these, around two graceful restarts",
         f"{restarts}: {sum(r['lost'] for r in soak['restarts'])} lost"],
        ["memory",
         f"{memory['highest_megabytes']:.0f} MB at most, growing by "
         f"{memory['megabytes_an_hour']:z.1f} ± {memory['standard_error']:.1f} MB an hour"],
        ["fuzzing of what reads uploads",
         f"{fuzz['executions']:,} inputs in {fuzz['minutes']:.0f} minutes, "
         f"{len(fuzz['failures'])} failures, {fuzz['peak_megabytes']:.0f} MB at most"],
    ]  # fmt: skip
    rate = f"{soak['rate_per_second']:.0f} requests a second for {soak['seconds'] / 60:.0f} minutes"
    return f"{plan}\n\n{table((rate + ', good and bad', ''), rows)}"


def study(report: dict[str, Any]) -> str:
    """A study of hundreds of slices, as the page sends it."""
    aims = report["aims"]
    rows = [
        [f"first answer (aim {aims['seconds_to_first_answer']:.0f} s)",
         f"{report['seconds_to_first_answer']:.1f} s"],
        [f"all answers (aim {aims['seconds_to_all']:.0f} s)",
         f"{report['seconds_to_all']:.1f} s"],
        [f"peak memory of the service (aim {aims['peak_megabytes']:.0f} MB)",
         f"{report['peak_megabytes']:.0f} MB"],
    ]  # fmt: skip
    head = (
        f"a zip archive of {report['slices']} slices of {report['side']} x {report['side']}, "
        f"{report['archive_megabytes']:.0f} MB"
    )
    return table((head, f"on {report['machine']}, {report['instructions']}"), rows)


def _failed(found: dict[str, Any]) -> str:
    wrong = sum(found["wrong"].values())
    return f"{wrong} wrong, {found['lost']} lost, {found['busy']} turned away"
