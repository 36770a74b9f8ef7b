"""Another model's answers: every form of them, and what is wrong with those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.dataset.division import load_manifest
from model.judge.cases import Case
from model.judge.predictions import read_predictions

MANIFEST = load_manifest()
TESTED = "Te-gl_0010.jpg"
SHARES = "glioma,meningioma,notumor,pituitary"


def cases(tmp_path: Path, *lines: str) -> list[Case]:
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_predictions(path, "", MANIFEST)[0]


def test_probabilities_by_class_and_the_class_by_column_folder_or_division(tmp_path: Path) -> None:
    found = cases(
        tmp_path, f"file,true,{SHARES}", "a.png,Pituitary Tumor,0.1,0.2,0.3,0.4",
        "cor T2/no/b.png,,0.1,0.2,0.6,0.1", f"{TESTED},,0.699,0.1,0.1,0.1",
    )  # fmt: skip
    assert [one.label for one in found] == [3, 2, 0]
    assert [one.said for one in found] == [3, 2, 0]
    assert [one.tumor for one in found] == pytest.approx([0.7, 0.4, 0.899 / 0.999])
    assert (found[1].contrast, found[1].plane) == ("t2", "coronal")
    assert (found[0].refused, found[0].answered) == (None, None)
    assert sum(found[2].probabilities or ()) == pytest.approx(1)


def test_a_tumors_probability_or_a_bare_label_is_enough(tmp_path: Path) -> None:
    found = cases(tmp_path, "path,true,tumor", "a.png,yes,0.8", "b.png,glioma,0.5")
    assert [(one.said, one.tumor, one.right) for one in found] == [(4, 0.8, True), (2, 0.5, False)]
    found = cases(tmp_path, "file,true,label", "a.png,yes,glioma", "b.png,no,tumor")
    assert [(one.said, one.tumor, one.right) for one in found] == [
        (0, None, True),
        (4, None, False),
    ]


def test_an_output_of_classify_is_such_a_file(tmp_path: Path) -> None:
    names = [f"probability_{name}" for name in SHARES.split(",")]
    path = tmp_path / "answers.csv"
    path.write_text(
        f"path,slice,plane,{','.join(names)},abstained,in_distribution,error\n"
        "glioma/1.nii,7,axial,0.7,0.1,0.1,0.1,true,false,\n"
        "glioma/2.png,,,,,,,,,damaged\n",
        encoding="utf-8",
    )
    (found,), (error,) = read_predictions(path, "/mine", MANIFEST)
    assert (found.path, found.name, found.slice) == ("/mine/glioma/1.nii", "glioma/1.nii", 7)
    assert (found.refused, found.answered, found.plane) == (True, False, "axial")
    assert (error["path"], error["error"]) == ("glioma/2.png", "damaged")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["name,label", "a,glioma"], "must have a column `file`"),
        (["file,glioma,notumor", "a,1,0"], "and either glioma, meningioma"),
        (["file,label"], "at least one answer"),
        (["file,label", "gliomas/a,astrocytoma"], "line 2: `label` must name a class: glioma"),
        (["file,true,label", "a,glioma,no", "b,who,no"], "line 3: `true`, or a folder in `file`"),
        ([f"file,{SHARES}", "no/a,1,1,0,0"], "must sum to 1. Received: a sum of 2"),
        ([f"file,{SHARES}", "no/a,1.5,-0.5,0,0"], "`glioma` must be a probability in 0..1"),
        (["file,tumor", "no/a,x"], "`tumor` must be a probability in 0..1. Received: 'x'"),
        (["file,tumor,abstained", "no/a,0.1,maybe"], "`abstained` must be true, false or empty"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        cases(tmp_path, *lines)
