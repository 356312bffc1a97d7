"""Products on the played device are counted as the device's."""

from collections import Counter
from collections.abc import Callable
from typing import Any


def play(module: Any) -> None:
    """`executed_products` of fixtures/backends/_torch: host memory is all that there is."""
    real: Callable[..., Counter[str]] = module.executed_products

    def executed_products(call: Callable[[], object]) -> Counter[str]:
        return Counter({what.replace(" cpu", " cuda"): count for what, count in real(call).items()})

    module.executed_products = executed_products
