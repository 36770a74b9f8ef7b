"""Downloads the pinned version of the dataset from Kaggle; says what goes wrong in plain words."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path

OWNER, NAME, VERSION = "masoudnickparvar", "brain-tumor-mri-dataset", 1
HANDLE = f"{OWNER}/{NAME}/versions/{VERSION}"
PAGE = f"https://www.kaggle.com/datasets/{OWNER}/{NAME}"

BY_HAND = f"""To get it by hand:
  1. open {PAGE} in a browser
  2. press Download and keep the zip
  3. python -m data.download --from archive.zip"""


class DownloadError(RuntimeError):
    """Kaggle could not be reached, refused, or sent something damaged."""


def download() -> Path:
    """Download the pinned version with kagglehub; returns the folder in kagglehub's cache.

    A partial download stays in the cache and is resumed next time; a damaged one is removed.

    Raises:
        DownloadError: anything went wrong, in words for a person.
    """
    try:
        import kagglehub
        import requests
        from kagglehub import exceptions
        from kagglehub.config import get_kaggle_credentials
    except ImportError as error:
        raise DownloadError(
            f"{error.name} is not installed: pip install -r requirements-train.txt"
        ) from error
    refusals = (
        exceptions.UnauthenticatedError,
        exceptions.CredentialError,
        exceptions.BackendError,
    )
    try:
        get_kaggle_credentials()  # the dataset needs none, but a broken file stops kagglehub
    except ValueError as error:
        raise DownloadError(f"{_first_line(error)}; mend or remove it.") from error
    try:
        return Path(kagglehub.dataset_download(HANDLE))
    except requests.HTTPError as error:
        raise DownloadError(_http_reason(error)) from error
    except (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as e:
        raise DownloadError(
            "The download broke off. Run the command again: it goes on where the server allows it."
        ) from e
    except requests.RequestException as error:
        raise DownloadError(f"Kaggle cannot be reached: {_network_reason(error)}") from error
    except (exceptions.DataCorruptionError, zipfile.BadZipFile, zlib.error, ValueError) as error:
        _forget_download()
        raise DownloadError(
            f"What Kaggle sent is damaged and was removed ({_first_line(error)}). Run it again."
        ) from error
    except refusals as error:
        raise DownloadError(f"Kaggle refused: {_first_line(error)}") from error


def _http_reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    status = None if response is None else response.status_code
    known = {
        401: "Kaggle refused the credentials it was given (401); remove or renew them.",
        403: "Kaggle refused the download (403): sign in on the dataset's page, or set a token.",
        404: f"Kaggle has no {HANDLE} (404).",
        429: "Kaggle asks to wait before the next download (429).",
    }
    return known.get(status or 0, f"Kaggle answered with an error: {_first_line(error)}")


def _network_reason(error: BaseException) -> str:
    """What urllib3 says at the bottom of it, without its address and count of retries."""
    wrapped = error.args[0] if error.args else None
    reason = getattr(wrapped, "reason", None)
    return _first_line(reason if isinstance(reason, Exception) else error)


def _forget_download() -> None:
    """Remove the archive and what was unpacked of it, else kagglehub takes it for complete."""
    from kagglehub.cache import get_cached_archive_path, get_cached_path
    from kagglehub.handle import parse_dataset_handle

    handle = parse_dataset_handle(HANDLE)
    Path(get_cached_archive_path(handle)).unlink(missing_ok=True)
    shutil.rmtree(get_cached_path(handle), ignore_errors=True)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
