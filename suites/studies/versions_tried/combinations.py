"""The combinations: every minor of torch in the range, and the other libraries' versions spread over them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

COLUMNS = ("torch", "torchvision", "onnxruntime", "numpy", "open_clip_torch", "transformers", "pytest", "pytest-benchmark")
NEWEST = ""  # whatever pip takes from the range on that day
# torch and its torchvision belong together; NumPy 2.0 has no wheels for Python 3.13, NumPy 2.5 none for 3.11.
TABLE = (
    ("3.12", "2.11.0", "0.26.0", "1.29.0", "2.0.2", "3.0.0", "5.10.4", "8.4.0", "5.1.0"),
    ("3.13", "2.12.1", "0.27.1", "1.30.0", "2.2.6", "3.2.0", "5.23.0", "9.1.0", "5.3.0"),
    ("3.12", "2.13.0", "0.28.0", "1.31.1", "2.2.6", "3.1.0", "5.16.0", "8.4.2", "5.2.3"),
    ("3.11", "2.14.1", "0.29.1", "1.29.0", "2.0.2", "3.3.0", "5.20.0", "9.0.3", "5.2.0"),
    ("3.13", "2.15.0", "0.29.2", NEWEST, NEWEST, NEWEST, NEWEST, NEWEST, NEWEST),
    ("3.11", "2.15.0", "0.29.2", "1.31.1", "2.4.6", "3.3.0", "5.23.0", "9.2.0", "5.3.1"),  # as in requirements/cpu.lock
    ("3.13", "2.11.0", "0.26.0", NEWEST, NEWEST, "3.3.0", "5.23.0", "9.2.0", "5.3.1"),
    ("3.11", "2.12.1", "0.27.1", "1.31.1", "2.3.5", "3.0.0", "5.10.4", "8.4.0", "5.1.0"),
)
# The first combination has the oldest of everything else too.
OLDEST = {
    "hypothesis": "6.150.0",
    "opencv-python-headless": "4.10.0.84",
    "pillow": "11.0.0",
    "psutil": "7.0.0",
    "safetensors": "0.5.0",
    "scipy": "1.14.0",
    "onnx": "1.20.0",
    "onnxscript": "0.6.0",
}


@dataclass(frozen=True)
class Combination:
    """A Python (major.minor) and exact versions by distribution; what is not named is the newest that fits."""

    python: str
    pins: Mapping[str, str]

    @property
    def name(self) -> str:
        """Unique: no two have the same Python and torch."""
        return f"python{self.python}-torch{self.pins['torch']}"


def combinations() -> Iterator[Combination]:
    """All of them, in the order in which they are tried."""
    for number, (python, *versions) in enumerate(TABLE):
        pins = {name: version for name, version in zip(COLUMNS, versions, strict=True) if version != NEWEST}
        yield Combination(python, {**pins, **({} if number else OLDEST)})
