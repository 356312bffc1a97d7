"""What real CLIP models have, with sources."""

from dataclasses import dataclass

NAMES = "OpenAI's ViT-B/32, public text vectors of 1,203 and of 80 class names"
LIANG = "Liang et al. 2022, arXiv:2203.02053, section 2.1: OpenAI's CLIP on 5,000 pictures and captions of MSCOCO"
ISSUE = "openai/CLIP issue 405 (ViT-B/32: 0.19 to 0.25 for one picture with three words); LAION-400M keeps pairs from 0.3"
RADFORD = "Radford et al. 2021, arXiv:2103.00020, section 2.5: clipped at 100, which released models reach"


@dataclass(frozen=True)
class Published:
    """A range of published values; `key` is the path of the measured one in the evidence."""

    what: str
    key: tuple[str | int, ...]
    low: float
    high: float
    source: str

    def near(self, value: float) -> bool:
        """Whether a value is in the range or within 20 % of it."""
        return 0.8 * self.low <= value <= 1.2 * self.high


ROWS = (
    Published("mean cosine of two texts", ("text", "mean_cosine"), 0.743, 0.799, NAMES + "; captions: 0.51, " + LIANG),
    Published("share of the largest dimension, texts", ("text", "largest", 0, "share"), 0.30, 0.30, NAMES),
    Published("share of the second dimension, texts", ("text", "largest", 1, "share"), 0.30, 0.30, NAMES),
    Published("median margin of neighbours, texts", ("text", "margin"), 0.010, 0.014, NAMES),
    Published("mean cosine of two images", ("image", "mean_cosine"), 0.47, 0.47, LIANG),
    Published("cosine of any text and image, mean", ("across", "mean"), 0.15, 0.25, ISSUE),
    Published("cosine of a text and its best right image, mean", ("across", "matches"), 0.25, 0.40, ISSUE),
    Published("logit scale", ("logit_scale",), 100.0, 100.0, RADFORD),
)
UNKNOWN = (
    ("share of the largest dimension, images", ("image", "largest", 0, "share")),
    ("share of the second dimension, images", ("image", "largest", 1, "share")),
    ("median margin of neighbours, images", ("image", "margin")),
    ("median margin of a text's first and second image", ("across", "margin")),
)
