"""The API's schemas: queries are checked by them, and the OpenAPI document is written from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from model.config import CLASS_NAMES
from model.inference.answer_text import DOUBTS, KINDS
from model.inference.trust import NO_TUMOR, TUMOR
from model.reading.contrast import NAMES, SOURCES
from model.reading.scan import PLANES
from model.reading.series import PLANES as SERIES_PLANES
from model.reading.series import UNFIT
from web.service.selection import MAX_SEARCH, RESULTS, SORTS, SURENESS, FilterError

EVERY_SLICE = "all"


def _said(description: str, example: object = None, **more: Any) -> dict[str, Any]:
    """Metadata that apispec copies into the document; translators gather the description."""
    examples = {} if example is None else {"examples": [example]}
    return {"description": description, **examples, **more}


SLICES = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


class SliceNumber(fields.Field[int | str | range]):
    """A slice's number from 0, several such as "16-31", or "all"."""

    default_error_messages = {  # noqa: RUF012 -- marshmallow's own declaration
        "invalid": 'Must be a whole number from 0, several such as 16-31, or "all".'
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> int | str | range:
        if value == EVERY_SLICE:
            return EVERY_SLICE
        found = SLICES.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise self.make_error("invalid")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise self.make_error("invalid")
        return first if found[2] is None else range(first, last + 1)


class Flag(fields.Boolean):
    """ "true" or "false"."""

    default_error_messages = {"invalid": "Must be true or false."}  # noqa: RUF012


class ExplainQuery(Schema):
    """Whether to make a heat map, and for which class."""

    explain = Flag(load_default=False, metadata=_said("Whether to make a heat map: true or false."))
    explain_class = fields.String(
        load_default=None,
        validate=validate.OneOf(CLASS_NAMES),
        metadata=_said("The class that the heat map is for; by default the predicted one."),
    )


class PlaneQuery(Schema):
    """Which plane of a volume."""

    plane = fields.String(
        load_default=None,
        validate=validate.OneOf(PLANES),
        metadata=_said("Plane of a volume; by default the acquired one. Other files have none."),
    )


class PredictionsQuery(ExplainQuery, PlaneQuery):
    """What to make of the uploaded files."""

    slice = SliceNumber(
        load_default=None,
        metadata=_said(
            "Number of a volume's slice from 0, several such as `16-31`, or `all`; by default the "
            "middle one.",
            type=["integer", "string"],
        ),
    )
    preview = Flag(
        load_default=False,
        metadata=_said("Whether to send back each picture as the network was shown it."),
    )


class StudyQuery(Schema):
    """Which series of a study to answer."""

    series = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0),
        error_messages={"invalid": "Must be a whole number from 0."},
        metadata=_said("Number of the series to answer, from 0; by default the one chosen."),
    )
    read = Flag(
        load_default=True,
        metadata=_said(
            "Whether the network reads the series; with `false`, the first 64 KiB of each file "
            "are enough."
        ),
    )


class SamplesQuery(Schema):
    """The gallery's filters; ``web.service.selection.Filters`` reads them."""

    class_ = fields.String(
        data_key="class", validate=validate.OneOf(CLASS_NAMES),
        metadata=_said("Images of this class alone, by their own label."),
    )  # fmt: skip
    result = fields.String(
        validate=validate.OneOf(RESULTS),
        metadata=_said("Images that the network read right, or wrong, alone."),
    )
    sure = fields.String(
        validate=validate.OneOf(SURENESS),
        metadata=_said("Images whose answer the network is sure of, or abstains from, alone."),
    )
    predicted = fields.String(
        validate=validate.OneOf(CLASS_NAMES),
        metadata=_said("Images that the network takes for this class alone."),
    )
    q = fields.String(
        validate=validate.Length(max=MAX_SEARCH),
        metadata=_said("Images whose id has this in it alone; letters of either case.", "gli"),
    )
    sort = fields.String(
        validate=validate.OneOf(SORTS),
        metadata=_said(
            "`confidence`: the least sure answer first; `-confidence`: the most sure one first. "
            "Images that are not read yet come last."
        ),
    )


class ExplanationSchema(Schema):
    """A heat map: where the evidence for a class lies."""

    class_ = fields.String(
        data_key="class", required=True, validate=validate.OneOf(CLASS_NAMES),
        metadata=_said("The class that is explained."),
    )  # fmt: skip
    method = fields.String(required=True, metadata=_said("How the map was made."))
    width = fields.Integer(required=True, metadata=_said("Columns.", 112))
    height = fields.Integer(required=True, metadata=_said("Rows.", 112))
    values = fields.List(
        fields.List(fields.Float(validate=validate.Range(0, 1))),
        required=True,
        metadata=_said(
            "Rows from the top, over the whole image as the network sees it (stretched to a "
            "square); 1 is the strongest evidence, all zeros mean that there is none."
        ),
    )


class PreviewSchema(Schema):
    """A picture that a browser can show."""

    media_type = fields.String(required=True, metadata=_said("Media type.", "image/webp"))
    width = fields.Integer(required=True, metadata=_said("Pixels."))
    height = fields.Integer(required=True, metadata=_said("Pixels."))
    data = fields.String(required=True, metadata=_said("The file, in base64."))


class AnswerSchema(Schema):
    """What the network says of one image. For learning and research, not for diagnosis."""

    verdict = fields.String(
        required=True,
        metadata=_said("The answer in words.", "Tumor: very likely. Kind: glioma."),
    )
    finding = fields.String(
        required=True, allow_none=True, validate=validate.OneOf((TUMOR, NO_TUMOR)),
        metadata=_said("Whether there is a tumor; null where the network abstains."),
    )  # fmt: skip
    likelihood = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(("very likely", "likely")),
        metadata=_said(
            "How probable the finding is: very likely from a probability of 0.95; null without a "
            "finding."
        ),
    )  # fmt: skip
    tumor_probability = fields.Float(
        required=True, validate=validate.Range(0, 1),
        metadata=_said("Calibrated probability of any tumor: 1 minus that of `notumor`."),
    )  # fmt: skip
    kind = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(tuple(KINDS)),
        metadata=_said("The kind of tumor that was found, where it is clear; else null."),
    )  # fmt: skip
    label = fields.String(
        required=True, validate=validate.OneOf(CLASS_NAMES),
        metadata=_said("The most probable class, also where the network abstains."),
    )  # fmt: skip
    confidence = fields.Float(
        required=True, validate=validate.Range(0, 1),
        metadata=_said("Its calibrated probability."),
    )  # fmt: skip
    probabilities = fields.Dict(
        keys=fields.String(), values=fields.Float(validate=validate.Range(0, 1)), required=True,
        metadata=_said(
            "Calibrated probability of each class; they add up to 1. None is larger than the "
            "calibration data bear out."
        ),
    )  # fmt: skip
    prediction_set = fields.List(
        fields.String(validate=validate.OneOf(CLASS_NAMES)), required=True,
        metadata=_said(
            "The classes that remain plausible, the most probable first: of a tumor that was found "
            "its plausible kinds."
        ),
    )  # fmt: skip
    abstained = fields.Boolean(
        required=True,
        metadata=_said("Whether there is no finding to rely on."),
    )
    reason = fields.String(
        required=True, allow_none=True, metadata=_said("Why it abstains, in words.")
    )
    in_distribution = fields.Boolean(
        required=True, metadata=_said("Whether the picture looks like a brain MRI.")
    )
    ood_score = fields.Float(
        required=True, metadata=_said("Distance from brain MRIs: Mahalanobis, of its features.")
    )
    ood_threshold = fields.Float(
        required=True, metadata=_said("The largest distance that passes for a brain MRI.")
    )
    explanation = fields.Nested(
        ExplanationSchema, required=True, allow_none=True,
        metadata=_said("The heat map, or null where none was asked for."),
    )  # fmt: skip
    milliseconds = fields.Float(
        required=True, metadata=_said("Time that the network took, without decoding.")
    )


class FileErrorSchema(Schema):
    """Why one file among others could not be read."""

    type = fields.String(required=True, metadata=_said("Kind of error.", "/api#damaged"))
    title = fields.String(required=True, metadata=_said("The kind in words."))
    detail = fields.String(
        required=True, metadata=_said("What was wrong, what is allowed, what was received.")
    )


class UploadedAnswerSchema(AnswerSchema):
    """The answer for an uploaded file, or for a slice of it."""

    filename = fields.String(required=True, metadata=_said("As it was sent.", "scan.jpg"))
    plane = fields.String(allow_none=True, metadata=_said("Plane of a volume's slice, else null."))
    slice = fields.Integer(allow_none=True, metadata=_said("Number of the slice, else null."))
    slices = fields.Integer(metadata=_said("Slices that the file has in this plane."))
    contrast = fields.String(
        allow_none=True, validate=validate.OneOf(NAMES),
        metadata=_said("Its contrast as far as a DICOM header tells it, else null."),
    )  # fmt: skip
    doubt = fields.String(
        allow_none=True, validate=validate.OneOf(tuple(DOUBTS)),
        metadata=_said(
            "What the file says of itself, or how its picture is framed, that makes it no brain "
            "MRI of one head; null without."
        ),
    )  # fmt: skip
    crop = fields.List(
        fields.Float(validate=validate.Range(0, 1)), allow_none=True,
        metadata=_said(
            "For a single picture that does not look like one head, where one may be in it: left, "
            "top, right and bottom, as shares of its sides. Else null."
        ),
    )  # fmt: skip
    preview = fields.Nested(PreviewSchema, metadata=_said("The picture, if asked for."))


class FailedFileSchema(Schema):
    """A file that could not be read."""

    filename = fields.String(required=True)
    error = fields.Nested(FileErrorSchema, required=True)


class SeriesSchema(Schema):
    """A series of a study, as far as its header tells."""

    description = fields.String(required=True, allow_none=True, metadata=_said("Its name."))
    modality = fields.String(required=True, allow_none=True, metadata=_said("Such as MR."))
    body_part = fields.String(required=True, allow_none=True)
    plane = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(SERIES_PLANES),
        metadata=_said("Its plane; null where the header does not tell it."),
    )  # fmt: skip
    contrast = fields.String(
        required=True, validate=validate.OneOf(NAMES),
        metadata=_said("Its contrast; `t1c` is T1 after a contrast agent."),
    )  # fmt: skip
    contrast_source = fields.String(
        required=True, validate=validate.OneOf(SOURCES),
        metadata=_said("What tells it: a field of enhanced files, a name, TR and TE, or nothing."),
    )  # fmt: skip
    files = fields.Integer(required=True, metadata=_said("Its files."))
    repeats = fields.Integer(
        required=True,
        metadata=_said("Files at a place that has a picture already; they are not read."),
    )
    slices = fields.Integer(required=True, metadata=_said("Its slices, in order of position."))
    order = fields.List(
        fields.Integer(), required=True,
        metadata=_said("Numbers of its files as they were sent, from 0, in order of position."),
    )  # fmt: skip
    millimeters = fields.Float(
        required=True, allow_none=True, metadata=_said("From one slice to the next, if known.")
    )
    not_answered = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(UNFIT),
        metadata=_said("Why it is not answered as a brain MRI; null where it can be."),
    )  # fmt: skip


class SeriesAnswerSchema(Schema):
    """One answer for a series. For learning and research, not for diagnosis."""

    finding = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(("tumor", "notumor")),
        metadata=_said("Null where the answer is open."),
    )  # fmt: skip
    neighbors = fields.Integer(
        required=True, metadata=_said("Most neighboring slices in which a tumor is seen.")
    )
    neighbors_needed = fields.Integer(
        required=True, metadata=_said("How many of them the finding `tumor` takes.")
    )
    first_neighbor = fields.String(required=True, allow_none=True)
    last_neighbor = fields.String(required=True, allow_none=True)
    slices_with_tumor = fields.Integer(
        required=True, metadata=_said("Slices in which a tumor is seen, neighbors or not.")
    )
    highest_tumor_probability = fields.Float(
        required=True, allow_none=True, validate=validate.Range(0, 1),
        metadata=_said("Among the slices that look like a brain MRI."),
    )  # fmt: skip
    highest_slice = fields.String(required=True, allow_none=True)
    slices_like_brain_mri = fields.Integer(required=True)
    slices_not_readable = fields.Integer(required=True)


class ModelSchema(Schema):
    """The network that answered."""

    name = fields.String(required=True, metadata=_said("Name."))
    version = fields.String(required=True, metadata=_said("Version."))
    sha256 = fields.String(required=True, metadata=_said("SHA-256 of the model file."))


class SampleSchema(Schema):
    """One image of the gallery."""

    id = fields.String(required=True, metadata=_said("Its id.", "glioma-00"))
    true_label = fields.String(
        required=True, validate=validate.OneOf(CLASS_NAMES), metadata=_said("Its own label.")
    )
    plane = fields.String(required=True, allow_none=True)
    contrast = fields.String(required=True, allow_none=True)
    origin = fields.String(
        required=True, validate=validate.OneOf(("phantom", "dataset")),
        metadata=_said("Drawn by this project, or from the dataset's testing part."),
    )  # fmt: skip
    seed = fields.Integer(required=True, allow_none=True)
    width = fields.Integer(required=True)
    height = fields.Integer(required=True)
    result = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(("right", "wrong")),
        metadata=_said("Null until the network has read it."),
    )  # fmt: skip
    predicted = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(CLASS_NAMES),
        metadata=_said("The most probable class; null until the network has read it."),
    )  # fmt: skip
    confidence = fields.Float(
        required=True, allow_none=True, validate=validate.Range(0, 1),
        metadata=_said("Its calibrated probability; null until the network has read it."),
    )  # fmt: skip
    abstained = fields.Boolean(
        required=True, allow_none=True,
        metadata=_said("Whether the network abstains; null until it has read the image."),
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
        metadata=_said("Number of slices by plane; empty where the file has no planes."),
    )  # fmt: skip
    plane = fields.String(required=True, allow_none=True)
    slices = fields.List(fields.Nested(SliceSchema), required=True)


class StudySliceSchema(AnswerSchema):
    """The answer for a slice of a series."""

    filename = fields.String(required=True)
    slice = fields.Integer(
        required=True, allow_none=True,
        metadata=_said("Number of the frame in its file; null where it has one."),
    )  # fmt: skip
    place = fields.Integer(required=True, metadata=_said("Its place in the series, from 0."))


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
        fields.Nested(FailedFileSchema), metadata=_said("Each file, where several failed.")
    )


def load_query(schema: Schema, query: Mapping[str, str]) -> dict[str, Any]:
    """The query's values, cast and with their defaults.

    Raises:
        FilterError: A parameter is unknown or its value is not allowed.
    """
    try:
        loaded: dict[str, Any] = schema.load({k: v for k, v in query.items() if v != ""})
    except ValidationError as error:
        name, messages = next(iter(error.normalized_messages().items()))
        if name not in schema.fields:
            names = ", ".join(schema.fields) or "none"
            raise FilterError(
                f"Parameters must be among {names}. Received: `{name[:80]}`."
            ) from None
        text = messages[0].rstrip(".")
        sentence = text[0].lower() + text[1:]
        raise FilterError(f"`{name}` {sentence}. Received: {query[name][:80]!r}.") from None
    return loaded
