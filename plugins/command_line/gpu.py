"""`--device cuda:1`: the run sees that GPU alone, so "cuda" means it everywhere, in stored runs' machine too."""

import os
import re

import pytest

from fixtures.machine.devices import DEVICES

VISIBLE, CHOSEN = "CUDA_VISIBLE_DEVICES", "CLIP_CONFORMANCE_GPU"
NUMBERED = re.compile(r"cuda:(\d+)")


def device(text: str) -> str:
    """The value of --device; raises ValueError, as argparse expects, for anything that is no device."""
    if text in ("auto", *DEVICES) or NUMBERED.fullmatch(text):
        return text
    raise ValueError(text)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Choose the GPU before anything asks the driver, which reads the variable once. A supervised child inherits the choice."""
    match = NUMBERED.fullmatch(config.option.device)
    if not match:
        return
    config.option.device = "cuda"
    if os.environ.get(CHOSEN) != match[0]:
        visible = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
        number = int(match[1])
        if visible and number >= len(visible):
            raise pytest.UsageError(f"--device {match[0]}: {VISIBLE} shows {len(visible)} GPUs, expected a number below that")
        os.environ[VISIBLE] = visible[number] if visible else match[1]
        os.environ[CHOSEN] = match[0]
