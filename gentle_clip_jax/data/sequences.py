"""Protein sequences: FASTA files, and the tokens of ESM-2."""

import gzip
import io
import pathlib
import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.missing import MissingPath

_PIECE = 2**20  # bytes that are decompressed at a time
# In the order of the published vocabulary: the id of a token is its index.
ESM2_ALPHABET = (
    *("<cls>", "<pad>", "<eos>", "<unk>"),
    *"LAGVSERTIDPKQNFYMHWCXBUZO.-",
    *("<null_1>", "<mask>"),
)
_CLS, _PAD, _EOS, _UNK = range(4)
_IDS = {token: number for number, token in enumerate(ESM2_ALPHABET)}


def read_fasta(path: str | pathlib.Path) -> dict[str, str]:
    """Return the sequences of a FASTA file by id, in its order; the file may be compressed (.gz).

    An id is the first word after `>`. Sequences are returned in capital letters, without spaces,
    gaps (`-` and `.`) and the stop `*` at their end. Lines that begin with `;` are comments.

    Raises:
      ValueError: the file is missing, truncated, empty or not FASTA; an id is missing or occurs
        twice; a sequence is empty or has characters other than letters.
    """
    path = pathlib.Path(path)
    sequences: dict[str, str] = {}
    for number, name, sequence in _records(path, read_text(path)):
        if not name:
            raise ValueError(f"{path}, line {number}: a sequence has no id: write one after '>'.")
        if name in sequences:
            raise ValueError(f"{path}, line {number}: the id {name!r} occurs twice: rename one.")
        sequences[name] = _cleaned(f"{path}, line {number}: {name}", sequence)
    if not sequences:
        raise ValueError(f"{path} has no sequences: begin each with a line '>id'.")
    return sequences


def read_bytes(path: pathlib.Path) -> bytes:
    """Return the bytes of a file, decompressed if its name ends in .gz.

    Raises:
      ValueError: there is no such file, or it is too large or cannot be decompressed.
    """
    if not path.is_file():
        raise MissingPath(path, "file")
    try:
        content = reading.read_bytes(path)
    except ValueError as error:
        raise ValueError(f"{path} {error}: split it.") from error
    if path.suffix.lower() != ".gz":
        return content
    try:
        return _unpacked(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed ({error}): copy it again.") from error
    except ValueError as error:
        raise ValueError(f"{path} {error} when decompressed: split it.") from error


def _unpacked(content: bytes) -> bytes:
    pieces, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while piece := file.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            reading.check_size(size)
    return b"".join(pieces)


def read_text(path: pathlib.Path) -> str:
    """Return the text of a UTF-8 file, decompressed if its name ends in .gz.

    Raises:
      ValueError: the file cannot be read, or it is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error}): save it as UTF-8.") from error


def esm2_tokens(sequences: Sequence[str], max_tokens: int | None = None) -> np.ndarray:
    """Return token ids [n, t] int32 of n sequences: <cls>, one per residue, <eos>, <pad> ...

    t is the length of the longest row. A sequence too long for `max_tokens` is truncated, but <eos>
    stays. Small letters count as capitals. Each letter outside of the alphabet (J) becomes <unk>,
    so that tokens and residues stay aligned. `<mask>` stands for one residue.

    Raises:
      ValueError: a sequence is empty, or max_tokens leaves no room for a residue.
    """
    if max_tokens is not None and max_tokens < 3:
        raise ValueError(f"max_tokens must be 3 or more (<cls>, a residue, <eos>): {max_tokens}.")
    rows = []
    for number, sequence in enumerate(sequences):
        residues = re.findall(r"<mask>|\S", sequence)
        if not residues:
            raise ValueError(f"Sequence {number} is empty: remove it.")
        shortened = residues[: None if max_tokens is None else max_tokens - 2]
        token_ids = (_IDS.get(r if len(r) > 1 else r.upper(), _UNK) for r in shortened)
        rows.append([_CLS, *token_ids, _EOS])
    tokens = np.full((len(rows), max(map(len, rows), default=0)), _PAD, np.int32)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = ids
    return tokens


def _records(path: pathlib.Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line number, id and raw sequence of each record."""
    start, name, parts = 0, "", []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith(";"):
            continue
        if line.startswith(">"):
            if start:
                yield start, name, "".join(parts)
            start, name, parts = number, (line[1:].split() or [""])[0], []
        elif not start:
            raise ValueError(f"{path}, line {number}: there is no '>id' before {line[:20]!r}.")
        else:
            parts.append(line)
    if start:
        yield start, name, "".join(parts)


def _cleaned(where: str, sequence: str) -> str:
    cleaned = re.sub(r"[\s.-]", "", sequence).removesuffix("*").upper()
    if not cleaned:
        raise ValueError(f"{where} has no residues: remove it.")
    if "*" in cleaned:
        raise ValueError(f"{where} has a stop '*' before its end: cut it there or remove it.")
    if strange := re.search("[^A-Z]", cleaned):
        raise ValueError(
            f"{where} has the character {strange[0]!r}: use one letter for each residue."
        )
    return cleaned
