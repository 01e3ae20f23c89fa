"""Five ways in which a file is damaged: functions from its content to what is left of it."""

import zlib

import numpy as np


def flipped(content: bytes) -> bytes:
    """With one bit changed, in the middle."""
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(byte ^ 1 for byte in content[middle : middle + 1])
        + (content[middle + 1 :])
    )


def random(content: bytes) -> bytes:
    """As many bytes, others each time."""
    return np.random.default_rng(zlib.crc32(content)).bytes(len(content) or 16)


DAMAGES = {
    "emptied": lambda content: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "one bit flipped": flipped,
    "JSON of another shape": lambda content: b"[]",
    "random bytes": random,
}
