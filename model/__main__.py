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

from data.dataset.division import MANIFEST, PROTOCOLS
from model.config import ARTIFACTS, PRECISIONS, QUANTIZATIONS, RECIPES
from model.inference.classifier import DEFAULT_MODEL_PATH, ModelFileError
from model.preprocessing import ImageError
from model.reading.scan import PLANES

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, or 1 with a sentence on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options = _parser().parse_args(arguments)
    try:
        logging.basicConfig(
            level=os.environ.get("LOG_LEVEL", "INFO").upper(),
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
        )
        options.command(options)
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
    from data.dataset.division import load_manifest
    from data.dataset.outline_files import outlines_of
    from data.dataset.protocols import load_parts
    from model.training.train import train

    names = ("epochs", "learning_rate", "seed", "precision", "phantom_share", "phantom_seed")
    changes = {name: value for name in names if (value := getattr(options, name)) is not None}
    config = replace(RECIPES[options.stage], **changes)
    outlines = outlines_of(options.data, options.outlines) if options.outlines else None
    parts = load_parts(
        options.data, load_manifest(options.splits), options.protocol, cache=options.cache
    )
    result = train(
        config, parts.training, parts.validation, options.out,
        protocol=options.protocol, outlines=outlines, init=options.init,
        devices=options.devices, workers=options.workers,
    )  # fmt: skip
    accuracy, finished = result.history[-1]["val_accuracy"], result.folder / "model.keras"
    figure = (
        "no validation images" if math.isnan(accuracy) else f"validation accuracy {accuracy:.4f}"
    )
    print(
        f"{finished}: {figure}; next: python -m model export --run {result.folder} "
        f"--data {options.data[0]}" + f" --splits {options.splits}" * (options.splits != MANIFEST)
    )


def _export(options: argparse.Namespace) -> None:
    import keras

    from data.dataset.division import load_manifest
    from data.dataset.protocols import load_parts
    from model.export.export import export
    from model.export.int8 import choose_calibration

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
        calibration, _ = choose_calibration(
            model, parts.training.images, parts.validation.images, mirrored=options.mirrored
        )
    metadata = export(
        model, run, options.out,
        quantization=options.quantization, calibration=calibration, mirrored=options.mirrored,
    )  # fmt: skip
    (options.out / "history.csv").write_bytes((options.run / "history.csv").read_bytes())
    print(json.dumps(metadata["files"], indent=2))


def _calibrate(options: argparse.Namespace) -> None:
    from model.export.fit_trust import calibrate

    print(json.dumps(calibrate(options.data, options.artifacts), indent=2))


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
        report = build_report(options.data, options.artifacts, SAMPLES)
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


def _devices(text: str) -> int | str:
    return text if text == "all" else int(text)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, required=True, nargs="+", metavar="DIR",
        help="dataset folder, or several of the same layout",
    )  # fmt: skip
    command.add_argument(
        "--cache", type=Path, metavar="DIR",
        help="keep the images there instead of in memory; by default data/cache for many images",
    )  # fmt: skip


def _add_outlines(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--outlines", type=Path, nargs="+", metavar="FILE",
        help="tumour outlines, from data.outlines: a file for each dataset folder, in order",
    )  # fmt: skip


def _add_collections(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--also", type=Path, nargs="+", metavar="DIR",
        help="other collections of MRIs, COLLECTION/CLASS/*, or folders of such",
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    audit = commands.add_parser("audit", help="find copies and divide the dataset")
    _add_data(audit)
    _add_outlines(audit)
    _add_collections(audit)
    audit.add_argument(
        "--keep", type=Path, help="an earlier division whose validation images stay such"
    )
    audit.add_argument("--out", type=Path, default=MANIFEST, help="the division to write")
    audit.add_argument("--report", type=Path, help="JSON to write; a readable .md goes beside it")
    audit.add_argument(
        "--plant", type=int, default=0, metavar="N",
        help="also search for changed copies of N images of each class",
    )  # fmt: skip
    audit.set_defaults(command=_audit)

    train = commands.add_parser("train", help="train a network, or resume a run")
    _add_data(train)
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument(
        "--protocol", choices=PROTOCOLS, default="official",
        help="which images to train and validate on",
    )  # fmt: skip
    _add_outlines(train)
    train.add_argument("--splits", type=Path, default=MANIFEST, help="the dataset's division")
    train.add_argument(
        "--stage", choices=tuple(RECIPES), default="counterfactuals",
        help="whose settings to take; the others given here come on top",
    )  # fmt: skip
    train.add_argument(
        "--init", type=Path,
        help="finished run of the same protocol to start from: the stage before",
    )  # fmt: skip
    train.add_argument("--epochs", type=int)
    train.add_argument("--learning-rate", type=float, help="its peak")
    train.add_argument("--seed", type=int)
    train.add_argument("--precision", choices=PRECISIONS)
    train.add_argument("--phantom-share", type=float, help="share of draws that are phantoms")
    train.add_argument("--phantom-seed", type=int, help="seed of the first of their pool")
    train.add_argument(
        "--devices", type=_devices, default=1, metavar="N",
        help="devices that share each batch, or all; several on JAX alone",
    )  # fmt: skip
    train.add_argument(
        "--workers", type=int, default=0, metavar="N",
        help="processes that augment images; 0 for a thread, which is enough beside a CPU",
    )  # fmt: skip
    train.set_defaults(command=_train)

    export = commands.add_parser("export", help="make the files the server needs from a run")
    export.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    export.add_argument("--out", type=Path, default=ARTIFACTS)
    export.add_argument("--quantization", choices=QUANTIZATIONS, default="int8")
    export.add_argument(
        "--data", type=Path,
        help="dataset folder, for int8: training images to calibrate on, validation images to "
        "choose how many",
    )  # fmt: skip
    export.add_argument("--splits", type=Path, default=MANIFEST, help="the dataset's division")
    export.add_argument(
        "--mirrored", action=argparse.BooleanOptionalAction, default=True,
        help="average over the image and its mirror image",
    )  # fmt: skip
    export.set_defaults(command=_export)

    calibrate = commands.add_parser(
        "calibrate", help="fit the constants that tell when to trust the exported network"
    )
    calibrate.add_argument("--data", type=Path, required=True, help="dataset folder")
    calibrate.add_argument("--artifacts", type=Path, default=ARTIFACTS)
    calibrate.set_defaults(command=_calibrate)

    score = commands.add_parser("score", help="test a finished run under its protocol")
    score.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    _add_data(score)
    score.add_argument("--splits", type=Path, default=MANIFEST, help="the dataset's division")
    score.set_defaults(command=_score)

    evaluate = commands.add_parser("evaluate", help="evaluate the exported files")
    evaluate.add_argument("--data", type=Path, required=True, help="dataset folder")
    evaluate.add_argument("--artifacts", type=Path, default=ARTIFACTS)
    evaluate.add_argument(
        "--scores-only", action="store_true",
        help="take over new scores of runs; the files' own figures stay as they are",
    )  # fmt: skip
    evaluate.set_defaults(command=_evaluate)

    classify = commands.add_parser("classify", help="classify any number of files")
    classify.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="file, folder, pattern or zip archive: pictures, DICOM, NIfTI",
    )  # fmt: skip
    classify.add_argument(
        "--out", type=Path,
        help="file to write, .parquet, .csv or .jsonl; with --ray a folder; "
        "JSON lines on standard output without",
    )  # fmt: skip
    classify.add_argument("--model", type=Path, default=DEFAULT_MODEL_PATH)
    classify.add_argument(
        "--plane", choices=PLANES, help="how to cut volumes; as they were acquired by default"
    )
    classify.add_argument(
        "--by", choices=("slice", "series"), default="slice",
        help="a row for each slice, or one for each series of a study, sorted out by the headers",
    )  # fmt: skip
    classify.add_argument("--workers", type=int, help="processes; one a core by default")
    classify.add_argument("--fresh", action="store_true", help="forget what an earlier run did")
    classify.add_argument(
        "--strict", action="store_true", help="exit with 1 where a file cannot be read"
    )
    classify.add_argument(
        "--summary", action=argparse.BooleanOptionalAction, default=True,
        help="write an HTML summary beside the output",
    )  # fmt: skip
    classify.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="on Ray Data: on this machine, or on the cluster with this address",
    )  # fmt: skip
    classify.set_defaults(command=_classify)

    summary = commands.add_parser("summary", help="summarise an output of classify as HTML")
    summary.add_argument("predictions", type=Path, metavar="OUTPUT")
    summary.set_defaults(command=_summary)

    judge = commands.add_parser("judge", help="judge the network on your own pictures")
    judge.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER",
        help="class folders of pictures, DICOM, NIfTI: glioma, meningioma, notumor, pituitary, "
        "tumor",
    )  # fmt: skip
    judge.add_argument(
        "--predictions", type=Path, metavar="CSV",
        help="judge another model's answers instead, of files in FOLDER or of the dataset's",
    )  # fmt: skip
    judge.add_argument(
        "--out", type=Path, default=Path("judged.html"),
        help="page to write; the figures go beside it as JSON",
    )  # fmt: skip
    judge.add_argument("--model", type=Path, default=DEFAULT_MODEL_PATH)
    judge.add_argument("--workers", type=int, help="processes; one a core by default")
    judge.set_defaults(command=_judge)
    return parser


if __name__ == "__main__":
    sys.exit(main())
