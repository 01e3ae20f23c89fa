"""JSON objects with a check of their content, by which later changes are detected.

Those that state a kind of output state the version of its format too, see `owned.writing`.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.reading import parse_json
from gentle_clip_jax.storage.writing import write_json

FORMAT = 1  # of output folders, but for the aligner's, which has a version of its own
_CHECK = "check"


def checked(record: Mapping[str, Any], digits: int = 64) -> dict[str, Any]:
    """Return a record with part of the SHA-256 of its content under "check", for `unchecked`.

    >>> checked({"step": 3}, digits=8)
    {'step': 3, 'check': 'a76b25b1'}
    """
    as_json = json.loads(json.dumps(record))  # where keys are strings, and sorted as such
    return {**record, _CHECK: sha256_of(as_json)[:digits]}


def unchecked(record: Any) -> dict[str, Any]:
    """Return the argument of `checked`; a record without a check, as if by hand, is unchanged.

    Raises:
      ValueError: it is no record, its check does not match, or another version wrote it.
    """
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    content = {key: value for key, value in record.items() if key != _CHECK}
    if _CHECK in record:
        check = record[_CHECK]
        is_check = isinstance(check, str) and len(check) >= 8
        if not is_check or not sha256_of(content).startswith(check):
            raise ValueError("checksum mismatch: the file changed after it was written")
    if isinstance(content.get("format"), int) and content["format"] != FORMAT:
        raise ValueError(
            f"it has format {content['format']} and this version of gentle_clip_jax reads "
            f"{FORMAT}: use the version that wrote it, or write it again"
        )
    return content


def write_record(path: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Write a JSON object with a check, by which `read_record` detects changes."""
    write_json(path, checked(record))


def read_record(path: pathlib.Path) -> dict[str, Any]:
    """Return the argument of `write_record`, or a JSON object without a check.

    Raises:
      FileNotFoundError: it is not there.
      ValueError: it cannot be read or was altered; says why, without the path.
    """
    return unchecked(parse_json(path))
