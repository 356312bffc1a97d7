"""What all plots share: SVG text without background, readable on white and on black, the same bytes for the same figures."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures.storage.atomic import write_text

GREY = "#7d8590"  # text and axes


def drawn(name: str, draw: Callable[[Any], Any], font_size: int = 11) -> str:
    """SVG text of the figure that `draw(pyplot)` makes; `name` seeds its ids. Raises ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    colours = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), GREY)
    fixed = {"svg.hashsalt": name, "font.size": font_size, "font.family": "DejaVu Sans", "axes.facecolor": "none"}
    with mpl.rc_context({**colours, **fixed}):
        figure, out = draw(plt), io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return out.getvalue()


def written(svg: Callable[[], str], target: Path, again: str) -> bool:
    """Write the picture; False without matplotlib, and a line that names the command which draws it afterwards."""
    try:
        write_text(target, svg())
    except ImportError:
        print(f"no picture: matplotlib is not installed: pip install matplotlib, then {again}", file=sys.stderr)
        return False
    return True


def plain(panel: Any) -> None:
    """The grid behind the figures, and no frame above and to the right."""
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
