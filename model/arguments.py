"""What `python -m model` takes on its command line; `model.__main__` says what comes of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from data.dataset.division import MANIFEST, PROTOCOLS
from model.config import ARTIFACTS, PRECISIONS, QUANTIZATIONS
from model.inference.classifier import DEFAULT_MODEL_PATH
from model.reading.scan import PLANES


def parser() -> argparse.ArgumentParser:
    """The parser; the name of the command that was chosen is its `command`."""
    made = argparse.ArgumentParser(
        prog="python -m model",
        description="Command line: `python -m model COMMAND`; `--help` lists the commands.",
    )
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = made.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, (says, add_arguments) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=says))
    return made


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


def _audit(command: argparse.ArgumentParser) -> None:
    _add_data(command)
    _add_outlines(command)
    _add_collections(command)
    command.add_argument(
        "--keep", type=Path, help="an earlier division whose validation images stay such"
    )
    command.add_argument("--out", type=Path, default=MANIFEST, help="the division to write")
    command.add_argument("--report", type=Path, help="JSON to write; a readable .md goes beside it")
    command.add_argument(
        "--plant", type=int, default=0, metavar="N",
        help="also search for changed copies of N images of each class",
    )  # fmt: skip


def _train(command: argparse.ArgumentParser) -> None:
    _add_data(command)
    command.add_argument("--out", type=Path, required=True, help="folder of the run")
    command.add_argument(
        "--protocol", choices=PROTOCOLS, default="official",
        help="which images to train and validate on",
    )  # fmt: skip
    _add_outlines(command)
    _add_collections(command)
    command.add_argument("--splits", type=Path, default=MANIFEST, help="the dataset's division")
    command.add_argument("--epochs", type=int)
    command.add_argument("--seed", type=int)
    command.add_argument("--precision", choices=PRECISIONS)
    command.add_argument(
        "--devices", type=_devices, default=1, metavar="N",
        help="devices that share each batch, or all; several on JAX alone",
    )  # fmt: skip
    command.add_argument(
        "--workers", type=int, default=0, metavar="N",
        help="processes that augment images; 0 for a thread, which is enough beside a CPU",
    )  # fmt: skip


def _export(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    command.add_argument("--out", type=Path, default=ARTIFACTS)
    command.add_argument("--quantization", choices=QUANTIZATIONS, default="int8")
    command.add_argument(
        "--data", type=Path,
        help="dataset folder, for int8: training images to calibrate on, validation images to "
        "choose how many",
    )  # fmt: skip
    command.add_argument("--splits", type=Path, default=MANIFEST, help="the dataset's division")
    _add_collections(command)


def _calibrate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, help="dataset folder")
    command.add_argument("--artifacts", type=Path, default=ARTIFACTS)
    _add_collections(command)


def _score(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    _add_data(command)
    command.add_argument("--splits", type=Path, default=MANIFEST, help="the dataset's division")


def _evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, help="dataset folder")
    command.add_argument("--artifacts", type=Path, default=ARTIFACTS)
    _add_collections(command)
    command.add_argument(
        "--scores-only", action="store_true",
        help="take over new scores of runs; the files' own figures stay as they are",
    )  # fmt: skip


def _classify(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="file, folder, pattern or zip archive: pictures, DICOM, NIfTI",
    )  # fmt: skip
    command.add_argument(
        "--out", type=Path,
        help="file to write, .parquet, .csv or .jsonl; with --ray a folder; "
        "JSON lines on standard output without",
    )  # fmt: skip
    command.add_argument("--model", type=Path, default=DEFAULT_MODEL_PATH)
    command.add_argument(
        "--plane", choices=PLANES, help="how to cut volumes; as they were acquired by default"
    )
    command.add_argument(
        "--by", choices=("slice", "series"), default="slice",
        help="a row for each slice, or one for each series of a study, sorted out by the headers",
    )  # fmt: skip
    command.add_argument("--workers", type=int, help="processes; one a core by default")
    command.add_argument("--fresh", action="store_true", help="forget what an earlier run did")
    command.add_argument(
        "--strict", action="store_true", help="exit with 1 where a file cannot be read"
    )
    command.add_argument(
        "--summary", action=argparse.BooleanOptionalAction, default=True,
        help="write an HTML summary beside the output",
    )  # fmt: skip
    command.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="on Ray Data: on this machine, or on the cluster with this address",
    )  # fmt: skip


def _summary(command: argparse.ArgumentParser) -> None:
    command.add_argument("predictions", type=Path, metavar="OUTPUT")


def _judge(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER",
        help="class folders of pictures, DICOM, NIfTI: glioma, meningioma, notumor, pituitary, "
        "tumor",
    )  # fmt: skip
    command.add_argument(
        "--predictions", type=Path, metavar="CSV",
        help="judge another model's answers instead, of files in FOLDER or of the dataset's",
    )  # fmt: skip
    command.add_argument(
        "--out", type=Path, default=Path("judged.html"),
        help="page to write; the figures go beside it as JSON",
    )  # fmt: skip
    command.add_argument("--model", type=Path, default=DEFAULT_MODEL_PATH)
    command.add_argument("--workers", type=int, help="processes; one a core by default")


COMMANDS = {
    "audit": ("find copies and divide the dataset", _audit),
    "train": ("train a network, or resume a run", _train),
    "export": ("make the files the server needs from a run", _export),
    "calibrate": ("fit the constants that tell when to trust the exported network", _calibrate),
    "score": ("test a finished run under its protocol", _score),
    "evaluate": ("evaluate the exported files", _evaluate),
    "classify": ("classify any number of files", _classify),
    "summary": ("summarise an output of classify as HTML", _summary),
    "judge": ("judge the network on your own pictures", _judge),
}
