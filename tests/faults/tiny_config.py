"""The config of tests/tiny_run.py, with more steps."""

import tiny_run


def get_config(base):
    return tiny_run.config(**{"train.steps": 60, "train.checkpoint_every": 6})
