"""SHA-256 digests of files, arrays and JSON."""

import hashlib
import io
import json
import pathlib
from typing import Any

import numpy as np


def sha256(path: pathlib.Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_npy(array: np.ndarray) -> str:
    """Return the SHA-256 that the .npy file of an array would have."""
    array, header = np.ascontiguousarray(array), io.BytesIO()
    of = {"shape": array.shape, "fortran_order": False}
    of["descr"] = np.lib.format.dtype_to_descr(array.dtype)
    np.lib.format.write_array_header_1_0(header, of)
    digest = hashlib.sha256(header.getvalue())
    digest.update(array.data)
    return digest.hexdigest()


def sha256_of(value: Any) -> str:
    """Return the SHA-256, in hexadecimal, of an array (dtype and shape included), bytes, or JSON.

    >>> sha256_of({"b": 1, "a": 2}) == sha256_of({"a": 2, "b": 1})
    True
    """
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)
        digest = hashlib.sha256(f"{value.dtype.str} {value.shape}".encode())
        if value.dtype == object:
            digest.update(json.dumps(value.tolist()).encode())
        else:
            digest.update(value.data)
        return digest.hexdigest()
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(value).hexdigest()
