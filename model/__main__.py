"""Command line: `python -m model COMMAND`; `--help` lists the commands."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

from data.dataset.division import MANIFEST
from model.arguments import parser
from model.config import TrainingConfig
from model.inference.model_files import ModelFileError
from model.preprocessing import ImageError

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, or 1 with a sentence on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options = parser().parse_args(arguments)
    try:
        logging.basicConfig(
            level=os.environ.get("LOG_LEVEL", "INFO").upper(),
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
        )
        COMMANDS[options.command](options)
    except (ImageError, ModelFileError, OSError, ValueError, RuntimeError) as error:
        if options.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _audit(options: argparse.Namespace) -> None:
    from data.audit.command import REPORT, run_audit

    report = run_audit(
        options.data, options.out, options.report or REPORT,
        outlines=options.outlines, cache=options.cache, keep=options.keep, plant=options.plant,
        also=options.also or (),
    )  # fmt: skip
    copied = report["test"]["with_copy_in_training"]["all"]
    print(
        f"{copied:,} of {report['images']['Testing']['all']:,} test images have a copy or a "
        f"mirrored copy in Training\nwritten: {options.out} and {options.report or REPORT}"
    )


def _train(options: argparse.Namespace) -> None:
    from data.dataset.collections import load_collections
    from data.dataset.division import load_manifest
    from data.dataset.outline_files import outlines_of
    from data.dataset.protocols import load_parts
    from model.training.train import train

    names = ("epochs", "seed", "precision")
    changes = {name: value for name in names if (value := getattr(options, name)) is not None}
    config = replace(TrainingConfig(), **changes)
    outlines = outlines_of(options.data, options.outlines) if options.outlines else None
    parts = load_parts(
        options.data, load_manifest(options.splits), options.protocol, cache=options.cache
    )
    result = train(
        config, parts.training, parts.validation, options.out,
        protocol=options.protocol, outlines=outlines,
        collections=load_collections(options.also) if options.also else None,
        devices=options.devices, workers=options.workers,
    )  # fmt: skip
    accuracy, finished = result.history[-1]["val_accuracy"], result.folder / "model.keras"
    figure = "no validation images"
    if not math.isnan(accuracy):
        figure = f"validation accuracy of the last epoch {accuracy:.4f}"
    print(
        f"{finished}: {figure}; next: python -m model export --run {result.folder} "
        f"--data {options.data[0]}" + f" --splits {options.splits}" * (options.splits != MANIFEST)
    )


def _export(options: argparse.Namespace) -> None:
    import keras

    from data.dataset.collections import load_collections
    from data.dataset.division import load_manifest
    from data.dataset.protocols import load_parts
    from model.export.export import export
    from model.export.int8 import choose_calibration, shown_images

    finished = options.run / "model.keras"
    if not finished.exists():
        raise ValueError(
            f"`--run` must be the folder of a finished run. Received: {options.run}, "
            "which has no model.keras"
        )
    if options.quantization == "int8" and options.data is None:
        raise ValueError(
            "`--data` must be the dataset folder for --quantization int8, which calibrates on "
            "training images. Received: none"
        )
    run = json.loads((options.run / "run.json").read_text(encoding="utf-8"))
    model = keras.models.load_model(finished, safe_mode=True)
    calibration = None
    if options.quantization == "int8":
        protocol = run["data"]["protocol"]
        parts = load_parts(options.data, load_manifest(options.splits), protocol)
        if parts.validation is None:
            raise ValueError(
                "`--run` must be under a protocol with validation images for --quantization int8: "
                f"they choose its calibration. Received: {options.run}, under {protocol}"
            )
        others = load_collections(options.also) if options.also else None
        calibration, _ = choose_calibration(
            model, *shown_images(parts.training, parts.validation, others)
        )
    metadata = export(
        model, run, options.out,
        quantization=options.quantization, calibration=calibration,
    )  # fmt: skip
    (options.out / "history.csv").write_bytes((options.run / "history.csv").read_bytes())
    print(json.dumps(metadata["files"], indent=2))


def _calibrate(options: argparse.Namespace) -> None:
    from model.export.fit_trust import calibrate

    print(json.dumps(calibrate(options.data, options.artifacts, options.also or ()), indent=2))


def _score(options: argparse.Namespace) -> None:
    from model.evaluation.scores import RUN_REPORTS, score_run, write_score

    score = score_run(options.run, options.data, splits=options.splits, cache=options.cache)
    name, test = score["protocol"] + " (leaked)" * score["leaked"], score["test"]
    print(f"{name}: {test['correct']:,} of {test['images']:,} = {test['accuracy']:.2%}")
    # the reports' folder is for the dataset of the committed division
    folder = RUN_REPORTS if options.splits == MANIFEST else options.run
    print(f"written: {write_score(score, folder)}")


def _evaluate(options: argparse.Namespace) -> None:
    from model.evaluation.report import build_report, with_new_scores

    if options.scores_only:
        report = with_new_scores(options.artifacts)
    else:
        report = build_report(options.data, options.artifacts, SAMPLES, options.also or ())
    path = options.artifacts / "evaluation.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for file, sets in report["files"].items():
        for name, figures in sets.items():
            print(
                f"{file:7} {name:27} {figures['correct']:5} of {figures['images']:5} "
                f"= {figures['accuracy']:.2%}  loss {figures['loss']:.4f}"
            )
    print(f"written: {path}")


def _classify(options: argparse.Namespace) -> None:
    from model.batch.command import (
        Batch,
        classify_series,
        classify_to_file,
        classify_to_stream,
    )  # fmt: skip

    batch = Batch(options.paths, options.model, options.plane, options.workers)
    try:
        if options.by == "series":
            if options.ray is not None:
                raise ValueError("`--by series` works on one machine alone, without --ray")
            outcome = classify_series(batch, options.out or sys.stdout, fresh=options.fresh)
        elif options.ray is not None:
            from model.batch.cluster import classify_on_ray

            outcome = classify_on_ray(
                batch, _required_out(options), options.ray, summary=options.summary
            )
        elif options.out is None:
            outcome = classify_to_stream(batch, sys.stdout)
        else:
            outcome = classify_to_file(
                batch, options.out, fresh=options.fresh, summary=options.summary
            )
    except KeyboardInterrupt:
        again = "goes on from here" if options.out and not options.ray else "starts anew"
        print(f"stopped; the same command {again}", file=sys.stderr)
        sys.exit(130)
    said = f"{outcome.files:,} files, {outcome.rows:,} rows, {outcome.errors:,} not readable"
    if outcome.skipped:
        said += f"; {outcome.skipped:,} files were done already"
    if outcome.passed_over:
        kinds = sorted(outcome.passed_over.items(), key=lambda kind: (-kind[1], kind[0]))
        said += f"; passed over: {', '.join(f'{count:,} {kind}' for kind, count in kinds)}"
    print(said, file=sys.stderr)
    if options.strict and outcome.errors:
        raise RuntimeError(f"{outcome.errors:,} rows have an error, and --strict was given")


def _required_out(options: argparse.Namespace) -> Path:
    if options.out is None:
        raise ValueError("`--out` must be a folder for --ray. Received: none")
    return Path(options.out)


def _summary(options: argparse.Namespace) -> None:
    from model.batch.summary import summarise

    print(f"written: {summarise(options.predictions)}")


def _judge(options: argparse.Namespace) -> None:
    from model.judge.command import judge

    report = judge(
        options.folder, options.out,
        predictions=options.predictions, model=options.model, workers=options.workers,
    )  # fmt: skip
    found, copies = report["new"], report["copies"]
    for name, what in (("sensitivity", "tumors found"), ("specificity", "healthy heads spared")):
        share = found[name]["share"] if found else None
        if share is not None:
            print(f"{what}: {found[name]['right']:,} of {found[name]['of']:,} = {share:.1%}")
    print(
        f"{copies['images'] if copies else 0:,} of {report['images']:,} pictures are copies of "
        f"training images and counted apart; {report['not_readable']:,} not readable\n"
        f"written: {options.out} and {options.out.with_suffix('.json')}"
    )


COMMANDS = {
    "audit": _audit,
    "train": _train,
    "export": _export,
    "calibrate": _calibrate,
    "score": _score,
    "evaluate": _evaluate,
    "classify": _classify,
    "summary": _summary,
    "judge": _judge,
}


if __name__ == "__main__":
    sys.exit(main())
