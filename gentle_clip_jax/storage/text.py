"""Text as bytes in files, and as characters on a terminal."""

import codecs
import re
import shlex
from collections.abc import Iterable, Sequence

# The longer marks first: that of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


class Sentence(str):
    """A sentence with its statistics; `plain` is the same without them."""

    plain: str

    def __new__(cls, plain: str, full: str = "") -> "Sentence":
        """Return the full sentence, or the plain one if there are no statistics."""
        sentence = super().__new__(cls, full or plain)
        sentence.plain = plain
        return sentence


def decode(content: bytes) -> str:
    r"""Return the text of a file in UTF-8, UTF-16 or, where it is neither, Windows-1252.

    A byte order mark decides, if there is one. A file with other characters in valid UTF-8 is not
    Windows-1252 but damaged.

    Raises:
      ValueError: it is no such text; says "is ..." or "line N is ..." without the path.

    >>> [decode("Käfer".encode(name)) for name in ("utf-8-sig", "utf-16", "cp1252")]
    ['Käfer', 'Käfer', 'Käfer']
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None:
        sample = content[:4096]
        encoding = "utf-8"
        # Of characters below 256, UTF-16 writes every second byte as 0.
        for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            zeros, others = (sample[begin::2].count(0) for begin in (start, 1 - start))
            if len(content) % 2 == 0 and zeros > len(sample) / 4 > others:
                encoding = name
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise ValueError(f"is not UTF-8 or UTF-16 text ({error})") from error
        lenient = content.decode("utf-8", "surrogateescape")
        is_western = all(char < "\x80" or "\udc80" <= char <= "\udcff" for char in lenient)
        if is_western and b"\x00" not in content:
            try:
                return content.decode("cp1252")
            except UnicodeDecodeError:
                pass
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8 text ({error.reason})") from error


def escaped(text: str, keep: str = "\t\n") -> str:
    r"""Return the text with control characters, but those to keep, as escapes.

    >>> escaped("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _CONTROLS.sub(
        lambda match: match[0] if match[0] in keep else ascii(match[0])[1:-1], text
    )


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, with each column as wide as its longest cell.

    >>> aligned([("pairs", "recall"), ("12", "40")])
    ['pairs  recall', '12     40']
    """
    table = [*rows]
    widths = [max(map(len, column)) for column in zip(*table)]
    cells = (map(str.ljust, row, widths) for row in table)
    return ["  ".join(row).rstrip() for row in cells]


def command(name: str, **options: object) -> str:
    """Return a command of gentle-clip, quoted for a shell; True is a flag, None is left out.

    >>> command("ask", x="my pictures", pairs=None, xlsx=True)
    "gentle-clip ask '--x=my pictures' --xlsx"
    """
    given = ((name.replace("_", "-"), value) for name, value in options.items())
    words = (
        f"--{option}" if value is True else f"--{option}={value}"
        for option, value in given
        if value is not None
    )
    return shlex.join(["gentle-clip", name, *words])
