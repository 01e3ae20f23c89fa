"""The command line: what it prints, what it leaves, and one sentence for every user's error."""

import json
import pathlib
import shutil
import subprocess
import sys

import jax
import pytest
import tiny_run
from ml_collections import ConfigDict

import gentle_clip_jax
from gentle_clip_jax.commands import main
from gentle_clip_jax.runs.folder import read_config
from gentle_clip_jax.tasks.config import load_config
from gentle_clip_jax.tasks.icons import data
from gentle_clip_jax.tasks.icons import task as icons

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
TINY = (
    "--config.model.image.width=16",
    "--config.model.text.width=16",
    "--config.model.embedding_dim=16",
    "--config.train.steps=4",
    "--config.train.batch_matched=8",
    "--config.train.batch_unmatched=8",
    "--config.train.log_every=1",
    "--config.train.checkpoint_every=2",
)


@pytest.fixture
def tiny_task(monkeypatch):
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: tiny_run.dataset())


def train(workdir, *overrides, config="icons.py") -> int:
    return main.main(["train", f"--config={CONFIGS / config}", f"--workdir={workdir}", *overrides])


def assert_one_sentence(capsys, *words: str) -> None:
    """Something is said on stderr alone, in one line, and it names `words`."""
    out, err = capsys.readouterr()
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("gentle-clip: ")
    assert not out
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    "args",
    [
        [],
        *([name] for name in ("train", "evaluate", "report", "search")),
        *([name] for name in ("encode", "compare", "diagnose", "data", "index")),
        ["data", "list"],
        ["data", "prepare"],
    ],
    ids=" ".join,
)
def test_help(args, capsys):
    with pytest.raises(SystemExit) as exit_:
        main.main([*args, "--help"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith("usage: gentle-clip")


@pytest.mark.parametrize(
    "args",
    [
        ["fit"],
        ["train"],
        ["train", "--workdir=a"],
        ["report", "--workdir=a", "b"],
        ["evaluate", "--workdir=a", "--config.seed=1"],
        ["compare", "--x=a", "--y=b", "--workdir=c", "--config.seeds=1"],
    ],
)
def test_wrong_usage(args, capsys):
    with pytest.raises(SystemExit) as exit_:
        main.main(args)
    assert exit_.value.code == 2
    assert "gentle-clip" in capsys.readouterr().err


def test_alone_it_prints_the_help(capsys):
    assert main.main([]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("usage: gentle-clip")
    assert "quickstart" in out
    assert not err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["serach", "a house"], ["no command 'serach'", "Did you mean search?"]),
        (["data", "lsit"], ["no action 'lsit'", "Did you mean list?"]),
        (["--verison"], ["no option --verison", "Did you mean --version?"]),
        (["ask", "--x=a", "--nmu=3", "--out=b"], ["no option --nmu", "Did you mean --num?"]),
        (["align", "--alinger=a"], ["no option --alinger"]),
        (["train", "--wrokdir=a"], ["no option --wrokdir", "Did you mean --workdir?"]),
        (["ask", "--zzzzzz"], ["no option --zzzzzz: see gentle-clip ask --help"]),
    ],
)
def test_a_mistyped_word_is_named_with_the_nearest(args, words, capsys):
    with pytest.raises(SystemExit) as exit_:
        main.main(args)
    assert exit_.value.code == 2
    assert_one_sentence(capsys, *words)


def test_runs_as_a_module_and_answers_before_anything_heavy_is_imported():
    script = (
        "import sys; from gentle_clip_jax.commands import main\n"
        "try: main.main(['--version'])\n"
        "finally: assert not {'flax', 'optax', 'orbax', 'matplotlib', 'rich',\n"
        "    'ml_collections', 'absl', 'scipy'} & set(sys.modules)"
    )
    for args in (["-m", "gentle_clip_jax", "--version"], ["-c", script]):
        process = subprocess.run([sys.executable, *args], capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        assert process.stdout.strip() == gentle_clip_jax.__version__


def test_configs_are_bases_of_each_other_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = [folder for folder in sys.path if folder not in ("", str(CONFIGS.parent))]
    monkeypatch.setattr(sys, "path", path.copy())
    assert load_config(CONFIGS / "protein_esm2.py").model.language.lora_rank == 4
    assert sys.path == path


def test_overrides_of_every_kind():
    overrides = (
        "--config.loss.mmd_weight=1",
        "--config.train.steps",
        "7",
        "--noconfig.loss.learn_temperature",
        "--config.objective=clip",
    )
    config = load_config(CONFIGS / "icons.py", overrides)
    assert config.loss.mmd_weight == 1.0
    assert config.train.steps == 7
    assert config.loss.learn_temperature is False
    assert config.objective == "clip"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("--config.train.step=2", ["config.train.step:", "did you mean config.train.steps?"]),
        ("--config.trian.steps=2", ["trian", "did you mean config.train.steps?"]),
        ("--config.train.steps.more=2", ["config.train.steps.more"]),
        ("--config.train.steps=many", ["--config.train.steps=many"]),
        ("--config.train.steps=2.5", ["--config.train.steps=2.5"]),
        ("--config.loss.learn_temperature=maybe", ["learn_temperature=maybe"]),
        ("--config.loss.mmd_weight", ["Missing value", "mmd_weight"]),
        ("--config.loss=3", ["--config.loss=3"]),
        ("--config.zzz=2", ["has no key config.zzz."]),
        ("--step=2", ["step"]),
        ("more", ["more", "--config.seed=1"]),
    ],
)
def test_wrong_overrides(override, words, tmp_path, capsys):
    assert train(tmp_path / "run", override) == 2
    assert_one_sentence(capsys, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["no config", "mine.py"]),
        ("def get_config(base): return missing", ["mine.py", "NameError", "line 1"]),
        ("def get_config(base:", ["mine.py", "SyntaxError"]),
        ("import nowhere", ["ModuleNotFoundError", "nowhere"]),
        ("x = 1", ["mine.py", "get_config"]),
        ("def get_config(): return {}", ["mine.py", "TypeError", "one argument", "base"]),
        ("def get_config(base): return {}", ["ConfigDict", "dict"]),
    ],
)
def test_wrong_configs(text, words, tmp_path, capsys):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    assert main.main(["train", f"--config={path}", f"--workdir={tmp_path / 'run'}"]) == 2
    assert_one_sentence(capsys, *words)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.matched_fraction=0"], ["no matched pairs", "clip_weight", "matched_fraction"]),
        (["train.batch_matched=0"], ["no matched pairs", "batch_matched"]),
        (["train.batch_matched=41"], ["41", "40", "batch_matched"]),
        (["train.batch_unmatched=61"], ["61", "60", "batch_unmatched"]),
        (["train.batch_matched=6"], ["6 rows", "4 devices", "batch_matched"]),
        (["train.batch_matched=-8"], ["config.train.batch_matched", "-8"]),
        (["train.batch_matched=0", "train.batch_unmatched=0", "loss.clip_weight=0"], ["both 0"]),
        (["train.microbatches=3"], ["config.train.microbatches=3"]),
        (["train.log_every=0"], ["config.train.log_every", "from 1 to", "steps", "not 0"]),
        (["objective=new"], ["config.objective", "clip, siglip"]),
        (["loss.temperature=0"], ["config.loss.temperature", "0.01"]),
        (["model.dtype=int8"], ["config.model.dtype", "bfloat16"]),
        (["model.image.num_heads=3"], ["config.model.image.width=16", "num_heads=3"]),
    ],
)
@pytest.mark.usefixtures("tiny_task")
def test_configs_that_cannot_work(overrides, words, tmp_path, capsys):
    assert train(tmp_path, *TINY, *(f"--config.{override}" for override in overrides)) == 2
    _, err = capsys.readouterr()
    assert len(err.strip().splitlines()) == 1
    assert all(word in err for word in words), err


def test_workdirs_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert train(tmp_path / "file" / "run") == 2
    assert_one_sentence(capsys, "Cannot write", str(tmp_path / "file" / "run"), "--workdir")


def test_workdir_of_another_config(tmp_path, capsys):
    config = load_config(CONFIGS / "icons.py", [*TINY, "--config.seed=1"])
    tiny_run.begin(tmp_path, config)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    assert train(tmp_path, *TINY) == 2
    assert_one_sentence(capsys, str(tmp_path), "another config", "config.seed was 1, is 0")


def test_a_run_that_failed_at_once_does_not_keep_its_workdir(tmp_path, capsys):
    tiny_run.begin(tmp_path, tiny_run.config())
    tiny_run.begin(tmp_path, tiny_run.config(seed=1))
    assert read_config(tmp_path).seed == 1


def test_corrupt_cache(tmp_path, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "icons.npz").write_bytes(b"PK\x03\x04 cut short")
    assert train(tmp_path) == 2
    assert_one_sentence(capsys, "icons.npz", "delete it")


@pytest.mark.parametrize("name", ["remixicon-*.ttf", "remixicon-charmap-*.json"])
def test_corrupt_font(name, tmp_path, monkeypatch, capsys):
    fonts = shutil.copytree(data._font_folder(), tmp_path / "fonts")
    monkeypatch.setattr(data, "_font_folder", lambda: fonts)
    (path,) = fonts.glob(name)
    path.write_bytes(path.read_bytes()[:100])
    assert train(tmp_path / "run") == 2
    assert_one_sentence(capsys, str(path), "reinstall qtawesome")


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_folders_without_a_run(command, tmp_path, capsys):
    assert main.main([command, "--workdir", str(tmp_path)]) == 2
    assert_one_sentence(capsys, str(tmp_path), "config.json", "gentle-clip train")


@pytest.mark.usefixtures("tiny_task")
def test_evaluate_without_a_checkpoint(tmp_path, capsys):
    tiny_run.begin(tmp_path, tiny_run.config())
    assert main.main(["evaluate", f"--workdir={tmp_path}"]) == 2
    assert_one_sentence(capsys, str(tmp_path), "no checkpoint", "gentle-clip train")


def test_a_run_whose_records_are_of_another_shape(tmp_path, capsys):
    tiny_run.begin(tmp_path, tiny_run.config())
    (tmp_path / "run.json").write_text("[]")
    assert main.main(["report", f"--workdir={tmp_path}"]) == 2
    assert_one_sentence(capsys, str(tmp_path / "run.json"), "no JSON object")


def test_search_for_nothing(tmp_path, capsys):
    assert main.main(["search", f"--aligner={tmp_path}", " "]) == 2
    assert_one_sentence(capsys, "nothing to search for")


def test_compare_with_a_run_that_was_not_evaluated(tmp_path, capsys):
    tiny_run.begin(tmp_path, tiny_run.config())
    assert main.main(["evaluate", "--workdir=any", f"--compare={tmp_path}"]) == 2
    assert_one_sentence(capsys, str(tmp_path), "gentle-clip evaluate")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (FloatingPointError("loss/sdd is nan at step 3."), 2, "loss/sdd is nan at step 3."),
        (KeyboardInterrupt(), 130, "Stopped. Run the same command again to continue."),
        (OSError(5, "Input/output error"), 2, "Input/output error"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (ModuleNotFoundError("No module named 'grain'", name="grain"), 2, "[quickstart]"),
    ],
)
def test_errors_of_training(error, code, words, tmp_path, monkeypatch, capsys):
    def fail(config: ConfigDict, workdir: str) -> None:
        raise error

    monkeypatch.setattr("gentle_clip_jax.training.loop.train", fail)
    # With a full disk the process ends at once, which would be this one.
    monkeypatch.setattr("gentle_clip_jax.parallel.processes.leave", lambda code: None)
    assert train(tmp_path) == code
    assert_one_sentence(capsys, words)


def test_traceback_on_request(tmp_path):
    with pytest.raises(ValueError, match="no config"):
        main.main(["--traceback", "train", "--config=none.py", f"--workdir={tmp_path}"])


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_task")
def test_train_evaluate_report(tmp_path, capsys):
    run, other = tmp_path / "gentle", tmp_path / "clip"
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        assert train(run, *TINY) == 0
        assert train(other, *TINY, "--config.train.batch_unmatched=0", config="icons_clip.py") == 0
        capsys.readouterr()
        assert train(run, *TINY) == 0
    assert "all 4 steps are done" in capsys.readouterr().err

    assert main.main(["evaluate", f"--workdir={other}"]) == 0
    assert main.main(["evaluate", f"--workdir={run}", "--compare", str(other)]) == 0
    table = capsys.readouterr().out
    assert "Image to text R@10" in table
    assert "Zero-shot accuracy" in table

    assert main.main(["search", f"--aligner={run}", "low a", "--num=5"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert len(names) == 5
    assert set(names) <= {*tiny_run.WORDS}

    assert main.main(["report", f"--workdir={run}", f"--compare={other}"]) == 0
    assert capsys.readouterr().out.strip() == f"Written: {run / 'report.html'}."
    assert "Differences between the runs" in (run / "report.html").read_text()
    assert json.loads((run / "run.json").read_text())["seed"] == 0
