"""Writer of scalars for TensorBoard."""

import pathlib
import sys
import time

# If PyTorch and clients of object stores are installed, tensorboardX imports them: time and memory
# that scalars in a folder do not need.
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
    """A writer of scalars into a folder, in the calling thread.

    tensorboardX's SummaryWriter writes in another thread: on a full disk that thread would end with
    a traceback, and the run would not notice.
    """

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._events = EventsWriter(str(folder / "events"))

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Write the scalars of a step; raise OSError if that fails."""
        for name, value in scalars.items():
            event = event_pb2.Event(  # pyright: ignore[reportAttributeAccessIssue]
                wall_time=time.time(), step=step, summary=scalar(name, value)
            )
            self._events.write_event(event)
        self._events.flush()

    def close(self) -> None:
        """Write the remaining scalars and close the file; raise OSError if that fails."""
        self._events.close()
