"""The API's queries: checked by these schemas, which the OpenAPI document describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from model.config import CLASS_NAMES
from model.reading.scan import PLANES
from web.api.schemas import about
from web.service.selection import MAX_SEARCH, RESULTS, SORTS, SURENESS, FilterError

EVERY_SLICE = "all"
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

    explain = Flag(load_default=False, metadata=about("Whether to make a heat map: true or false."))
    explain_class = fields.String(
        load_default=None,
        validate=validate.OneOf(CLASS_NAMES),
        metadata=about("The class that the heat map is for; by default the predicted one."),
    )


class PlaneQuery(Schema):
    """Which plane of a volume."""

    plane = fields.String(
        load_default=None,
        validate=validate.OneOf(PLANES),
        metadata=about("Plane of a volume; by default the acquired one. Other files have none."),
    )


class PredictionsQuery(ExplainQuery, PlaneQuery):
    """What to make of the uploaded files."""

    slice = SliceNumber(
        load_default=None,
        metadata=about(
            "Number of a volume's slice from 0, several such as `16-31`, or `all`; by default the "
            "middle one.",
            type=["integer", "string"],
        ),
    )
    preview = Flag(
        load_default=False,
        metadata=about("Whether to send back each picture as the network was shown it."),
    )


class StudyQuery(Schema):
    """Which series of a study to answer."""

    series = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0),
        error_messages={"invalid": "Must be a whole number from 0."},
        metadata=about("Number of the series to answer, from 0; by default the one chosen."),
    )
    read = Flag(
        load_default=True,
        metadata=about(
            "Whether the network reads the series; with `false`, the first 64 KiB of each file "
            "are enough."
        ),
    )


class SamplesQuery(Schema):
    """The gallery's filters; ``web.service.selection.Filters`` reads them."""

    class_ = fields.String(
        data_key="class", validate=validate.OneOf(CLASS_NAMES),
        metadata=about("Images of this class alone, by their own label."),
    )  # fmt: skip
    result = fields.String(
        validate=validate.OneOf(RESULTS),
        metadata=about("Images that the network read right, or wrong, alone."),
    )
    sure = fields.String(
        validate=validate.OneOf(SURENESS),
        metadata=about("Images whose answer the network is sure of, or abstains from, alone."),
    )
    predicted = fields.String(
        validate=validate.OneOf(CLASS_NAMES),
        metadata=about("Images that the network takes for this class alone."),
    )
    q = fields.String(
        validate=validate.Length(max=MAX_SEARCH),
        metadata=about("Images whose id has this in it alone; letters of either case.", "gli"),
    )
    sort = fields.String(
        validate=validate.OneOf(SORTS),
        metadata=about(
            "`confidence`: the least sure answer first; `-confidence`: the most sure one first. "
            "Images that are not read yet come last."
        ),
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
