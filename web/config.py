"""Settings of the web app: read once at start-up, cast with precise failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REAL_GALLERY = ROOT / "data" / "gallery"
SYNTHETIC_GALLERY = ROOT / "data" / "samples"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ConfigError(ValueError):
    """A setting whose value cannot be used; the message is one sentence naming the setting."""


@dataclass(frozen=True)
class Settings:
    """Everything a deployment may choose.

    Attributes:
        host: address to listen on.
        port: port to listen on, 1 to 65535.
        log_level: one of LOG_LEVELS.
        gallery_dir: folder with the gallery's manifest.json.
        model_path: the model file, or None for the one in the repository.
        warm_up: whether a background thread classifies the gallery after start-up.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    log_level: str = "INFO"
    gallery_dir: Path = SYNTHETIC_GALLERY
    model_path: Path | None = None
    warm_up: bool = True


def settings_from(values: Mapping[str, str]) -> Settings:
    """Casts environment-like ``values`` (HOST, PORT, LOG_LEVEL, GALLERY_DIR, MODEL_PATH, WARM_UP).

    Raises:
        ConfigError: a value is not legal.
    """
    gallery = values.get("GALLERY_DIR", "").strip()
    model = values.get("MODEL_PATH", "").strip()
    return Settings(
        host=values.get("HOST", "").strip() or "127.0.0.1",
        port=_port(values.get("PORT", "").strip() or "5000"),
        log_level=_log_level(values.get("LOG_LEVEL", "").strip() or "INFO"),
        gallery_dir=Path(gallery) if gallery else default_gallery(),
        model_path=Path(model) if model else None,
        warm_up=_flag("WARM_UP", values.get("WARM_UP", "").strip() or "1"),
    )


def default_gallery() -> Path:
    """The gallery of real test images where it has been built, else the phantoms."""
    return REAL_GALLERY if (REAL_GALLERY / "manifest.json").is_file() else SYNTHETIC_GALLERY


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535:
        return int(text)
    raise ConfigError(
        f"PORT must be a whole number from 1 to 65535, for example `PORT=8080 make serve`. "
        f"Received: {text!r}."
    )


def _log_level(text: str) -> str:
    level = text.upper()
    if level in LOG_LEVELS:
        return level
    raise ConfigError(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}. Received: {text!r}.")


def _flag(name: str, text: str) -> bool:
    if text in ("0", "1"):
        return text == "1"
    raise ConfigError(f"{name} must be 0 or 1. Received: {text!r}.")
