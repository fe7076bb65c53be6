"""Whether pretrained weights still give what their card says."""

from pathlib import Path
from typing import Any

from rocket_keras.pair import HEADS
from zoo.entries import get_entry
from zoo.loading import open_preset
from zoo.packing import net_scores

TOLERANCE = 1e-4


def verify(source: str | Path, data_dir: Path | None = None) -> list[dict[str, Any]]:
    """Load pretrained weights, score both nets on the real test split, and compare with what the card says.

    Args:
        source: Name or short name of an entry, a preset folder, or its URL.
        data_dir: Folder of the downloads.

    Returns:
        One dict a net and score: `net`, `score`, `card`, `found`, `holds` (they differ by at most 1e-4).

    Raises:
        KeyError, ValueError: As `zoo.load`.
        FileNotFoundError: The data set is missing. One line: what to fetch, from where to where.
    """
    preset = open_preset(source)
    metadata = preset.metadata()
    pair = preset.pair()
    data = get_entry(metadata["name"]).plan(data_dir, metadata["seed"]).data
    rows = []
    for head in HEADS:
        found = net_scores(getattr(pair, head), data.test)
        for name, said in metadata["nets"][head]["test"].items():
            holds = abs(found[name] - said) <= TOLERANCE
            rows.append({"net": head, "score": name, "card": said, "found": found[name], "holds": holds})
    return rows
