"""A folder of features made by several processes is the one that a single process makes."""

import shutil

import pytest
from PIL import Image
from tiny_encoders import encode_by_command, manifest

from gentle_clip_jax.commands import main
from gentle_clip_jax.features import update, work
from gentle_clip_jax.features.read import read


@pytest.fixture(autouse=True)
def two_a_block(monkeypatch):
    monkeypatch.setattr(update, "BLOCK", 2)


@pytest.fixture
def pictures(pictures):
    """Eight, of which two are equal, and two cannot be used."""
    for number in range(3):
        Image.new("RGB", (9, 9), (number, 7, 9)).save(pictures / f"n{number}.png")
    shutil.copy(pictures / "a.png", pictures / "n3.png")
    (pictures / "c.png").write_bytes(b"no image")
    (pictures / "z.png").symlink_to("/dev/zero")
    return pictures


def in_shards(data, out, count, *options):
    for number in reversed(range(count)):
        assert encode_by_command(data, out, f"--shard={number}/{count}", *options) == 0


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", ["pictures", "texts"])
@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_shards_put_together_are_one_run(kind, count, dtype, request, tmp_path, capsys):
    data, options = request.getfixturevalue(kind), (f"--dtype={dtype}", "--batch-size=2")
    assert encode_by_command(data, tmp_path / "one", *options) == 0
    said = capsys.readouterr()
    in_shards(data, tmp_path / "many", count, *options)
    with pytest.raises(ValueError, match=r"many has no manifest.json"):
        read(tmp_path / "many")
    capsys.readouterr()
    assert main.main(["encode", "--merge", f"--out={tmp_path / 'many'}"]) == 0
    merged = capsys.readouterr()
    whole, parts = (text.partition("Next: ")[0] for text in (said.out, merged.out))
    assert (parts, merged.err) == (whole.replace("/one", "/many"), said.err)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert not (tmp_path / "many" / "shards").exists()


def test_a_shard_reads_and_embeds_its_own_alone(pictures, tmp_path, monkeypatch):
    seen, real = [], work._content
    monkeypatch.setattr(work, "_content", lambda image: seen.append(image.id) or real(image))
    assert encode_by_command(pictures, tmp_path / "out", "--shard=1/2") == 0
    assert sorted(seen) == ["c", "d", "n1", "n2"]
    rows = read(tmp_path / "out" / "shards" / "1-of-2")
    assert rows.ids.tolist() == ["d", "n1", "n2"]
    seen.clear()
    assert encode_by_command(pictures, tmp_path / "out", "--shard=1/2") == 0
    assert manifest(tmp_path / "out" / "shards" / "1-of-2")["num_rows"] == 3


def test_what_is_merged_is_brought_up_to_date_as_ever(pictures, tmp_path, capsys):
    in_shards(pictures, tmp_path / "out", 2)
    assert main.main(["encode", "--merge", f"--out={tmp_path / 'out'}"]) == 0
    Image.new("RGB", (9, 9), (1, 2, 3)).save(pictures / "new.png")
    capsys.readouterr()
    assert encode_by_command(pictures, tmp_path / "out") == 0
    assert "Embedded now: 1; reused: 7." in capsys.readouterr().err
    in_shards(pictures, tmp_path / "out", 2)
    before = contents(tmp_path / "out")
    assert main.main(["encode", "--merge", f"--out={tmp_path / 'out'}"]) == 0
    after = contents(tmp_path / "out")
    assert after == {name: content for name, content in before.items() if name in after}


def other_weights(pictures, out, weights, monkeypatch):
    (weights / "weights").write_bytes(b"other weights")
    assert encode_by_command(pictures, out, "--shard=1/2") == 0


def other_pictures(pictures, out, weights, monkeypatch):
    (pictures / "a.png").unlink()
    assert encode_by_command(pictures, out, "--shard=1/2") == 0


def other_dtype(pictures, out, weights, monkeypatch):
    shutil.rmtree(out / "shards" / "1-of-2")
    assert encode_by_command(pictures, out, "--shard=1/2", "--dtype=float16") == 0


def flip(name):
    def damage(pictures, out, *_):
        path = out / "shards" / "1-of-2" / name
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])

    return damage


def stop(pictures, out, weights, monkeypatch):
    (out / "shards" / "1-of-2" / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _, out, *more: shutil.rmtree(out / "shards"), "has no shards: run gentle-clip"),
        (lambda _, out, *more: shutil.rmtree(out / "shards" / "1-of-2"), "1/2 of {} is missing"),
        (stop, "Shard 1/2 of {} is not finished: run gentle-clip encode --shard=1/2 again"),
        (
            lambda pictures, out, *_: encode_by_command(pictures, out, "--shard=0/3"),
            "shards of 2 and of 3",
        ),
        *((flip(name), "Shard 1/2 is damaged") for name in ("features.npy", "rows.jsonl")),
        (flip("manifest.json"), "Shard 1/2 is damaged"),
        (other_weights, "Shard 1/2 of {} is of another encoder than 0/2"),
        (other_pictures, "Shard 1/2 of {} is of other items than 0/2"),
        (other_dtype, "was made with --dtype=float16, and 0/2 with float32"),
    ],
)
def test_shards_that_cannot_be_merged(
    change, words, pictures, weights, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"
    in_shards(pictures, out, 2)
    change(pictures, out, weights, monkeypatch)
    before = contents(out)
    capsys.readouterr()
    assert main.main(["encode", "--merge", f"--out={out}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words.format(out) in error
    assert contents(out) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--merge", "--encoder=minilm"], "are of --encoder=efficientnet-lite0, not minilm"),
        (["--merge", "--dtype=float16"], "are of --dtype=float32, not float16"),
        ([], "Give --encoder=NAME and --data=PATH, or --merge"),
    ],
)
def test_what_is_asked_for_is_what_the_shards_are_of(options, words, pictures, tmp_path, capsys):
    in_shards(pictures, tmp_path / "out", 1)
    assert main.main(["encode", f"--out={tmp_path / 'out'}", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", ["2/2", "-1/2", "1", "1/0", "a/b", "0/999999", "1/2/3", ""])
def test_a_shard_is_one_of_so_many(text, capsys):
    with pytest.raises(SystemExit):
        main.main(["encode", "--encoder=a", "--data=b", "--out=c", f"--shard={text}"])
    assert "it must be I/N, with I from 0 to N-1" in capsys.readouterr().err
