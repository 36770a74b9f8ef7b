"""Batches as files: Parquet (with pyarrow), CSV and JSON lines, written and read a piece at a time.

Parquet and CSV have a column for each class's probability; JSON lines have them in one object, as
the API does. In CSV a prediction set is written with `|` between its classes.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from model.batch.rows import COLUMNS, PROBABILITY, flat, nested
from model.config import CLASS_NAMES

FORMATS = (".parquet", ".csv", ".jsonl")
NOTICE = "For learning and research. Never for diagnosis."
REQUIREMENTS = "requirements-scale.txt"
GROUP = 16_384  # rows of a Parquet row group, about 4 MB in memory

_BETWEEN = "|"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What begins a formula, also behind the quotes that keep it from being one."""
_FLAGS = ("abstained", "in_distribution", "chosen")
_COUNTS = (
    "slice", "study", "series", "files", "repeats", "slices", "neighbors", "neighbors_needed",
    "slices_with_tumor", "slices_like_brain_mri", "slices_not_readable",
)  # fmt: skip
_NUMBERS = (
    "tumor_probability", "confidence", "ood_score", "ood_threshold",
    *(PROBABILITY + n for n in CLASS_NAMES),
    "highest_tumor_probability", "millimeters",
)  # fmt: skip


def check_output(path: Path) -> None:
    """Refuses an output that cannot be written.

    Raises:
        ValueError: Its name has no known ending, or its folder does not exist.
        RuntimeError: It needs a package that is not installed.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"`--out` must end in {', '.join(FORMATS)}. Received: {path}")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"`--out` must be in a folder that exists. Received: {path}")
    if path.suffix == ".parquet":
        need("pyarrow")


def need(*packages: str) -> None:
    """Says what to install where an optional package is missing.

    Raises:
        RuntimeError: One of them is.
    """
    if missing := [name for name in packages if find_spec(name) is None]:
        raise RuntimeError(
            f"This needs {' and '.join(missing)}: python -m pip install -r {REQUIREMENTS}"
            + (" (.csv and .jsonl do without)" if missing == ["pyarrow"] else "")
        )


def write_rows(
    path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] = COLUMNS
) -> None:
    """Writes an output, which appears whole or not at all.

    Args:
        path: Ends in one of `FORMATS`.
        rows: Of `model.batch.rows`; keys that are not in `columns` are left out.
        columns: Of the output.
    """
    waiting = path.with_name(f"{path.name}.new")  # of a run that was killed, it is overwritten
    write = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_lines}[path.suffix]
    try:
        write(waiting, ({name: row[name] for name in columns} for row in rows), columns)
        waiting.replace(path)
    finally:
        waiting.unlink(missing_ok=True)


def _write_lines(path: Path, rows: Iterator[dict[str, Any]], _columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(nested(row), ensure_ascii=False) + "\n")


def _write_csv(path: Path, rows: Iterator[dict[str, Any]], columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        # Python below 3.11.9 quotes a carriage return where lines end with one, and not elsewhere.
        writer = csv.DictWriter(file, columns, lineterminator="\r\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _to_csv(value) for name, value in row.items()})


def _to_csv(value: Any) -> Any:
    if isinstance(value, list):
        value = _BETWEEN.join(value)
    if isinstance(value, bool):
        return str(value).lower()
    # Spreadsheets compute cells that begin so, and names are chosen by others.
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]], columns: Sequence[str]) -> None:
    import pyarrow.parquet

    schema = arrow_schema(columns)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def arrow_schema(columns: Sequence[str] = COLUMNS) -> Any:
    """Columns and types of the Parquet files."""
    import pyarrow

    kinds = {
        **dict.fromkeys(_NUMBERS, pyarrow.float64()),
        **dict.fromkeys(_FLAGS, pyarrow.bool_()),
        **dict.fromkeys(_COUNTS, pyarrow.int32()),
        "prediction_set": pyarrow.list_(pyarrow.string()),
    }
    fields = [(name, kinds.get(name, pyarrow.string())) for name in columns]
    return pyarrow.schema(fields, metadata={"notice": NOTICE})


def arrow_table(rows: list[dict[str, Any]]) -> Any:
    """Rows as an Arrow table."""
    import pyarrow

    return pyarrow.Table.from_pylist(rows, schema=arrow_schema())


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of an output, or of a folder of Parquet files, by file name.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no output of `classify`.
    """
    try:
        if path.is_dir():
            need("pyarrow")
            files = sorted(path.glob("*.parquet"))
            if not files:
                raise ValueError("the folder has no .parquet file")
            for file in files:
                yield from _read_parquet(file)
        elif path.suffix == ".parquet":
            need("pyarrow")
            yield from _read_parquet(path)
        elif path.suffix in FORMATS:
            yield from (_read_csv if path.suffix == ".csv" else _read_lines)(path)
        else:
            raise ValueError(f"its name does not end in {', '.join(FORMATS)}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"`{path}` must be an output of classify. Received: {error}") from error


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield flat(json.loads(line))


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            yield {name: _from_csv(name, line[name]) for name in COLUMNS}


def _from_csv(name: str, text: str) -> Any:
    if text == "":
        return None
    if _FORMULA.match(text[1:]) and text[0] == "'":
        text = text[1:]
    if name in _FLAGS:
        return text == "true"
    if name in _NUMBERS:
        return float(text)
    if name == "prediction_set":
        return text.split(_BETWEEN)
    return int(text) if name == "slice" else text


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=4096, columns=list(COLUMNS)):
            for row in batch.to_pylist():
                yield {name: row[name] for name in COLUMNS}
