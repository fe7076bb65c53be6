"""Rows and files that do not parse: counted, sampled, and too many of them stop the run."""

import json
import os
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REMEMBERED = 20
"""Bad rows, and empty files, that a report names."""
LEAST_ROWS = 10_000
"""A share of bad rows counts from here on, and at the end: the first rows alone say little."""
SAMPLES_A_BLOCK = 100
"""Bad rows of a block whose text is kept."""
LONGEST = 1000
"""Characters of a bad row that are kept."""


class LogError(ValueError):
    """A file that cannot be read, or too many rows that do not parse; one line that names file and line."""


@dataclass(frozen=True)
class BadRow:
    """A row that does not parse.

    Attributes:
        file: The file's path.
        line: Its line, or its row in a Parquet file, from 1.
        reason: What was expected and what came.
        text: The row, at most 1000 characters.
    """

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Tolerance:
    """How many rows need not parse.

    Args:
        share: Of the rows of one pass; counted from 10,000 rows on, and at the end of the pass.
        rows: In one pass; None for any number.
        quarantine: JSON-lines file that bad rows are added to: `file`, `line`, `reason`, `text`. A row is written once,
            however often it is read. None for none.
        samples: Rows that this file has at most.
    """

    share: float = 0.001
    rows: int | None = None
    quarantine: str | os.PathLike | None = None
    samples: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or (self.rows is not None and self.rows < 0) or self.samples < 0:
            raise ValueError(
                f"expected `share` from 0 to 1, `rows` and `samples` of at least 0, received {self}; give limits"
            )


@dataclass
class Report:
    """What was read.

    Attributes:
        rows: Good rows.
        bad: Rows that did not parse.
        repeated: Good rows that were given again, to fill the last batches of an epoch.
        reasons: Bad rows by column and kind of fault.
        samples: The first bad rows, at most 20.
        empty_files: Files without rows: the first 20 by path, and how many.
    """

    rows: int = 0
    bad: int = 0
    repeated: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[BadRow] = field(default_factory=list)
    empty_files: list[str] = field(default_factory=list)
    empty: int = 0

    def note_empty(self, paths: Iterable[str]) -> None:
        """Count files without rows."""
        for path in paths:
            self.empty += 1
            if len(self.empty_files) < REMEMBERED:
                self.empty_files.append(path)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        samples = [vars(sample) for sample in self.samples]
        return {**vars(self), "reasons": dict(self.reasons), "samples": samples}

    def __str__(self) -> str:
        said = f"{self.rows:,} rows, {self.bad:,} that did not parse"
        if self.reasons:
            said += " (" + ", ".join(f"{reason}: {count:,}" for reason, count in self.reasons.most_common(5)) + ")"
        if self.samples:
            said += f", the first in {self.samples[0].file}, line {self.samples[0].line}"
        if self.empty:
            more = f" and {self.empty - 3} more" if self.empty > 3 else ""
            said += f"; {self.empty} empty files: {', '.join(self.empty_files[:3])}{more}"
        return said


class Watch:
    """Counts the rows of one pass into a report, and stops where more do not parse than may.

    Args:
        tolerance: How many may not.
        report: What has been counted so far, in all passes.
    """

    def __init__(self, tolerance: Tolerance, report: Report):
        self.tolerance, self.report = tolerance, report
        self.rows = self.bad = 0
        self._last: BadRow | None = None
        self._quarantine = Quarantine(tolerance) if tolerance.quarantine is not None else None

    @property
    def samples_left(self) -> bool:
        """Whether the text of another bad row is of use."""
        kept = len(self.report.samples) >= REMEMBERED
        return not kept or (self._quarantine is not None and self._quarantine.left)

    def note(self, rows: int, bad: Counter[str], samples: list[BadRow]) -> None:
        """Count good rows, and bad ones by their reason; `samples` are the last or all of these.

        Raises:
            LogError: There are too many bad ones.
        """
        self.rows += rows
        self.report.rows += rows
        if not bad:
            return
        count = sum(bad.values())
        self.bad += count
        self.report.bad += count
        self.report.reasons.update(bad)
        self._last = samples[-1] if samples else self._last
        self.report.samples += samples[: REMEMBERED - len(self.report.samples)]
        if self._quarantine is not None:
            self._quarantine.write(samples)
        if self.rows + self.bad >= LEAST_ROWS or self._above(self.tolerance.rows):
            self.check()

    def check(self) -> None:
        """Raise LogError where too many rows did not parse."""
        share, rows = self.tolerance.share, self.tolerance.rows
        allowed = share * (self.rows + self.bad)
        if self.bad <= allowed and not self._above(rows):
            return
        limit = f"{rows} rows" if self._above(rows) else f"{share:.2%} of them"
        last = self._last
        where = f"; the last is {last.file}, line {last.line}: {last.reason}" if last else ""
        raise LogError(
            f"expected rows that parse but for {limit}, received {self.bad} bad ones in the first "
            f"{self.rows + self.bad}{where}; mend the log, or raise the tolerance"
        )

    def _above(self, limit: int | None) -> bool:
        return limit is not None and self.bad > limit


class Quarantine:
    """A JSON-lines file of bad rows, each once, of bounded length.

    Args:
        tolerance: Names the file and says how many rows it has at most.
    """

    _lock = threading.Lock()

    def __init__(self, tolerance: Tolerance):
        assert tolerance.quarantine is not None
        self.path, self._most = Path(tolerance.quarantine), tolerance.samples
        self._known: set[tuple[str, int]] = set()
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    self._known.add((row["file"], row["line"]))
                except (ValueError, KeyError, TypeError):  # the last line of a killed run, cut
                    continue

    @property
    def left(self) -> bool:
        """Whether the file takes more rows."""
        return len(self._known) < self._most

    def write(self, rows: Iterable[BadRow]) -> None:
        """Add the rows that are not in the file, as long as there is room."""
        new = {(row.file, row.line): row for row in rows if (row.file, row.line) not in self._known}
        chosen = list(new.items())[: max(0, self._most - len(self._known))]
        if not chosen:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(vars(row)) + "\n" for _, row in chosen)
        with self._lock, self.path.open("ab") as file:
            if file.tell() and not self._ends_a_line():
                text = "\n" + text
            file.write(text.encode())
        self._known.update(key for key, _ in chosen)

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
