"""A shell completes commands and options."""

import subprocess
import sys

import pytest

from gentle_clip_jax.commands import main


def test_bash_completes_commands_and_options(capsys):
    pytest.importorskip("shtab", reason="it is in the extra completion")
    with pytest.raises(SystemExit) as ended:
        main.main(["--print-completion", "bash"])
    assert ended.value.code == 0
    script = capsys.readouterr().out
    ask = "COMP_WORDS=(gentle-clip {0}); COMP_CWORD=1; _shtab_gentle_clip; echo ${{COMPREPLY[@]}}"
    for typed, found in (("do", "doctor"), ("al", "align")):
        line = f"{script}\n{ask.format(typed)}"
        process = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        assert process.stdout.split() == [found], process.stderr
    assert "--aligner" in script
    # Paths are completed as files.
    assert "_shtab_gentle_clip_align___x_COMPGEN=_shtab_compgen_files" in script


def test_without_the_extra_it_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as ended:
        main.main(["--print-completion", "zsh"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert 'pip install "gentle-clip-jax[completion]"' in said
    assert said.count("\n") == 1
