"""Languages by their tags (BCP 47), and what they are called in themselves."""

from __future__ import annotations

from typing import Final

MAX_TAG: Final = 64
"""More than any tag that is not made up."""

# Its data take long to load, and few requests name a language.


def standard_tag(text: str) -> str | None:
    """A tag in its usual spelling, such as it-IT for it_it; None for what is no valid tag."""
    import langcodes

    try:
        tag = langcodes.standardize_tag(text)
    except ValueError:
        return None
    is_known = len(tag) <= MAX_TAG and langcodes.tag_is_valid(tag)
    return tag if is_known and langcodes.Language.get(tag).language else None


def own_name(tag: str) -> str:
    """What the language of a valid tag calls itself, such as Italiano."""
    import langcodes

    name = langcodes.Language.get(tag).language_name(tag)
    return name[:1].upper() + name[1:]
