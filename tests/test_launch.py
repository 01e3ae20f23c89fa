"""The scripts that a newcomer starts with."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import jsonschema
import pytest
import yaml

from gentle_clip_jax.commands import main

ROOT = pathlib.Path(__file__).parents[1]
LAUNCH = ROOT / "launch"
SCRIPTS = [*sorted(LAUNCH.glob("*.sh")), LAUNCH / "slurm.sbatch", ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script):
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    beside = pathlib.Path(sys.executable).parent
    if shellcheck := shutil.which("shellcheck", path=f"{beside}{os.pathsep}{os.environ['PATH']}"):
        subprocess.run([shellcheck, script], check=True)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the scripts and of what they read, without a .venv."""
    shutil.copytree(ROOT / "launch", tmp_path / "launch")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["quickstart.sh", "test.sh"])
def test_a_python_that_will_not_do_is_named(name, checkout):
    process = subprocess.run(
        [checkout / "launch" / name],
        env=os.environ | {"PYTHON": "/usr/bin/false"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert process.stderr.startswith("/usr/bin/false will not do: a Python 3.11, 3.12 or 3.13")
    assert not (checkout / ".venv").exists()


def test_what_is_installed_is_not_installed_again(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"  # a stand-in that says what it is asked to do
    python.write_text('#!/usr/bin/env bash\nif [[ $1 == -m ]]; then echo "installs"; fi\n')
    python.chmod(0o755)
    outputs = [
        subprocess.run(
            [checkout / "launch" / "install.sh", extras], capture_output=True, text=True, check=True
        ).stdout
        for extras in ("dev,parity", "dev,parity", "dev", "dev,weights")
    ]
    assert ["installs" in output for output in outputs] == [True, False, False, True]
    assert outputs[1:3] == ["", ""]


ARGUMENTS = ["--config=configs/icons.py", "--workdir=runs/a b"]


def dry_run(script, *arguments, **environment):
    """What a script says that it would run, as lists of words."""
    process = subprocess.run(
        ["bash", LAUNCH / script, "--dry-run", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return [shlex.split(line) for line in process.stdout.splitlines()]


def test_local_processes_would_meet(tmp_path):
    runs = dry_run("local_processes.sh", "3", *ARGUMENTS, PORT="1234")
    for number, run in enumerate(runs):
        expected = ["gentle-clip", "train", *ARGUMENTS, "--coordinator=localhost:1234"]
        assert run == [*expected, "--num-processes=3", f"--process-id={number}"]
    assert len(runs) == 3


def test_slurm_would_start_a_process_for_each_task():
    (run,) = dry_run("slurm.sbatch", *ARGUMENTS, GENTLE_CLIP="python -m gentle_clip_jax")
    train = ["python", "-m", "gentle_clip_jax", "train", *ARGUMENTS, "--coordinator=auto"]
    assert run == ["srun", "--kill-on-bad-exit=1", *train]
    assert dry_run("slurm.sbatch", "train", *ARGUMENTS) == dry_run("slurm.sbatch", *ARGUMENTS)


ENCODE = ["--encoder=minilm", "--data=a b", "--out=features/a b"]


def shards_of(run, tasks=2):
    """What the tasks of an srun would run, of which each is told its number."""
    assert run[0] == "srun"
    said = []
    for task in range(tasks):
        numbers = {"SLURM_NTASKS": str(tasks), "SLURM_PROCID": str(task), "SLURM_LOCALID": "0"}
        process = subprocess.run(
            [*run[1:4], run[4], "printf", "%s\n", *run[6:]],
            env=os.environ | {"FIRST": "0", "JOBS": "1"} | numbers,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(process.stdout.splitlines())
    return said


def test_slurm_would_give_each_task_a_shard_and_put_all_together():
    run, merge = dry_run("slurm.sbatch", "encode", *ENCODE, GENTLE_CLIP="gentle-clip")
    said = shards_of(run)
    assert [words[-1] for words in said] == ["--shard=0/2", "--shard=1/2"]
    assert said[0][:-1] == ["encode", *ENCODE]
    assert merge == ["gentle-clip", "encode", "--merge", ENCODE[-1]]
    array = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "3"}
    assert len(dry_run("slurm.sbatch", "encode", *ENCODE, **array)) == 1
    for words in (said[0], merge[1:]):
        main._parser().parse_args(words)
    (align,) = dry_run("slurm.sbatch", "align", "--x=a", "--y=b", "--out=c", GENTLE_CLIP="g")
    assert align == ["srun", "--ntasks=1", "g", "align", "--x=a", "--y=b", "--out=c"]


def test_the_hosts_of_a_slice_would_each_take_a_shard(tmp_path):
    (run,) = dry_run("tpu_pod.sh", "encode", *ENCODE)
    assert "--worker=all" in run
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "gentle-clip").mkdir()
    stand_ins = {
        "venv/bin/gentle-clip": 'printf "%s\\n" "$@" $TPU_PROCESS_BOUNDS',
        "curl": 'case "$*" in *number) printf 2 ;; *) printf a:1,b:2,c:3 ;; esac',
    }
    for name, said in stand_ins.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{said}\n")
        (tmp_path / name).chmod(0o755)
    command = run[-1].removeprefix("--command=") + " wait"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True
    )
    said = (tmp_path / "gentle-clip.log").read_text().splitlines()
    assert said == ["encode", *ENCODE, "--shard=2/3", "1,1,1"]
    for action in ("align", "merge"):
        (run,) = dry_run("tpu_pod.sh", action, "--out=a")
        assert "--worker=0" in run


def test_a_tpu_slice_would_be_got_used_and_given_back():
    slice_ = {"NAME": "n", "ZONE": "z", "PROJECT": "p", "SPOT": "yes", "SHARE": "10.0.0.2:/runs"}
    said = {}
    for action in ("create", "status", "install", "log", "delete"):
        said[action] = dry_run("tpu_pod.sh", action, **slice_)
        assert all({"--zone=z", "--project=p"} <= {*run} for run in said[action] if run[0] != "git")
    for action in ("create", "delete"):
        (run,) = said[action]
        assert run[:6] == ["gcloud", "compute", "tpus", "queued-resources", action, "n"]
    assert "--spot" in said["create"][0]
    install = said["install"][-1][-1]
    assert "mount -t nfs 10.0.0.2:/runs" in install
    assert "'./gentle-clip[quickstart,protein,transport,weights]'" in install
    assert "not installed" in install
    few = dry_run("tpu_pod.sh", "install", **slice_, EXTRAS="protein")
    assert "'./gentle-clip[protein]'" in few[-1][-1]
    (run,) = dry_run("tpu_pod.sh", "train", *ARGUMENTS, **slice_)
    assert "--worker=all" in run
    words = shlex.split(run[-1].removeprefix("--command="))
    assert words[:3] == ["test", "-x", "venv/bin/gentle-clip"]
    assert [*ARGUMENTS, "--coordinator=auto"] == words[words.index("train") + 1 :][:3]


def test_a_slice_may_have_its_runs_in_a_bucket():
    install = dry_run("tpu_pod.sh", "install", BUCKET="gs://runs")[-1][-1]
    assert "nfs" not in install
    assert ",gcs]'" in install
    (run,) = dry_run("tpu_pod.sh", "train", *ARGUMENTS, BUCKET="gs://runs")
    assert " JAX_COMPILATION_CACHE_DIR=gs://runs/compiled " in run[-1]


def test_a_slice_gets_extras_that_there_are():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (default,) = re.findall(r"EXTRAS:-([a-z,]+)", (LAUNCH / "tpu_pod.sh").read_text())
    assert {*default.split(",")} <= extras.keys()


@pytest.mark.parametrize("action", ["install", "train"])
def test_a_host_of_a_slice_says_that_it_failed(action, tmp_path):
    """What a host is told to do, on one that has no archive and no environment."""
    run = dry_run("tpu_pod.sh", action, *ARGUMENTS, SHARE="10.0.0.2:/runs")[-1]
    process = subprocess.run(
        ["bash", "-c", run[-1].removeprefix("--command=")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert (
        process.stderr.splitlines()[-1]
        .partition(": ")[2]
        .startswith({"install": "not installed", "train": "nothing is installed"}[action])
    )


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("local_processes.sh", [], "Say how many processes"),
        ("local_processes.sh", ["2", "--config=a"], "Give --workdir=DIR"),
        ("slurm.sbatch", [], "Give the arguments of gentle-clip train"),
        ("tpu_pod.sh", [], "Say what to do"),
        ("tpu_pod.sh", ["install"], "Name a bucket"),
        ("tpu_pod.sh", ["train"], "Give the arguments of gentle-clip train"),
        ("slurm.sbatch", ["encode"], "Give the arguments of gentle-clip encode"),
        ("slurm.sbatch", ["encode", "--data=a"], "Give --out=DIR"),
        ("slurm.sbatch", ["embed", "--data=a"], "Say what to do: train, encode or align"),
        ("tpu_pod.sh", ["encode"], "Give the arguments of gentle-clip encode"),
    ],
)
def test_what_is_missing_is_said(script, arguments, message):
    process = subprocess.run(
        ["bash", LAUNCH / script, "--dry-run", *arguments], capture_output=True, text=True
    )
    assert process.returncode == 2
    assert message in process.stderr


# What a JobSet may hold, as far as ours goes: jobset.x-k8s.io/v1alpha2 and batch/v1.
_TEXT, _COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}


def mapping(required, **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def sequence(items):
    return {"type": "array", "items": items, "minItems": 1}


NAMES = {"type": "object", "additionalProperties": _TEXT}
TPUS = mapping("google.com/tpu", **{"google.com/tpu": _COUNT})
CONTAINER = mapping(
    "name image command args resources volumeMounts",
    name=_TEXT,
    image=_TEXT,
    command=sequence(_TEXT),
    args=sequence(_TEXT),
    env=sequence(mapping("name value", name=_TEXT, value=_TEXT)),
    ports=sequence(mapping("containerPort", containerPort=_COUNT)),
    resources=mapping("requests limits", requests=TPUS, limits=TPUS),
    volumeMounts=sequence(mapping("name mountPath", name=_TEXT, mountPath=_TEXT)),
)
CLAIM = mapping("claimName", claimName=_TEXT)
POD = mapping(
    "restartPolicy containers",
    restartPolicy={"enum": ["Never", "OnFailure"]},
    terminationGracePeriodSeconds={"type": "integer", "minimum": 30},
    nodeSelector=NAMES,
    containers=sequence(CONTAINER),
    volumes=sequence(
        mapping("name persistentVolumeClaim", name=_TEXT, persistentVolumeClaim=CLAIM)
    ),
)
JOB = mapping(
    "parallelism completions template",
    parallelism=_COUNT,
    completions=_COUNT,
    backoffLimit=_COUNT,
    template=mapping("spec", spec=POD),
)
REPLICATED = mapping(
    "name replicas template", name=_TEXT, replicas=_COUNT, template=mapping("spec", spec=JOB)
)
JOBSET = mapping(
    "apiVersion kind metadata spec",
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata=mapping("name", name=_TEXT, annotations=NAMES),
    spec=mapping(
        "replicatedJobs",
        failurePolicy=mapping("maxRestarts", maxRestarts=_COUNT),
        replicatedJobs=sequence(REPLICATED),
    ),
)


def test_the_jobset_is_one():
    jobset = yaml.safe_load((LAUNCH / "gke_jobset.yaml").read_text())
    jsonschema.validate(jobset, JOBSET)
    (job,) = (one["template"]["spec"] for one in jobset["spec"]["replicatedJobs"])
    assert job["parallelism"] == job["completions"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    arguments = [*container["command"][1:], *container["args"]]
    assert main._parser().parse_args(arguments).coordinator == "auto"
    assert {one["name"] for one in container["volumeMounts"]} == {
        one["name"] for one in pod["volumes"]
    }


def test_the_job_that_encodes_is_one():
    manifest = yaml.safe_load((LAUNCH / "gke_encode.yaml").read_text())
    kind = mapping(
        "apiVersion kind metadata spec",
        apiVersion={"const": "batch/v1"},
        kind={"const": "Job"},
        metadata=mapping("name", name=_TEXT),
        spec=mapping(
            "completionMode completions parallelism template",
            completionMode={"const": "Indexed"},
            completions=_COUNT,
            parallelism=_COUNT,
            backoffLimit=_COUNT,
            template=mapping("spec", spec=POD),
        ),
    )
    jsonschema.validate(manifest, kind)
    job = manifest["spec"]
    (container,) = job["template"]["spec"]["containers"]
    arguments = [*container["command"][1:], *container["args"]]
    last = [word.replace("$(JOB_COMPLETION_INDEX)", "7") for word in arguments]
    assert main._parser().parse_args(last).shard == (7, job["completions"])
    assert job["parallelism"] == job["completions"]
