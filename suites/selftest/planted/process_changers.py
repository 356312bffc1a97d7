"""A plug-in for inner runs: backends and a preprocessor that change the process or leave things behind, and an innocent one."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors

KEPT: list[Any] = []  # what is left behind is no garbage


class Innocent(TorchEager):
    """Would be harmed by the others."""

    name = "innocent"
    precisions: tuple[str, ...] = ("fp32",)

    def load(self, model: Any, precision: str, device: str) -> Any:
        """Raises where anything is not as it was."""
        import torch
        from PIL import Image, ImageFile

        assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)
        assert (sys.float_info.min / 2, torch.backends.mkldnn.enabled, np.geterr()["over"]) == (
            sys.float_info.min * 0.5,
            True,
            "warn",
        )
        assert "CHANGED" not in os.environ and Path.cwd() == START and sys.path[0] != "/changed"
        assert not ImageFile.LOAD_TRUNCATED_IMAGES and Image.MAX_IMAGE_PIXELS
        assert torch.get_float32_matmul_precision() == "highest" and not torch.are_deterministic_algorithms_enabled()
        return super().load(model, precision, device)


START = Path.cwd()


class Changes(TorchEager):
    """The process and the model's own weights, when it is built."""

    name = "changes"
    precisions: tuple[str, ...] = ("fp32",)

    def load(self, model: Any, precision: str, device: str) -> Any:
        """And harms itself too, where that cannot be helped."""
        import torch
        from PIL import Image, ImageFile

        encoder = super().load(model, precision, device)
        torch.set_grad_enabled(False)
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.manual_seed(1)
        torch.backends.mkldnn.enabled = False
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = True
        np.random.seed(1)
        random.seed(1)
        np.seterr(over="ignore")
        os.environ["CHANGED"] = "1"
        sys.path.insert(0, "/changed")
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        Image.MAX_IMAGE_PIXELS = None
        for tensor in model.state.values():  # of which it has its own copy by now
            tensor.mul_(1.01)
        return encoder


class ChangesLater(Changes):
    """In calls with more than one row, which nothing makes while it is built; and forgets to close a file."""

    name = "changes-later"

    def load(self, model: Any, precision: str, device: str) -> Any:
        """What would change the call itself."""
        import torch

        encoder: Any = TorchEager.load(self, model, precision, device)
        download = encoder.download

        def changing(embedding: Any) -> Any:
            found = download(embedding)
            if len(found) > 1:
                os.chdir("/")
                torch.set_default_dtype(torch.float64)
                torch.set_flush_denormal(True)
                torch.set_float32_matmul_precision("medium")
            return found

        encoder.download = changing
        encoder.cycle = encoder, open(os.devnull)  # noqa: SIM115, PTH123 - the collector finds it sometime
        return encoder


class Writes(Changes):
    """To its input, past NumPy's flag: of three rows and more."""

    name = "writes"

    def load(self, model: Any, precision: str, device: str) -> Any:
        """As a backend does that saves the copy."""
        import torch

        encoder: Any = TorchEager.load(self, model, precision, device)
        upload = encoder.upload

        def careless(batch: Any, tower: str) -> Any:
            device_input = upload(batch, tower)
            if len(batch) > 2:
                torch.from_numpy(batch)[0].zero_()
            return device_input

        encoder.upload = careless
        return encoder


class Honest(Changes):
    """Draws random numbers, and saves the copy of its input without writing to it."""

    name = "honest"

    def load(self, model: Any, precision: str, device: str) -> Any:
        """torch would warn of memory that is not writable, and a warning is an error here."""
        import torch

        encoder: Any = TorchEager.load(self, model, precision, device)
        torch.rand(5), np.random.rand(5000), random.random()
        encoder.upload = lambda batch, tower: torch.from_numpy(batch)
        return encoder


class Leaves(Changes):
    """A child, a thread, a file and a socket."""

    name = "leaves"

    def load(self, model: Any, precision: str, device: str) -> Any:
        """Twice the child: one does not hear SIGTERM."""
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
        assert child.stdout and child.stdout.readline()
        thread = threading.Thread(target=threading.Event().wait, name="never ends")
        thread.start()
        KEPT.extend([child, thread, open(__file__), socket.create_server(("127.0.0.1", 0))])  # noqa: SIM115, PTH123
        return TorchEager.load(self, model, precision, device)


class Lenient(OriginalClip):
    """Lets Pillow open damaged files, from its first file on."""

    name = "lenient"

    def decode(self, path: str) -> Any:
        """For everybody after it."""
        from PIL import ImageFile

        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return super().decode(path)


PLANTED = (Changes, ChangesLater, Writes, Honest, Leaves, Innocent)


def pytest_configure() -> None:
    """Join the matrix; the innocent one comes last."""
    backends().update({kind.name: kind() for kind in PLANTED})
    preprocessors()["lenient"] = Lenient()
