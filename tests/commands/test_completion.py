"""A shell completes commands and options."""

import subprocess

import pytest

from gentle_clip_jax.commands import main


def test_bash_completes_commands_and_options(capsys):
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
