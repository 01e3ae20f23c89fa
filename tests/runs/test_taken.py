"""A run's folder is of one config, whichever of its files is lost or damaged."""

import itertools

import damages
import pytest
import tiny_run

from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.runs.taken import taken
from gentle_clip_jax.storage.records import read_record

CONFIG, OTHER = tiny_run.config(), tiny_run.config(seed=1)
KEPT = ("config.json", "checkpoints/config.json", "metrics.jsonl", "run.json")


@pytest.fixture
def workdir(tmp_path):
    """A run that was stopped after its second step."""
    tiny_run.begin(tmp_path, CONFIG)
    (tmp_path / "metrics.jsonl").write_text('{"step": 2, "kind": "train"}\n')
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "checkpoints" / "2").mkdir()
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*.json*")}


LOST = [names for number in (1, 2, 3) for names in itertools.combinations(KEPT, number)]


@pytest.mark.parametrize("lost", LOST, ids=",".join)
def test_without_some_of_its_files_a_run_does_not_go_on_under_another_config(workdir, lost):
    for name in lost:
        (workdir / name).unlink()
    before = contents(workdir)
    message = r"another config \(config.seed was 0, is 1\)|whose config is lost or damaged"
    with pytest.raises(ValueError, match=message) as error, taken(workdir, OTHER):
        pass
    assert "\n" not in str(error.value)
    assert str(workdir) in str(error.value)
    assert contents(workdir) == before


@pytest.mark.parametrize("name", KEPT)
def test_without_one_of_its_files_it_goes_on_under_its_own(workdir, name):
    (workdir / name).unlink()
    with taken(workdir, CONFIG):
        pass
    assert read_config(workdir).to_dict() == CONFIG.to_dict()
    config = RunFolder(workdir).config
    assert read_record(config) == read_record(RunFolder(workdir).config_of_checkpoints)


DAMAGES = {**damages.DAMAGES, "edited": lambda text: text.replace(b'"seed": 0', b'"seed": 1')}


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", KEPT[:2])
def test_a_damaged_config_is_named_put_aside_and_written_anew(workdir, name, kind, notices):
    path = workdir / name
    sound = path.read_bytes()
    path.write_bytes(DAMAGES[kind](sound))
    damaged = path.read_bytes()
    with pytest.raises(ValueError, match=r"config.seed was 0, is 1"), taken(workdir, OTHER):
        pass
    assert path.read_bytes() == damaged
    with taken(workdir, CONFIG):
        pass
    assert f"{path} is damaged (" in notices()
    assert path.with_name("config.json.unsound").read_bytes() == damaged
    assert path.read_bytes() == sound


@pytest.mark.parametrize("kind", DAMAGES)
def test_where_both_are_damaged_nothing_is_touched(workdir, kind):
    for name in KEPT[:2]:
        (workdir / name).write_bytes(DAMAGES[kind]((workdir / name).read_bytes()))
    before = contents(workdir)
    with (
        pytest.raises(ValueError, match=r"config is lost or damaged \(config.json\): restore that"),
        taken(workdir, CONFIG),
    ):
        pass
    assert contents(workdir) == before


def test_a_folder_of_checkpoints_from_elsewhere_is_taken_by_no_config(workdir, tmp_path):
    """Only its steps were copied."""
    other = tmp_path / "other"
    (other / "checkpoints").mkdir(parents=True)
    (workdir / "checkpoints" / "2").rename(other / "checkpoints" / "2")
    with pytest.raises(ValueError, match="config is lost or damaged"), taken(other, CONFIG):
        pass
