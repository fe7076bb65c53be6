"""THE table: one row per entry of the zoo."""

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rocket_keras.launch import Plan
from zoo.ctr_entries import CTR_ENTRIES
from zoo.entry import Entry
from zoo.image_entries import IMAGE_ENTRIES

ENTRIES: tuple[Entry, ...] = IMAGE_ENTRIES + CTR_ENTRIES


def list_entries(pretrained: bool | None = None) -> list[str]:
    """Return the names of the entries: all, those with weights (`True`), or those that are recipes only (`False`)."""
    return [entry.name for entry in ENTRIES if pretrained is None or pretrained == (entry.weights is not None)]


def get_entry(name: str) -> Entry:
    """Return the entry of that name or short name.

    Raises:
        KeyError: There is none; the message names the nearest.
    """
    known = {key: entry for entry in ENTRIES for key in (entry.short, entry.name) if key}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
    raise KeyError(f"The zoo has no entry {name!r}. {hint}")


@dataclass(frozen=True)
class MakePlan:
    """From a seed to an entry's plan; a plain value, so that other processes can make the same plan.

    Attributes:
        entry: Name or short name.
        data_dir: Folder of the downloads.
        changes: Fields of the recipe that are replaced, as pairs.
        on_device: Whether the training rows stay in the device's memory.
    """

    entry: str
    data_dir: Path | None = None
    changes: tuple[tuple[str, Any], ...] = ()
    on_device: bool = False

    def __call__(self, seed: int) -> Plan:
        """Load the seed's data and return the plan."""
        row = get_entry(self.entry)
        plan = row.plan(self.data_dir, seed, replace(row.recipe, **dict(self.changes)))
        return replace(plan, on_device=self.on_device)
