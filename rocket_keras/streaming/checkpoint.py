"""A model and its place in the log, saved together."""

import json
import os
from pathlib import Path
from typing import Any

import keras

from rocket_keras.json_file import write_json
from rocket_keras.streaming.stream import Stream


class StreamCheckpoint(keras.callbacks.Callback):
    """Saves a model's weights and optimizer with the position of its stream; a JSON file names both and appears last.

    A training that was killed at any moment goes on as if it had not been: with the weights of the last save and the
    batch behind it. Workers that train together, each with a shard of the log, give the same folder: all go on from the
    last save that all of them have made.

    Args:
        stream: What is trained on.
        folder: `state.json` and one file of weights; of several workers `worker-0`, `worker-1`, ... with the last two
            saves of each.
        every: Batches between two saves; None: at the end of epochs and of `fit` alone.
        epochs: Stop when the stream has given so many epochs, counted from its beginning; None: when `fit` does.

    Example:
        checkpoint = StreamCheckpoint(stream, "run/checkpoint", every=1000, epochs=3)
        checkpoint.restore(rocket)
        rocket.fit(stream, epochs=3, initial_epoch=stream.position // len(stream), callbacks=[checkpoint])
    """

    def __init__(self, stream: Stream, folder: str | os.PathLike, every: int | None = 1000, epochs: int | None = None):
        super().__init__()
        if every is not None and every < 1:
            raise ValueError(f"expected `every` of at least 1, received {every}; give the batches between two saves")
        self.stream, self.every, self.epochs = stream, every, epochs
        worker, self.workers = stream.shard
        self.root = Path(folder)
        self.folder = self._folder_of(worker)
        self.trained = self._saved = 0
        self._last = -1

    def restore(self, model: keras.Model) -> bool:
        """Load what was saved into the compiled model and the stream; False where nothing was.

        Of several workers each calls this before any trains.

        Raises:
            ValueError: The stream has other settings than the one that was saved.
        """
        saves = self._saves(self.folder)
        others = [self._saves(self._folder_of(worker)) for worker in range(self.workers)]
        common = [batch for batch in saves if all(batch in of_other for of_other in others)]
        if not common:
            return False
        state = saves[max(common)]
        self.stream.restore(state["stream"])
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.folder / state["weights"])
        return True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Note where the stream is."""
        self.trained = self._saved = self.stream.position
        self._last = -1
        self._stop_at_end()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the batches of a step, which may be several, and save where it is time."""
        self.trained += batch - self._last if batch > self._last else batch + 1
        self._last = batch
        if self.every is not None and self.trained - self._saved >= self.every:
            self._save()
        self._stop_at_end()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save."""
        self._last = -1
        if self.trained != self._saved:
            self._save()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the stream behind the last batch that was trained on, rather than the last that was read."""
        if self.stream.position != self.trained:
            self.stream.restore(self.stream.state(self.trained))

    def _stop_at_end(self) -> None:
        if self.epochs is not None and self.trained >= self.epochs * self.stream.num_batches:
            self.model.stop_training = True

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"batch-{self.trained:010d}.weights.h5"
        draft = self.folder / f"part-{name}"
        self.model.save_weights(draft, overwrite=True)
        draft.replace(self.folder / name)
        state = self.folder / "state.json"
        if self.workers > 1 and state.exists():
            # The others may not be as far.
            state.replace(self.folder / "previous.json")
        write_json(state, {"weights": name, "stream": self.stream.state(self.trained)})
        kept = {save["weights"] for save in self._saves(self.folder).values()}
        for old in self.folder.glob("*.weights.h5"):
            if old.name not in kept:
                old.unlink()
        self._saved = self.trained

    def _folder_of(self, worker: int) -> Path:
        return self.root if self.workers == 1 else self.root / f"worker-{worker}"

    @staticmethod
    def _saves(folder: Path) -> dict[tuple[int, int], dict[str, Any]]:
        """Return what was saved by epoch and batch."""
        files = [folder / name for name in ("previous.json", "state.json")]
        states = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
        return {(state["stream"]["epoch"], state["stream"]["batch"]): state for state in states}
