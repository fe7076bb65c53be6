"""What a person sees of a search: a table while it runs on a terminal, else a line an event."""

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rocket_keras.summary import latency_marks, marks_legend
from tuning.budget import LatencyBudget
from tuning.gate import Look

SHOWN = 12
"""Measured candidates in the table, the newest last."""


class Board:
    """Shows candidates as they are measured, and what the training says.

    Args:
        console: Where; standard error by default.
        budget: For the title.
        metric: What is chosen by.
    """

    def __init__(self, console: Console | None, budget: LatencyBudget, metric: str):
        self.console = console or Console(stderr=True)
        self.budget, self.metric = budget, metric
        self.looks: list[Look] = []
        self.line = ""
        self.begun = time.monotonic()
        self.live = Live(self._table(), console=self.console, refresh_per_second=2, transient=True)

    def __enter__(self) -> "Board":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.live.stop()

    def look(self, look: Look) -> None:
        """Show a measured candidate."""
        self.looks.append(look)
        if self.live.is_started:
            self.live.update(self._table())
        else:
            cells = " ".join(_cells(look))
            self.console.print(
                f"measured {cells} {look.measurement.why}", markup=False, soft_wrap=True, highlight=False
            )

    def say(self, line: str) -> None:
        """Show a line on what goes on."""
        self.line = line
        if self.live.is_started:
            self.live.update(self._table())
        self.console.print(line, markup=False, soft_wrap=True, highlight=False)

    def _table(self) -> Any:
        within = sum(look.feasible for look in self.looks)
        title = f"{len(self.looks)} measured, {within} within {self.budget.describe()}"
        table = Table(title=escape(title), title_justify="left")
        for name in ("candidate", "p50 ms", "p99 ms", "of the budget", "decision"):
            table.add_column(name, justify="left" if name == "candidate" else "right")
        for look in self.looks[-SHOWN:]:
            table.add_row(*map(escape, _cells(look)), style=None if look.feasible else "dim")
        table.caption = escape(marks_legend(look.measurement.latency for look in self.looks[-SHOWN:])) or None
        minutes, seconds = divmod(int(time.monotonic() - self.begun), 60)
        return Group(table, Text(f"{minutes}:{seconds:02d}  {self.line}"))


def _cells(look: Look) -> list[str]:
    found = look.measurement
    latency = found.latency or {}
    times = [f"{latency[name]:.3f}" if latency else "-" for name in ("p50_ms", "p99_ms")]
    times[-1] += latency_marks(latency)
    values = " ".join(f"{name}={value}" for name, value in look.values.items())
    return [values, *times, f"{found.share:.2f}", found.decision]
