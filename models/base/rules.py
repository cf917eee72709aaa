"""What holds of any text that somebody types or sends."""

import re
from typing import Final

#: A pattern, for Python and for JSON Schema: one character that can be seen. What Unicode calls default ignorable (zero
#: widths, fillers, joiners, variation selectors: UAX 44) is drawn as nothing, so a text of these alone is a blank one. Of
#: the basic plane: the patterns of JSON Schema need not know another.
VISIBLE: Final = (
    r"[^\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8]"
)
_SEEN: Final = re.compile(VISIBLE)


def is_visible(text: str) -> bool:
    """Whether anybody sees anything of it."""
    return _SEEN.search(text) is not None
