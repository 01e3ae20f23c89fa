"""The tasks, a folder each: all that is particular to a domain's data, towers and figures."""

import importlib
from typing import TYPE_CHECKING, cast

import ml_collections

from gentle_clip_jax.tasks.task import Task as Task

TASKS = ("icons", "captioned_images", "proteins")

if TYPE_CHECKING:
    from gentle_clip_jax.tasks.captioned_images import task as captioned_images
    from gentle_clip_jax.tasks.icons import task as icons
    from gentle_clip_jax.tasks.proteins import task as proteins

    _: tuple[Task, ...] = (icons, captioned_images, proteins)  # each has all that a task has


def task_of(config: ml_collections.ConfigDict) -> Task:
    """The task that a config names; only it is imported.

    Raises:
      ValueError: there is none of that name.
    """
    if config.task not in TASKS:
        raise ValueError(f"config.task must be one of {', '.join(TASKS)}, not {config.task}.")
    return cast(Task, importlib.import_module(f"{__name__}.{config.task}.task"))
