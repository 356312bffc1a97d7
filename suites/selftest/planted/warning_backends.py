"""A plug-in for inner runs: three backends that are built with a warning, by a library, by a compiler, and by our own code."""

import types
import warnings
from collections.abc import Callable
from typing import Any

from fixtures.backends._compile import CompiledEncoder
from fixtures.backends.torch_eager import TorchEager
from fixtures.registry import backends

LIBRARY = types.ModuleType("a_library")  # in no folder of ours, so its warnings are no business of ours
exec("import warnings\ndef warn(text): warnings.warn(text, UserWarning)", LIBRARY.__dict__)


class Library(TorchEager):
    """It warns twice in the same words."""

    name = "library-warns"
    precisions = ("fp32",)

    def load(self, model, precision, device):  # type: ignore[no-untyped-def]
        for _ in range(2):
            LIBRARY.warn("TF32 is off,\n and could be on")
        return super().load(model, precision, device)


class Compiler(TorchEager):
    """It warns when it compiles for any number of rows, long after the encoder was built for one; what it runs is eager."""

    name = "compiler-warns"
    precisions = ("fp32",)

    def load(self, model, precision, device):  # type: ignore[no-untyped-def]
        encoder = CompiledEncoder(model.module(), device, model.state["logit_scale"].dtype)
        encoder.compiled = {tower: _warns_of_many(getattr(encoder.module, f"encode_{tower}")) for tower in encoder.compiled}
        return encoder


def _warns_of_many(encode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    over: list[bool] = []

    def compiled(batch: Any) -> Any:
        if len(batch) > 1 and not over:
            over.append(True)
            LIBRARY.warn("not enough cores")
        return encode(batch)

    return compiled


class Ours(TorchEager):
    """This module is one of the suite's."""

    name = "ours-warns"
    precisions = ("fp32",)

    def load(self, model, precision, device):  # type: ignore[no-untyped-def]
        warnings.warn("a backend of this project warns", UserWarning, stacklevel=1)
        return super().load(model, precision, device)


def pytest_configure() -> None:
    """Register them."""
    backends().update({one.name: one for one in (Library(), Compiler(), Ours())})
