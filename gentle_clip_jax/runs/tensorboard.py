"""Scalars for TensorBoard."""

import pathlib
import sys
import time

# tensorboardX imports PyTorch and clients of object stores where they are installed: seconds and
# memory that scalars in a folder do not need.
_hidden = {"torch", "boto3", "google.cloud.storage"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(_hidden))  # pyright: ignore[reportCallIssue, reportArgumentType]
try:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto import event_pb2
    from tensorboardX.summary import scalar
finally:
    for name in _hidden:
        del sys.modules[name]


class ScalarWriter:
    """A writer of scalars into a folder, one by one.

    tensorboardX's own SummaryWriter writes in a thread: a full disk would end that with a traceback
    and go unnoticed by the run.
    """

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._events = EventsWriter(str(folder / "events"))

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Raise OSError if they cannot be written."""
        for name, value in scalars.items():
            event = event_pb2.Event(  # pyright: ignore[reportAttributeAccessIssue]
                wall_time=time.time(), step=step, summary=scalar(name, value)
            )
            self._events.write_event(event)
        self._events.flush()

    def close(self) -> None:
        """Raise OSError if what is left cannot be written."""
        self._events.close()
