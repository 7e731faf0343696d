"""One spelling for the names that this field spells in several ways."""

from __future__ import annotations

import re
import unicodedata

_SUFFIX = re.compile(r"\.(?:jpe?g|png)(?=_|$)")
_CATEGORY = re.compile(r"(?<=[a-z])_(?=[a-z])")


def spell(name: str) -> str:
    """``name`` without what differs between two scripts that mean the same image.

    Upper and lower case, Unicode composition (a Mac's zip decomposes accents), ``fasion`` for ``fashion``, ``.jpg``
    inside or at the end of a name, and the underscore of a category (``Tees_Tanks`` is ``TeesTanks``). Both sides of a
    comparison go through it whole: a name is never split at an underscore.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return _CATEGORY.sub("", _SUFFIX.sub("", text).replace("fasion", "fashion"))
