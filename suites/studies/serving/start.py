"""`python start.py FOLDER LABELS FEW IMAGE DEVICE`: one image, as the serving note's new process classifies it; prints times.

FOLDER is open_clip's `local-dir:`, LABELS a JSON list of texts of which the first FEW are encoded alone too. Nothing of this
project is imported, so that the seconds are those of a user's script. Times are seconds since the epoch: the process that
started this one compares them with its own.
"""

import time

BEGUN = time.time()

import json  # noqa: E402 - the clock comes first
import logging  # noqa: E402
import sys  # noqa: E402


def main(folder: str, labels: list[str], few: int, image: str, device: str) -> dict[str, float]:
    """Seconds since the epoch at the end of each part."""
    logging.disable(logging.WARNING)
    times = {"started": BEGUN}
    import open_clip
    import torch
    from PIL import Image

    times["import"] = time.time()
    name = f"local-dir:{folder}"
    model, _, prepare = open_clip.create_model_and_transforms(name, device=device)
    model.eval()
    tokenise = open_clip.get_tokenizer(name)
    times["load"] = time.time()
    with torch.inference_mode():
        model.encode_image(prepare(Image.open(image)).unsqueeze(0).to(device)).cpu()
        times["image"] = time.time()
        model.encode_text(
            tokenise(labels[:few]).to(device)
        ).cpu()  # first, because a process with few labels has the tower's first call too
        times["few labels"] = time.time()
        model.encode_text(tokenise(labels[few:]).to(device)).cpu()
        times["other labels"] = time.time()
    return times


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])))
