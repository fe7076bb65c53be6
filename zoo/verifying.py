"""Whether pretrained weights still give what their card says."""

from pathlib import Path
from typing import Any

from rocket_keras.pair import HEADS
from zoo.loading import open_preset
from zoo.packing import net_scores
from zoo.serving import entry_of

TOLERANCE = 1e-4


def verify(source: str | Path, data_dir: Path | None = None) -> list[dict[str, Any]]:
    """Load pretrained weights, score both nets on the real test split, and compare with what the card says.

    Args:
        source: Name or short name of an entry, a preset folder, or its URL.
        data_dir: Folder of the downloads.

    Returns:
        One dict a net and score: `net`, `score`, `card`, `found`, `holds` (they differ by at most 1e-4).

    Raises:
        KeyError, ValueError: As `zoo.load`; or the preset has no scores, or is of no entry.
        FileNotFoundError: The data set is missing. One line: what to fetch, from where to where.
    """
    preset = open_preset(source)
    metadata = preset.metadata()
    try:
        cards = {head: dict(metadata["nets"][head]["test"]) for head in HEADS}
        name, seed = metadata["name"], int(metadata["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"expected the test scores of both nets in the preset {source}, received none ({type(error).__name__}: "
            f"{error}); verify what zoo pack wrote"
        ) from error
    data = entry_of(source, name, "verify what zoo pack wrote").plan(data_dir, seed).data
    pair, rows = preset.pair(), []
    for head, card in cards.items():
        found = net_scores(getattr(pair, head), data.test)
        for name, said in card.items():
            holds = abs(found[name] - said) <= TOLERANCE
            rows.append({"net": head, "score": name, "card": said, "found": found[name], "holds": holds})
    return rows
