"""Training tasks, one folder each: the data, towers and metrics of one kind of data."""

import importlib
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import ml_collections

    from gentle_clip_jax.tasks.captioned_images import task as captioned_images
    from gentle_clip_jax.tasks.icons import task as icons
    from gentle_clip_jax.tasks.proteins import task as proteins
    from gentle_clip_jax.tasks.schema import Config
    from gentle_clip_jax.tasks.task import Task

    _: tuple[Task, ...] = (
        icons,
        captioned_images,
        proteins,
    )  # type-checked: each has the interface of a task

TASKS = ("icons", "captioned_images", "proteins")


def task_of(config: "ml_collections.ConfigDict") -> "Task":
    """Return the task that a config names; no other task is imported.

    Raises:
      ValueError: there is no task of that name.
    """
    return cast("Task", _module(str(config.task), "task"))


def schema_of(task: str) -> "type[Config]":
    """Return the schema of a task's configs: every key with its type, bounds, unit and default.

    Raises:
      ValueError: there is no such task.
    """
    return _module(task, "schema").Config


def default_config(task: str) -> "ml_collections.ConfigDict":
    """Return the config that has the default of every key of a task.

    Raises:
      ValueError: there is no such task.
    """
    import ml_collections
    import msgspec

    return ml_collections.ConfigDict(msgspec.to_builtins(schema_of(task)())).lock()


def _module(task: str, name: str) -> Any:
    if task not in TASKS:
        shown = " ".join(task.split())[:60]
        raise ValueError(f"config.task must be one of {', '.join(TASKS)}, not {shown}.")
    return importlib.import_module(f"{__name__}.{task}.{name}")
