"""A progress bar with the losses of a training, or one line an epoch where no terminal watches."""

import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class LossBar(keras.callbacks.Callback):
    """Shows one training: its name, batches done of all epochs, time left, and the running losses.

    Args:
        console: Where to draw.
        name: What is trained.
        epochs: Epochs in all.
        batches: Batches an epoch.
    """

    def __init__(self, console: Console, name: str, epochs: int, batches: int):
        super().__init__()
        self.console, self.name, self.epochs, self.batches = console, name, epochs, batches
        self.seconds = 0.0
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
        )
        self.bar = Progress(*columns, console=console, transient=False) if console.is_terminal else None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the bar."""
        if self.bar:
            self.task = self.bar.add_task(f"{self.name:8}", total=self.epochs * self.batches, losses="")
            self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's clock."""
        self.epoch, self.seconds, self._begun = epoch, 0.0, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar, ten times an epoch at most: reading a loss waits for the device."""
        every = max(1, self.batches // 10)
        if self.bar and (batch + 1) % every == 0:
            self.bar.update(self.task, completed=self.epoch * self.batches + batch + 1, losses=_losses(logs or {}))
        if batch + 1 >= self.batches:
            float(next(iter((logs or {"loss": 0.0}).values())))
            self.seconds = time.perf_counter() - self._begun

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the epoch's losses and validation scores."""
        text = _losses(logs or {}, validation=True)
        if self.bar:
            self.bar.update(self.task, completed=(epoch + 1) * self.batches, losses=text)
        else:
            self.console.print(f"{self.name}: epoch {epoch + 1}/{self.epochs}, {text}", markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        if self.bar:
            self.bar.stop()


def _losses(logs: dict[str, Any], validation: bool = False) -> str:
    names = [name for name in logs if name.endswith("loss") and not name.startswith("val_")]
    names += [name for name in logs if validation and name.startswith("val_") and not name.endswith("loss")]
    return "  ".join(f"{name} {float(logs[name]):.4f}" for name in names)
