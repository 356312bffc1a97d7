"""Work for a corpus's engine that ends its own process once, in the middle of a part."""

import os
import signal
from pathlib import Path

from plugins.corpus.work import Result, Task


class Dying:
    """Dies at the part `number`, the first time; afterwards it finds the file that it has left."""

    def __init__(self, number: int, left: Path) -> None:
        self.number, self.left = number, left

    def __call__(self, task: Task) -> Result:
        """The part's names, and the number of threads that its process was told of."""
        if task["number"] == self.number and not self.left.exists():
            self.left.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        said = " ".join([os.environ["OMP_NUM_THREADS"], *task["source"].ids()])
        return {"number": task["number"], "content": said.encode()}
