"""The words that the pages' scripts say, by key, in the visitor's language.

Templates speak for themselves; a script that says something looks it up with ``say(key)`` of
``static/words.js``, which reads them from the page's head. ``%(name)s`` stands for a value.
"""

from __future__ import annotations

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

WORDS: dict[str, LazyString] = {
    "copied": _l("Copied"),
    "image_failed": _l("The image did not load."),
    "not_copied": _l("Could not be copied"),
    "server_answered": _l("The server answered %(status)s."),
}


def script_words() -> dict[str, str]:
    """Every word, translated."""
    return {key: str(text) for key, text in WORDS.items()}
