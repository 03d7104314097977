"""Tells a web page from media by its first bytes."""

from __future__ import annotations

import re

# As much as the MIME Sniffing Standard §5.2 looks at, and a little more for long comments.
SNIFFED_BYTES = 1445

# The tags of MIME Sniffing §7.1 that begin a page, after what may stand before them. Possessive
# throughout, so that no sequence of comments makes the match backtrack.
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml\b[^>]*>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+"
    rb"<(?:!doctype\s+html|html|head|body|title|script|style|meta|iframe)[\s>]",
    re.IGNORECASE | re.DOTALL,
)


def is_html(head: bytes) -> bool:
    """Tell whether a file that begins so is an HTML page; no master is."""
    return _PAGE.match(head) is not None
