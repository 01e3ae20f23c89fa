"""Paths of the disk; those of a store are in tests/faults/test_store.py."""

import sys

import pytest

from gentle_clip_jax.storage import stores


def test_a_path_of_the_disk_is_as_it_is(tmp_path):
    for path in (tmp_path, str(tmp_path)):
        place = stores.place(path)
        assert place == tmp_path
        assert stores.is_local(place)
        assert stores.scratch(place) == place


def test_what_is_made_again_lies_on_the_disk(tmp_path, monkeypatch):
    epath = pytest.importorskip("etils.epath")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, other = (stores.scratch(epath.Path(f"gs://bucket/{name}")) for name in "ab")
    assert one != other
    assert one.parent == other.parent == tmp_path / "gentle-clip" / "runs"


def test_a_file_and_a_folder_are_told_apart(tmp_path):
    (tmp_path / "file").write_bytes(b"four")
    assert stores.metadata(tmp_path / "file") == (True, 4)
    assert not stores.metadata(tmp_path)[0]


def test_lines_are_added_to_a_text(tmp_path):
    (tmp_path / "log").write_text("one\n")
    with stores.appending(tmp_path / "log") as file:
        file.write("two\n")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


class Object:
    """A text on a store."""

    content = b"one\n"

    def read_text(self, encoding):
        return self.content.decode(encoding)

    def write_bytes(self, content):
        self.content = content


def test_lines_of_a_store_are_put_at_a_flush_and_at_the_end():
    log = Object()
    with stores.appending(log) as file:
        file.write("two\n")
        assert log.content == b"one\n"
        file.flush()
        file.write("three\n")
        assert log.content == b"one\ntwo\n"
    assert log.content == b"one\ntwo\nthree\n"


def test_a_store_of_another_kind():
    with pytest.raises(ValueError, match="s3://bucket/run is on a store that Orbax writes no"):
        stores.place("s3://bucket/run")


def test_gcsfs_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ModuleNotFoundError):
        stores.place("gs://bucket/run")
