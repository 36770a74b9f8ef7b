"""Pictures that the benchmark draws itself: charts, pages of text, noise, flat and patterned ones.

Two sets of each kind, drawn in different ways: one for development, one held out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_EACH = 6
_Draw = Callable[[Figure, np.random.Generator], None]


def _image(values: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _rendered(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _figures(draw: dict[str, _Draw], seed: int) -> Iterator[Image.Image]:
    rng = np.random.default_rng(seed)
    for function in draw.values():
        for number in range(_EACH):
            figure = Figure(figsize=(5, 5 if number % 2 else 3.5), dpi=90)
            if number % 3 == 2:  # as in a dark theme
                figure.set_facecolor("#111111")
            function(figure, rng)
            yield _rendered(figure)


def charts_of_development() -> Iterator[Image.Image]:
    """Lines, bars and points."""

    def lines(figure: Figure, rng: np.random.Generator) -> None:
        axes = figure.subplots()
        axes.plot(rng.standard_normal((60, 3)).cumsum(axis=0))
        axes.set_title("Growth")
        axes.grid(visible=True)

    def bars(figure: Figure, rng: np.random.Generator) -> None:
        axes = figure.subplots()
        axes.bar([f"Q{n}" for n in range(1, 8)], rng.random(7))
        axes.set_ylabel("share")

    def points(figure: Figure, rng: np.random.Generator) -> None:
        axes = figure.subplots()
        across, up = rng.standard_normal((2, 200))
        axes.scatter(across, up, c=rng.random(200))

    yield from _figures({"lines": lines, "bars": bars, "points": points}, 1)


def charts_held_out() -> Iterator[Image.Image]:
    """Pies, heat maps, contours, polar plots and histograms."""

    def pie(figure: Figure, rng: np.random.Generator) -> None:
        figure.subplots().pie(rng.random(6) + 0.1, labels=list("ABCDEF"))

    def heat(figure: Figure, rng: np.random.Generator) -> None:
        shown = figure.subplots().imshow(rng.random((12, 12)), cmap="gray")
        figure.colorbar(shown)

    def contour(figure: Figure, rng: np.random.Generator) -> None:
        x, y = np.meshgrid(np.linspace(-3, 3, 60), np.linspace(-3, 3, 60))
        figure.subplots().contourf(x, y, np.sin(x * rng.random() * 2) * np.cos(y), cmap="gray")

    def polar(figure: Figure, rng: np.random.Generator) -> None:
        axes = figure.add_subplot(projection="polar")
        axes.fill(np.linspace(0, 2 * np.pi, 9), rng.random(9) + 0.3, alpha=0.5)

    def histogram(figure: Figure, rng: np.random.Generator) -> None:
        figure.subplots().hist(rng.standard_normal(500), bins=25, color="black")

    yield from _figures(
        {"pie": pie, "heat": heat, "contour": contour, "polar": polar, "histogram": histogram}, 2
    )


_TEXT = (
    "The quick brown fox jumps over the lazy dog while the old clock in the hall strikes nine and "
    "nobody in the long low house by the river thinks of getting up before the rain has ended"
)
_WORDS = _TEXT.split()


def page_of_text(
    seed: int, font: str, size: int, *, dark: bool = False, shape: tuple[int, int] = (600, 800)
) -> Image.Image:
    """A page of words in one of matplotlib's fonts."""
    rng = np.random.default_rng(seed)
    paper, ink = ("#202124", "#e8eaed") if dark else ("white", "black")
    page = Image.new("RGB", shape, paper)
    text = " ".join(rng.choice(_WORDS, 500).tolist())
    columns = int(shape[0] * 1.7 / size)
    ImageDraw.Draw(page).multiline_text(
        (30, 30), "\n".join(textwrap.wrap(text, columns)[: int((shape[1] - 60) / (size * 1.35))]),
        fill=ink, font=ImageFont.truetype(str(_FONTS / font), size), spacing=size // 3,
    )  # fmt: skip
    return page


def texts_of_development() -> Iterator[Image.Image]:
    for seed in range(12):
        size = (12, 16, 24)[seed % 3]
        yield page_of_text(seed, "DejaVuSans.ttf", size, dark=seed % 4 == 3)


def texts_held_out() -> Iterator[Image.Image]:
    for seed in range(100, 112):
        font = ("DejaVuSerif.ttf", "DejaVuSansMono.ttf", "STIXGeneral.ttf")[seed % 3]
        size = (14, 20, 40)[seed // 3 % 3]
        shape = ((500, 500), (900, 600))[seed % 2]
        yield page_of_text(seed, font, size, dark=seed % 5 == 4, shape=shape)


def noise_of_development() -> Iterator[Image.Image]:
    """White noise, uniform and normal, grey and colour."""
    rng = np.random.default_rng(3)
    for _ in range(_EACH):
        yield _image(rng.uniform(0, 255, (224, 224)))
        yield _image(rng.normal(128, 40, (300, 300)))
        yield _image(rng.uniform(0, 255, (224, 224, 3)))


def noise_held_out() -> Iterator[Image.Image]:
    """Salt and pepper, speckle, and clouds of several coarsenesses."""
    rng = np.random.default_rng(4)
    for number in range(_EACH):
        yield _image((rng.random((256, 256)) < 0.1) * 255.0)
        yield _image(rng.gamma(1.0, 60.0, (256, 256)))
        side = (4, 8, 16, 32, 64, 128)[number]
        yield _image(rng.uniform(0, 255, (side, side))).resize((256, 256), Image.Resampling.BICUBIC)


def patterns_of_development() -> Iterator[Image.Image]:
    """Flat pictures, checkerboards, straight gradients."""
    for value in (0, 60, 128, 200, 255):
        yield Image.new("L", (224, 224), value)
    yield Image.new("RGB", (224, 224), "#c03020")
    rows, columns = np.mgrid[:256, :256]
    for side in (4, 8, 16, 32, 64):
        yield _image(((rows // side + columns // side) % 2) * 255.0)
    for values in (rows, columns, rows + columns, 255 - rows):
        yield _image(values * 255.0 / values.max())


def patterns_held_out() -> Iterator[Image.Image]:
    """Stripes, rings, discs, squares, round gradients and gradients of colour."""
    rows, columns = np.mgrid[:256, :256]
    radius = np.hypot(rows - 128, columns - 128)
    for side in (3, 6, 12, 24, 48):
        yield _image((columns // side % 2) * 255.0)
        yield _image((radius // side % 2) * 255.0)
    for size in (40, 70, 100):
        yield _image((radius < size) * 255.0)
        yield _image((np.maximum(abs(rows - 128), abs(columns - 128)) < size) * 255.0)
        yield _image(255.0 - radius * 255.0 / (2.0 * size))
    for blue in (0, 128, 255):
        yield _image(np.stack([rows, columns, np.full_like(rows, blue)], axis=-1).astype(float))


SETS = (
    ("drawn charts: lines, bars, points", "development", "chart", charts_of_development),
    ("drawn charts: pies, heat maps, contours, polar, histograms", "held_out", "chart",
     charts_held_out),
    ("drawn text, sans-serif", "development", "text", texts_of_development),
    ("drawn text, serif and typewriter", "held_out", "text", texts_held_out),
    ("white noise", "development", "noise", noise_of_development),
    ("salt and pepper, speckle, clouds", "held_out", "noise", noise_held_out),
    ("flat, checkerboards, straight gradients", "development", "pattern", patterns_of_development),
    ("stripes, rings, discs, squares, other gradients", "held_out", "pattern", patterns_held_out),
)  # fmt: skip
