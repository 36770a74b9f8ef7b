"""Pictures for the benchmark of the not-a-brain-MRI detector, by source.

Every source belongs to one part:

- `development`: may be used to choose a method and its thresholds;
- `held_out`: other sources, looked at to report;
- `near`: pictures close to brain MRIs, reported and not counted;
- `brain`: brain MRIs of other origin than the dataset, which should be kept.

Packages that bring pictures are optional: a source that is not there is reported with the reason.
Debian packages need not be installed: `apt-get download NAME && dpkg-deb -x NAME_*.deb ROOT`.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.network import ood_drawn, ood_medical

MOST = 120  # pictures of one source, evenly chosen among its files by name
PARTS = ("development", "held_out", "near", "brain")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp")
_SMALLEST = 24  # pixels a side

log = logging.getLogger(__name__)


class MissingSourceError(RuntimeError):
    """A source is not installed; the message says what would bring it."""


@dataclass(frozen=True)
class Source:
    """Pictures of one origin.

    Attributes:
        name: Unique.
        part: One of `PARTS`.
        kind: What they show: "photograph", "drawing", "screenshot", ...
        load: Gives the pictures; raises `MissingSourceError` where they are not installed.
    """

    name: str
    part: str
    kind: str
    load: Callable[[], Iterator[Image.Image]]


def sources(root: Path = Path("/")) -> tuple[Source, ...]:
    """All sources.

    Args:
        root: Folder below which Debian packages are unpacked.
    """
    return (*_from_python(), *_from_debian(root), *_drawn(), *_medical(root))


def _drawn() -> tuple[Source, ...]:
    return tuple(Source(*entry) for entry in ood_drawn.SETS)


def _from_python() -> tuple[Source, ...]:
    def of(package: str, *patterns: str) -> Callable[[], Iterator[Image.Image]]:
        return lambda: _package_files(package, patterns)

    photographs = (
        "astronaut", "brick", "camera", "cell", "chelsea", "clock_motion", "coffee", "coins",
        "color", "grass", "gravel", "hubble_deep_field", "moon", "motorcycle_left",
        "motorcycle_right", "rocket",
    )  # fmt: skip
    drawings = ("chessboard_GRAY", "horse", "logo", "microaneurysms", "no_time_for_that_tiny")
    data = "data/{}.*"
    return (
        Source("scikit-image photographs", "development", "photograph",
               of("skimage", *map(data.format, photographs))),
        Source("scikit-image pages of text", "development", "text",
               of("skimage", "data/page.png", "data/text.png")),
        Source("scikit-image drawings", "development", "drawing",
               of("skimage", *map(data.format, drawings))),
        Source("scikit-image retina and tissue", "held_out", "other organ",
               of("skimage", "data/retina.jpg", "data/ihc.png")),
        Source("scikit-learn photographs", "held_out", "photograph",
               of("sklearn", "datasets/images/*.jpg")),
        Source("matplotlib portrait", "held_out", "photograph",
               of("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")),
        Source("matplotlib drawings", "held_out", "drawing",
               of("matplotlib", "mpl-data/sample_data/*.png", "mpl-data/images/*_large.png")),
    )  # fmt: skip


def _from_debian(root: Path) -> tuple[Source, ...]:
    def of(package: str, *patterns: str) -> Callable[[], Iterator[Image.Image]]:
        return lambda: _debian_files(root, package, patterns)

    return (
        Source("opencv-doc samples", "development", "photograph",
               of("opencv-doc", "usr/share/doc/opencv-doc/examples/data/*")),
        Source("gnome-backgrounds", "development", "photograph",
               of("gnome-backgrounds", "usr/share/backgrounds/gnome/*")),
        Source("openclipart-png", "development", "drawing",
               of("openclipart-png", "usr/share/openclipart/png/**/*")),
        Source("tango-icon-theme", "development", "drawing",
               of("tango-icon-theme", "usr/share/icons/Tango/32x32/**/*")),
        Source("gimp-help screenshots", "development", "screenshot",
               of("gimp-help-en", "usr/share/gimp/2.0/help/en/images/dialogs/*",
                  "usr/share/gimp/2.0/help/en/images/using/*")),
        Source("mate-backgrounds", "held_out", "photograph",
               of("mate-backgrounds", "usr/share/backgrounds/mate/**/*")),
        Source("lomiri-wallpapers", "held_out", "photograph",
               of("lomiri-wallpapers-16.04 and -20.04", "usr/share/backgrounds/*.jpg")),
        Source("tuxpaint-stamps photographs and drawings", "held_out", "drawing",
               of("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps/**/*")),
        Source("kgeography maps", "held_out", "drawing",
               of("kgeography-data", "usr/share/kgeography/*.png")),
        Source("gnome-user-docs screenshots", "held_out", "screenshot",
               of("gnome-user-docs", "usr/share/help/C/gnome-help/figures/*.png")),
    )  # fmt: skip


def _medical(root: Path) -> tuple[Source, ...]:
    def of(load: Callable[[], Iterator[Image.Image]]) -> Callable[[], Iterator[Image.Image]]:
        def checked() -> Iterator[Image.Image]:
            try:
                yield from load()
            except ImportError as error:
                raise MissingSourceError(f"the Python package {error.name} is missing") from None
            except FileNotFoundError as error:
                raise MissingSourceError(str(error)) from None

        return checked

    return tuple(
        Source(name, part, kind, of(lambda load=load: load(root)))  # type: ignore[misc]
        for name, part, kind, load in ood_medical.SETS
    )


def _package_files(package: str, patterns: tuple[str, ...]) -> Iterator[Image.Image]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingSourceError(f"the Python package {package} is missing")
    folder = Path(spec.submodule_search_locations[0])
    yield from _files(folder, patterns, f"the Python package {package} has no such files")


def _debian_files(root: Path, package: str, patterns: tuple[str, ...]) -> Iterator[Image.Image]:
    yield from _files(root, patterns, f"the Debian package {package} is missing below {root}")


def _files(folder: Path, patterns: tuple[str, ...], missing: str) -> Iterator[Image.Image]:
    found = sorted(
        {
            path
            for pattern in patterns
            for path in folder.glob(pattern)
            if path.suffix.lower() in _SUFFIXES and path.is_file()
        }
    )
    if not found:
        raise MissingSourceError(missing)
    step = max(1.0, len(found) / MOST)
    for number in range(min(MOST, len(found))):
        picture = open_picture(found[int(number * step)])
        if picture is not None:
            yield picture


def open_picture(path: Path) -> Image.Image | None:
    """The picture in a file, "L" or "RGB"; None for one that is too small, large or damaged."""
    try:
        with Image.open(path) as image:
            image.load()
            flat = flatten(image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        log.debug("%s: %s", path, error)
        return None
    flat.thumbnail((1024, 1024))
    return flat if min(flat.size) >= _SMALLEST else None


def flatten(image: Image.Image) -> Image.Image:
    """Grey or colour without transparency, which is shown over white as most viewers do."""
    if image.mode in ("RGBA", "LA", "PA", "P"):
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")
