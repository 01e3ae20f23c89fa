"""The names of the modalities in the sentences of a page, instead of x and y."""

import re


def capitalized(words: str) -> str:
    """Return the words with a capital at the start, and the rest as it was.

    >>> capitalized("RNA to protein"), capitalized("cell")
    ('RNA to protein', 'Cell')
    """
    return words[:1].upper() + words[1:]


def named(text: str, x: str, y: str) -> str:
    """Return the text with the names of the modalities instead of x and y.

    >>> named("X-rays of x and y", "photo", "word")
    'X-rays of photo and word'
    """
    names = {"x": x, "y": y}
    renamed = re.sub(r"\b[xy]\b", lambda match: names[match.group()], text)
    return capitalized(renamed) if text[:1].isupper() else renamed
