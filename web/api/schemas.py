"""The schemas of the API's answers, from which the OpenAPI document is written."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from model.config import CLASS_NAMES
from model.inference.answer_text import DOUBTS, KINDS
from model.inference.trust import NO_TUMOR, TUMOR
from model.reading.contrast import NAMES, SOURCES
from model.reading.series import PLANES as SERIES_PLANES
from model.reading.series import UNFIT


def about(description: str, example: object = None, **more: Any) -> dict[str, Any]:
    """Metadata that apispec copies into the document; translators gather the description."""
    examples = {} if example is None else {"examples": [example]}
    return {"description": description, **examples, **more}


class ExplanationSchema(Schema):
    """A heat map: where the evidence for a class lies."""

    class_ = fields.String(
        data_key="class", required=True, validate=validate.OneOf(CLASS_NAMES),
        metadata=about("The class that is explained."),
    )  # fmt: skip
    method = fields.String(required=True, metadata=about("How the map was made."))
    width = fields.Integer(required=True, metadata=about("Columns.", 112))
    height = fields.Integer(required=True, metadata=about("Rows.", 112))
    values = fields.List(
        fields.List(fields.Float(validate=validate.Range(0, 1))),
        required=True,
        metadata=about(
            "Rows from the top, over the whole image as the network sees it (stretched to a "
            "square); 1 is the strongest evidence, all zeros mean that there is none."
        ),
    )


class PreviewSchema(Schema):
    """A picture that a browser can show."""

    media_type = fields.String(required=True, metadata=about("Media type.", "image/webp"))
    width = fields.Integer(required=True, metadata=about("Pixels."))
    height = fields.Integer(required=True, metadata=about("Pixels."))
    data = fields.String(required=True, metadata=about("The file, in base64."))


class AnswerSchema(Schema):
    """What the network says of one image. For learning and research, not for diagnosis."""

    verdict = fields.String(
        required=True,
        metadata=about("The answer in words.", "Tumor: very likely. Kind: glioma."),
    )
    finding = fields.String(
        required=True, allow_none=True, validate=validate.OneOf((TUMOR, NO_TUMOR)),
        metadata=about("Whether there is a tumor; null where the network abstains."),
    )  # fmt: skip
    likelihood = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(("very likely", "likely")),
        metadata=about(
            "How probable the finding is: very likely from a probability of 0.95; null without a "
            "finding."
        ),
    )  # fmt: skip
    tumor_probability = fields.Float(
        required=True, validate=validate.Range(0, 1),
        metadata=about("Calibrated probability of any tumor: 1 minus that of `notumor`."),
    )  # fmt: skip
    kind = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(tuple(KINDS)),
        metadata=about("The kind of tumor that was found, where it is clear; else null."),
    )  # fmt: skip
    label = fields.String(
        required=True, validate=validate.OneOf(CLASS_NAMES),
        metadata=about("The most probable class, also where the network abstains."),
    )  # fmt: skip
    confidence = fields.Float(
        required=True, validate=validate.Range(0, 1),
        metadata=about("Its calibrated probability."),
    )  # fmt: skip
    probabilities = fields.Dict(
        keys=fields.String(), values=fields.Float(validate=validate.Range(0, 1)), required=True,
        metadata=about(
            "Calibrated probability of each class; they add up to 1. None is larger than the "
            "calibration data bear out."
        ),
    )  # fmt: skip
    prediction_set = fields.List(
        fields.String(validate=validate.OneOf(CLASS_NAMES)), required=True,
        metadata=about(
            "The classes that remain plausible, the most probable first: of a tumor that was found "
            "its plausible kinds."
        ),
    )  # fmt: skip
    abstained = fields.Boolean(
        required=True,
        metadata=about("Whether there is no finding to rely on."),
    )
    reason = fields.String(
        required=True, allow_none=True, metadata=about("Why it abstains, in words.")
    )
    in_distribution = fields.Boolean(
        required=True, metadata=about("Whether the picture looks like a brain MRI.")
    )
    ood_score = fields.Float(
        required=True, metadata=about("Distance from brain MRIs: Mahalanobis, of its features.")
    )
    ood_threshold = fields.Float(
        required=True, metadata=about("The largest distance that passes for a brain MRI.")
    )
    explanation = fields.Nested(
        ExplanationSchema, required=True, allow_none=True,
        metadata=about("The heat map, or null where none was asked for."),
    )  # fmt: skip
    milliseconds = fields.Float(
        required=True, metadata=about("Time that the network took, without decoding.")
    )


class FileErrorSchema(Schema):
    """Why one file among others could not be read."""

    type = fields.String(required=True, metadata=about("Kind of error.", "/api#damaged"))
    title = fields.String(required=True, metadata=about("The kind in words."))
    detail = fields.String(
        required=True, metadata=about("What was wrong, what is allowed, what was received.")
    )


class UploadedAnswerSchema(AnswerSchema):
    """The answer for an uploaded file, or for a slice of it."""

    filename = fields.String(required=True, metadata=about("As it was sent.", "scan.jpg"))
    plane = fields.String(allow_none=True, metadata=about("Plane of a volume's slice, else null."))
    slice = fields.Integer(allow_none=True, metadata=about("Number of the slice, else null."))
    slices = fields.Integer(metadata=about("Slices that the file has in this plane."))
    contrast = fields.String(
        allow_none=True, validate=validate.OneOf(NAMES),
        metadata=about("Its contrast as far as a DICOM header tells it, else null."),
    )  # fmt: skip
    doubt = fields.String(
        allow_none=True, validate=validate.OneOf(tuple(DOUBTS)),
        metadata=about(
            "What the file says of itself, or how its picture is framed, that makes it no brain "
            "MRI of one head; null without."
        ),
    )  # fmt: skip
    crop = fields.List(
        fields.Float(validate=validate.Range(0, 1)), allow_none=True,
        metadata=about(
            "For a single picture that does not look like one head, where one may be in it: left, "
            "top, right and bottom, as shares of its sides. Else null."
        ),
    )  # fmt: skip
    preview = fields.Nested(PreviewSchema, metadata=about("The picture, if asked for."))


class FailedFileSchema(Schema):
    """A file that could not be read."""

    filename = fields.String(required=True)
    error = fields.Nested(FileErrorSchema, required=True)


class SeriesSchema(Schema):
    """A series of a study, as far as its header tells."""

    description = fields.String(required=True, allow_none=True, metadata=about("Its name."))
    modality = fields.String(required=True, allow_none=True, metadata=about("Such as MR."))
    body_part = fields.String(required=True, allow_none=True)
    plane = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(SERIES_PLANES),
        metadata=about("Its plane; null where the header does not tell it."),
    )  # fmt: skip
    contrast = fields.String(
        required=True, validate=validate.OneOf(NAMES),
        metadata=about("Its contrast; `t1c` is T1 after a contrast agent."),
    )  # fmt: skip
    contrast_source = fields.String(
        required=True, validate=validate.OneOf(SOURCES),
        metadata=about("What tells it: a field of enhanced files, a name, TR and TE, or nothing."),
    )  # fmt: skip
    files = fields.Integer(required=True, metadata=about("Its files."))
    repeats = fields.Integer(
        required=True,
        metadata=about("Files at a place that has a picture already; they are not read."),
    )
    slices = fields.Integer(required=True, metadata=about("Its slices, in order of position."))
    order = fields.List(
        fields.Integer(), required=True,
        metadata=about("Numbers of its files as they were sent, from 0, in order of position."),
    )  # fmt: skip
    millimeters = fields.Float(
        required=True, allow_none=True, metadata=about("From one slice to the next, if known.")
    )
    not_answered = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(UNFIT),
        metadata=about("Why it is not answered as a brain MRI; null where it can be."),
    )  # fmt: skip


class SeriesAnswerSchema(Schema):
    """One answer for a series. For learning and research, not for diagnosis."""

    finding = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(("tumor", "notumor")),
        metadata=about("Null where the answer is open."),
    )  # fmt: skip
    neighbors = fields.Integer(
        required=True, metadata=about("Most neighboring slices in which a tumor is seen.")
    )
    neighbors_needed = fields.Integer(
        required=True, metadata=about("How many of them the finding `tumor` takes.")
    )
    first_neighbor = fields.String(required=True, allow_none=True)
    last_neighbor = fields.String(required=True, allow_none=True)
    slices_with_tumor = fields.Integer(
        required=True, metadata=about("Slices in which a tumor is seen, neighbors or not.")
    )
    highest_tumor_probability = fields.Float(
        required=True, allow_none=True, validate=validate.Range(0, 1),
        metadata=about("Among the slices that look like a brain MRI."),
    )  # fmt: skip
    highest_slice = fields.String(required=True, allow_none=True)
    slices_like_brain_mri = fields.Integer(required=True)
    slices_not_readable = fields.Integer(required=True)


class ModelSchema(Schema):
    """The network that answered."""

    name = fields.String(required=True, metadata=about("Name."))
    version = fields.String(required=True, metadata=about("Version."))
    sha256 = fields.String(required=True, metadata=about("SHA-256 of the model file."))


class SampleSchema(Schema):
    """One image of the gallery."""

    id = fields.String(required=True, metadata=about("Its id.", "glioma-00"))
    true_label = fields.String(
        required=True, validate=validate.OneOf(CLASS_NAMES), metadata=about("Its own label.")
    )
    plane = fields.String(required=True, allow_none=True)
    contrast = fields.String(required=True, allow_none=True)
    origin = fields.String(
        required=True, validate=validate.OneOf(("phantom", "dataset")),
        metadata=about("Drawn by this project, or from the dataset's testing part."),
    )  # fmt: skip
    seed = fields.Integer(required=True, allow_none=True)
    width = fields.Integer(required=True)
    height = fields.Integer(required=True)
    result = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(("right", "wrong")),
        metadata=about("Null until the network has read it."),
    )  # fmt: skip
    predicted = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(CLASS_NAMES),
        metadata=about("The most probable class; null until the network has read it."),
    )  # fmt: skip
    confidence = fields.Float(
        required=True, allow_none=True, validate=validate.Range(0, 1),
        metadata=about("Its calibrated probability; null until the network has read it."),
    )  # fmt: skip
    abstained = fields.Boolean(
        required=True, allow_none=True,
        metadata=about("Whether the network abstains; null until it has read the image."),
    )  # fmt: skip
    image_url = fields.String(required=True)
    thumbnail_url = fields.String(required=True)
    prediction_url = fields.String(required=True)


class GallerySchema(Schema):
    """Where the gallery's images come from."""

    origin = fields.String(required=True, validate=validate.OneOf(("synthetic", "dataset")))
    notice = fields.String(required=True)


class SamplesSchema(Schema):
    """The gallery's images that pass the filters."""

    samples = fields.List(fields.Nested(SampleSchema), required=True)
    gallery = fields.Nested(GallerySchema, required=True)


class SampleAnswerSchema(Schema):
    """What the network says of one image of the gallery."""

    id = fields.String(required=True)
    true_label = fields.String(required=True, validate=validate.OneOf(CLASS_NAMES))
    prediction = fields.Nested(AnswerSchema, required=True)
    model = fields.Nested(ModelSchema, required=True)
    milliseconds = fields.Float(required=True)


class SliceSchema(Schema):
    """One slice of a volume, small."""

    slice = fields.Integer(required=True)
    preview = fields.Nested(PreviewSchema, required=True)


class SlicesSchema(Schema):
    """What a file holds, to choose from."""

    filename = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("image", "dicom", "nifti")))
    planes = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True,
        metadata=about("Number of slices by plane; empty where the file has no planes."),
    )  # fmt: skip
    plane = fields.String(required=True, allow_none=True)
    slices = fields.List(fields.Nested(SliceSchema), required=True)


class StudySliceSchema(AnswerSchema):
    """The answer for a slice of a series."""

    filename = fields.String(required=True)
    slice = fields.Integer(
        required=True, allow_none=True,
        metadata=about("Number of the frame in its file; null where it has one."),
    )  # fmt: skip
    place = fields.Integer(required=True, metadata=about("Its place in the series, from 0."))


class FailedSliceSchema(FailedFileSchema):
    """A file of a series that could not be read."""

    place = fields.Integer(required=True)


class HealthSchema(Schema):
    """The server answers."""

    status = fields.String(required=True, validate=validate.OneOf(("ok",)))


class ReadySchema(Schema):
    """The network has passed its self-test."""

    status = fields.String(required=True, validate=validate.OneOf(("ready",)))


class ProblemSchema(Schema):
    """An error, as RFC 9457 has it."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    errors = fields.List(
        fields.Nested(FailedFileSchema), metadata=about("Each file, where several failed.")
    )
