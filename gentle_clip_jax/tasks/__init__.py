"""The tasks, a folder each: all that is particular to a domain's data, towers and figures."""

import ml_collections

from gentle_clip_jax.tasks.captioned_images import task as captioned_images
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.tasks.proteins import task as proteins
from gentle_clip_jax.tasks.task import Task as Task

TASKS: dict[str, Task] = {
    "icons": icons,
    "captioned_images": captioned_images,
    "proteins": proteins,
}


def task_of(config: ml_collections.ConfigDict) -> Task:
    """The task that a config names.

    Raises:
      ValueError: there is none of that name.
    """
    if config.task not in TASKS:
        raise ValueError(f"config.task must be one of {', '.join(TASKS)}, not {config.task}.")
    return TASKS[config.task]
