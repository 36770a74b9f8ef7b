"""Markdown tables of batches for docs/scaling.md, and of training at size for docs/training.md.

As `benchmarks.figures.tables`: each function takes the parsed report it shows.
"""

from __future__ import annotations

from typing import Any

from benchmarks.figures.tables import table

QUIET = 0.2  # cores at work below which a machine has nothing else to do


def scaling(report: dict[str, Any]) -> dict[str, str]:
    """Markdown of each section of docs/scaling.md."""
    return {
        "batch": batch(report),
        "ray": ray(report),
        "computed": computed(report),
        "price": price(report["computed"]["price"]),
    }


def batch(report: dict[str, Any]) -> str:
    """What was measured on one machine."""
    steps, busy, threads = report["steps"], report["steps_all_cores"], report["threads"]
    workers = report["workers"]
    rows = [
        [f"`classify`, {run['images']:,} images, {workers} processes",
         f"{run['images_a_second']:.0f} images/s, start included (aim 150)",
         f"{run['peak_megabytes']:.0f} MB"]
        for run in report["processes"]
    ]  # fmt: skip
    again = report["resumed"]
    rows += [
        [f"{workers} threads in one process instead, {threads['images']:,} images",
         f"{threads['images_a_second']:.0f} images/s", ""],
        [f"the same command again, {again['images']:,} images done already",
         f"{again['seconds']:.1f} s", f"{again['peak_megabytes']:.0f} MB"],
        ["one image, one core at work", f"{steps['decode_ms']:.1f} ms decoding and preparing, "
         f"{steps['inference_ms']:.1f} ms inference", ""],
        ["one image, all cores at work", f"{busy['decode_ms']:.1f} ms and "
         f"{busy['inference_ms']:.1f} ms", ""],
        ["core time of an image against the sum of its steps, one core at work",
         f"{steps['ratio']:.2f} times (aim at most 1.3)", ""],
        ["the same, all cores at work", f"{busy['ratio']:.2f} times", ""],
    ]  # fmt: skip
    found = table((f"on {report['machine']}", "", "peak memory"), rows)
    load = report["load_before"]
    if load > QUIET:
        found += (
            f"\n\n**Measured beside other work** ({load:.1f} of {workers} cores busy "
            "before it began): the rates are too low and say nothing about the aims."
        )
    return found


def ray(report: dict[str, Any]) -> str:
    """Ray Data with one and two actors, and how much the second gains."""
    if "ray" not in report:
        return "Not measured yet: `python -m benchmarks.service.batch --ray`."
    runs = report["ray"]["runs"]
    rows = [
        [f"{run['actors']}", f"{run['images']:,}", f"{run['seconds']:.1f} s",
         f"{run['images_a_second']:.0f}",
         f"{run['images_a_second'] / runs[0]['images_a_second']:.2f}"]
        for run in runs
    ]  # fmt: skip
    head = (f"actors, Ray {report['ray']['version']}", "images", "time, start included",
            "images/s", "times one actor")  # fmt: skip
    return table(head, rows)


def computed(report: dict[str, Any]) -> str:
    """How long ten million images would take."""
    found = report["computed"]
    rows = [
        [nodes, f"{int(nodes) * found['price']['cores']:,}", _hours(hours)]
        for nodes, hours in found["hours_for_ten_million"].items()
    ]
    return table(("nodes", "virtual cores", "ten million images (computed)"), rows) + (
        f"\n\nComputed from the rate of one core above, not measured: it assumes "
        f"{found['assumes']}. A million images would cost about "
        f"${found['dollars_a_million']:.2f} of machine time."
    )


def price(found: dict[str, Any]) -> str:
    """Whose price that is."""
    return (
        f"The price is the list price of `{found['instance']}` ({found['cores']} virtual cores) at "
        f"{found['provider']}: ${found['dollars_an_hour']} an hour, as known in {found['known']}."
    )


def _hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"


def pipeline(report: dict[str, Any]) -> str:
    """Augmentation against the training step."""
    step = report["step"]["images_a_second"]
    rows = [["the step alone", f"{step:.0f} images/s", ""]]
    rows += [
        [f"augmentation, {workers}", f"{found['images_a_second']:.0f} images/s",
         f"{found['ratio_to_step']:.1f} times the step"]
        for workers, found in report["augmentation"].items()
    ]  # fmt: skip
    return table(
        (f"on {report['machine']}, {report['backend']}, {report['precision']}", "", ""), rows
    )


def size(report: dict[str, Any]) -> str:
    """Time and memory of a dataset that does not fit the memory."""
    labels = {
        "store": "bringing them into the store", "audit": "the audit",
        "training": "loading, augmenting and some training steps",
    }  # fmt: skip
    rows = []
    for name, label in labels.items():
        stage = report["stages"][name]
        rows.append(
            [label, f"{stage['seconds'] / 60:.1f} min",
             f"{stage['processor_seconds'] / 60:.1f} min", f"{stage['peak_megabytes']:,.0f} MB"]
        )  # fmt: skip
    rows.append(["the most", "", "", f"{report['peak_megabytes']:,.0f} MB (aim 3,000)"])
    head = (f"{report['images']:,} images on {report['machine']}", "time", "processor time",
            "peak memory")  # fmt: skip
    return table(head, rows)
