import gzip

import numpy as np
import pytest

from gentle_clip_jax.data import sequences


def fasta(folder, content, name="a.fasta"):
    content = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


@pytest.mark.parametrize("name", ["a.fasta", "a.fa.gz"])
def test_fasta(name, tmp_path):
    content = (
        "\ufeff; made by hand\r\n>b first of two\r\nMKT\r\nay-ia.\r\n\r\n>A|1\r\nG G*\r\n>x\r\nXBZJ"
    )
    read = sequences.read_fasta(fasta(tmp_path, content, name))
    assert [*read.items()] == [("b", "MKTAYIA"), ("A|1", "GG"), ("x", "XBZJ")]


def test_long_sequences_and_short_ones(tmp_path):
    read = sequences.read_fasta(fasta(tmp_path, f">a\n{'ACDEF' * 1000}\n>b\nM"))
    assert [len(sequence) for sequence in read.values()] == [5000, 1]
    assert sequences.esm2_tokens([*read.values()]).shape == (2, 5002)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no sequences: begin each with a line '>id'"),
        ("MKT\n", "line 1: there is no '>id' before 'MKT'"),
        (">a\nMK\n> \nMK\n", "line 3: a sequence has no id"),
        (">a\nMK\n>a other\nMK\n", "line 3: the id 'a' occurs twice"),
        (">a\n>b\nMK\n", "line 1: a has no residues"),
        (">a\n--*\n", "line 1: a has no residues"),
        (">a\nM*K\n", "line 1: a has a stop '\\*' before its end"),
        (">a\nMK1\n", "line 1: a has the character '1'"),
        (">a\nMÉ\n", "line 1: a has the character 'É'"),
        (b">a\nM\xff\n", "is not UTF-8 text"),
    ],
)
def test_unsound_files_are_refused(content, words, tmp_path):
    with pytest.raises(ValueError, match=rf"a\.fasta.*{words}"):
        sequences.read_fasta(fasta(tmp_path, content))


def test_files_that_are_not_whole(tmp_path):
    path = fasta(tmp_path, ">a\n" + "MKTAYIAKQR" * 99, "a.fa.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ValueError, match=r"a\.fa\.gz cannot be decompressed"):
        sequences.read_fasta(path)
    with pytest.raises(ValueError, match=r"There is no file .*b\.fasta"):
        sequences.read_fasta(tmp_path / "b.fasta")


def test_tokens():
    tokens = sequences.esm2_tokens(["LAG", "l<mask>j", "U O"])
    np.testing.assert_array_equal(tokens, [[0, 4, 5, 6, 2], [0, 4, 32, 3, 2], [0, 26, 28, 2, 1]])
    assert tokens.dtype == np.int32
    assert len(sequences.ESM2_ALPHABET) == 33
    np.testing.assert_array_equal(sequences.esm2_tokens(["LAGV"], 4), [[0, 4, 5, 2]])
    assert sequences.esm2_tokens([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("texts", "most", "words"),
    [(["M", " "], None, "Sequence 1 is empty"), (["M"], 2, "max_tokens must be 3 or more")],
)
def test_no_tokens(texts, most, words):
    with pytest.raises(ValueError, match=words):
        sequences.esm2_tokens(texts, most)
