"""Files that are whole or not there, and records that know whether they were altered."""

import errno
import json
import os

import damages
import numpy as np
import pytest

from gentle_clip_jax.storage import locks, owned, writing
from gentle_clip_jax.storage.records import checked, read_record, unchecked, write_record
from gentle_clip_jax.storage.writing import aside, put_aside, write_arrays, write_rows, write_text

RECORD = {
    "step": 3,
    "loss": 0.1 + 0.2,
    "big": 1e300,
    "names": ["é", None],
    "at": {2: (1, 2), 10: 0},
}


def test_a_record_comes_back_as_json_has_it(tmp_path):
    write_record(tmp_path / "a.json", RECORD)
    assert read_record(tmp_path / "a.json") == json.loads(json.dumps(RECORD))
    assert unchecked(json.loads(json.dumps(checked(RECORD, digits=8)))) == read_record(
        tmp_path / "a.json"
    )


def test_a_record_that_a_person_wrote_has_no_check(tmp_path):
    (tmp_path / "a.json").write_text('{"seed": 1}')
    assert read_record(tmp_path / "a.json") == {"seed": 1}


def test_every_flipped_bit_of_a_record_is_seen_or_changes_nothing(tmp_path):
    write_record(tmp_path / "a.json", RECORD)
    content, found = (tmp_path / "a.json").read_bytes(), read_record(tmp_path / "a.json")
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        (tmp_path / "a.json").write_bytes(flipped)
        try:
            again = read_record(tmp_path / "a.json")
        except ValueError:
            continue
        others = {key: value for key, value in again.items() if key in found}
        assert others == found
        assert again == found or b'"check"' not in flipped


def test_a_record_of_another_format_is_refused(tmp_path):
    owned.finish(tmp_path, "a.json", "features", {})
    assert read_record(tmp_path / "a.json")["format"] == 1
    owned.finish(tmp_path, "a.json", "features", {"format": 2})
    with pytest.raises(ValueError, match=r"has format 2 .* reads 1: use the version that wrote it"):
        read_record(tmp_path / "a.json")


@pytest.mark.parametrize("way", damages.DAMAGES)
def test_a_damaged_record_is_a_value_error(tmp_path, way):
    write_record(tmp_path / "a.json", RECORD)
    path = tmp_path / "a.json"
    path.write_bytes(damages.DAMAGES[way](path.read_bytes()))
    with pytest.raises(ValueError, match=r"\S"):
        read_record(path)


@pytest.mark.parametrize("check", [1, None, "", "a76b25", []])
def test_a_check_that_is_none_is_not_taken(check):
    with pytest.raises(ValueError, match="checksum mismatch"):
        unchecked({"step": 3, "check": check})


def test_what_is_put_aside_takes_the_place_of_nothing(tmp_path):
    for k in range(3):
        (tmp_path / "a.json").write_text(str(k))
        expected = aside(tmp_path / "a.json")
        assert put_aside(tmp_path / "a.json") == expected
    names = ("a.json.unsound", "a.json.unsound-2", "a.json.unsound-3")
    assert [(tmp_path / name).read_text() for name in names] == ["0", "1", "2"]


def test_what_cannot_be_written_is_named_and_leaves_the_old(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    path.write_text("old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match=r"No space left.*a\.npz") as error:
        write_arrays(path, {"a": np.ones(3)})
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.npz"]


def test_a_device_or_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "null").symlink_to(os.devnull)
    (tmp_path / "folder").mkdir()
    for name in ("null", "folder"):
        with pytest.raises(OSError, match="Not a file"):
            write_text(tmp_path / name, "text")
    assert (tmp_path / "null").is_char_device()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "null"]


def test_a_record_is_read_from_a_regular_file_alone(tmp_path):
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("zero", "pipe"):
        with pytest.raises(ValueError, match="no regular file"):
            read_record(tmp_path / f"{name}.json")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rows_written_in_any_order_are_the_array(dtype, tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    order = np.random.default_rng(1).permutation(50)
    write_rows(
        tmp_path / "rows.npy",
        50,
        dtype,
        ((numbers, rows[numbers]) for numbers in (order[:7], np.sort(order[7:30]), order[30:])),
    )
    np.save(tmp_path / "array.npy", rows.astype(dtype))
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "array.npy").read_bytes()
    write_rows(tmp_path / "none.npy", 0, dtype, [])
    assert np.load(tmp_path / "none.npy").shape == (0, 0)


def test_rows_that_stop_on_the_way_leave_what_was_there(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones(3))

    def blocks():
        yield np.arange(2), np.zeros((2, 3))
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write_rows(tmp_path / "rows.npy", 4, "float32", blocks())
    assert np.load(tmp_path / "rows.npy").tolist() == [1, 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


def test_no_write_goes_through_a_planted_link(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "a.txt.part").symlink_to(tmp_path / "victim")
    monkeypatch.setattr(writing.secrets, "token_hex", lambda _: "0" * 16)
    part = tmp_path / f"b.txt.{'0' * 16}.part"
    part.symlink_to(tmp_path / "victim")
    write_text(tmp_path / "a.txt", "new")
    with pytest.raises(FileExistsError):
        write_text(tmp_path / "b.txt", "new")
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_target_of_a_link_is_replaced_and_keeps_its_permissions(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "pairs.csv"
    target.write_text("old")
    target.chmod(0o600)
    (tmp_path / "pairs.csv").symlink_to(target)
    write_text(tmp_path / "pairs.csv", "new")
    assert (tmp_path / "pairs.csv").is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_link_to_itself_is_an_error_and_stays(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links"):
        write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").is_symlink()


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    mine = {"a.npy.part", "0123456789abcdef.part", "a.0123.part"}
    for name in (*mine, "a.npy.0123456789abcdef.part"):
        (tmp_path / name).touch()
    with locks.alone_in(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == mine


def test_a_folder_of_something_else_keeps_what_others_left_unfinished(tmp_path):
    names = ["notes.txt", "a.0123456789abcdef.part"]
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="holds something else"):
        owned.writing(tmp_path, "a.json", "features").__enter__()
    assert {path.name for path in tmp_path.iterdir()} == {*names}


def test_a_number_that_no_float_holds_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"seed": 1e400}')
    with pytest.raises(ValueError, match="the number 1e400 is too large"):
        read_record(tmp_path / "a.json")


def test_a_folder_that_another_process_finishes_meanwhile_is_owned(tmp_path, monkeypatch):
    """Its manifest comes, and the mark of the unfinished goes, after any one look at either."""
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_record(folder / owned.UNFINISHED, {"kind": "gentle-clip made"})
        looks, real = [], owned._kind_of

        def kind_of(path, number=number, looks=looks, real=real):
            found = real(path)
            if len(looks) == number:
                write_record(path.parent / "made.json", {"kind": "gentle-clip made"})
                (path.parent / owned.UNFINISHED).unlink()
            looks.append(path)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(owned, "_kind_of", kind_of)
            owned.check_owned(folder, "made.json", "made")
