"""Callbacks for launches: GAUC on held-out rows after each epoch, and a stop at the first loss that is not finite."""

import math
from typing import Any

import keras
import numpy as np

from rocket_keras.columns import as_groups, as_labels, check_lengths
from rocket_keras.graph import inputs_of
from rocket_keras.metrics import GAUC
from rocket_keras.train_step import gathered


class GroupAUC(keras.callbacks.Callback):
    """Logs the GAUC of held-out rows after each epoch: `val_light_gauc` and `val_booster_gauc`, or `val_gauc`.

    It does what `rocket_keras.metrics.GAUC` inside `compile` cannot, as Keras hands no group to a metric. The first two
    names are those of a Rocket, whose prediction is `{"light": logits, "booster": logits}`; a Fleet has one a net;
    `val_gauc` is that of a model with one output. Callbacks that shall see the values (EarlyStopping, ModelCheckpoint)
    come after it. Of several processes each may have a part of the rows: all of them count.

    Args:
        data: `(x, y)` or `(x, y, groups)`, arrays in memory. x is what `model.predict` takes; y are labels 0 or 1,
            shape (rows,) or (rows, 1); groups are integers or strings of the same shape. Or a
            `rocket_keras.streaming.Stream`, whose rows are read each time, each once, in the order of the log: labels
            and groups alone stay in memory.
        group: the key of x that holds the groups where `data` has no third item; of a stream the raw column. The model
            need not take that column, nor any other further one.
        batch_size: rows per prediction batch; a stream has its own.

    Raises:
        ValueError: at construction, for a missing group column or id, lengths that differ, labels other than 0 and 1;
            before the first epoch, for rows without a group that has both classes;
            at the end of an epoch, for NaN scores and for several outputs that are not light and booster.

    Example:
        >>> rocket.fit(train, callbacks=[GroupAUC((x, y), group="user_id"), keras.callbacks.ModelCheckpoint(...)])
    """

    def __init__(self, data: Any, group: str = "user_id", batch_size: int | None = 4096):
        super().__init__()
        if callable(getattr(data, "in_order", None)):  # a stream, whose class needs an extra
            view = data.in_order((group,))
            labels, extra = view.targets()
            data = view, labels, extra[group]
            batch_size = None
        if not isinstance(data, tuple) or len(data) not in (2, 3):
            raise ValueError(
                f"GroupAUC expected data=(x, y) or (x, y, groups), received {_form(data)}: "
                "pass such a tuple, or a stream"
            )
        self.x = data[0]
        self.labels = as_labels(data[1])
        self.groups = as_groups(data[2] if len(data) == 3 else _group_column(self.x, group))
        self.batch_size: int | None = batch_size
        check_lengths(y=self.labels, groups=self.groups)

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Here and not in __init__: of several processes, one may well have rows of one class alone.
        if math.isnan(self._gauc(np.zeros(len(self.labels)))):
            classes = sorted(set(self.labels.astype(int).tolist()))
            received = f"only {classes[0]}" if len(classes) == 1 else "no group with both"
            raise ValueError(
                f"GroupAUC expected a group with rows of both classes, received {received} in {len(self.labels)} rows: "
                "pass held-out rows of users who clicked on some and not on all"
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        outputs = self.model.predict(inputs_of(self.model, self.x), batch_size=self.batch_size, verbose=0)
        nets = getattr(self.model, "heads", ("light", "booster"))
        if isinstance(outputs, dict) and set(nets) <= outputs.keys():
            values = {f"val_{net}_gauc": self._gauc(outputs[net]) for net in nets}
        elif isinstance(outputs, np.ndarray):
            values = {"val_gauc": self._gauc(outputs)}
        else:
            raise ValueError(
                f"GroupAUC expected a model that predicts light and booster logits or one array, received "
                f"{_form(outputs)}: use it with a Rocket or a model of one output"
            )
        if logs is not None:
            logs.update(values)

    def _gauc(self, scores: np.ndarray) -> float:
        gauc = GAUC()
        gauc.update_state(self.labels, scores, self.groups)
        merged = GAUC()
        merged.merge_state(gathered(gauc))
        return merged.result()


def _group_column(x: Any, group: str) -> Any:
    if not isinstance(x, dict) or group not in x:
        raise ValueError(
            f"GroupAUC expected the groups in x[{group!r}], received x as {_form(x)}: "
            "pass data=(x, y, groups), or group= with the name of the column"
        )
    return x[group]


def _form(value: Any) -> str:
    """A value in a few words for an error: its type, with the keys or the length where it has them."""
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(str, value)) or 'nothing'}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


class NonFiniteLoss(FloatingPointError):
    """A loss term became NaN or infinite; the message names epoch and term."""


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises NonFiniteLoss as soon as a loss term is NaN or infinite, instead of training on with spoilt weights.

    It comes *before* every checkpoint callback in the list, so that the last good checkpoint stays: a checkpoint at the
    end of an epoch is then never written from a bad epoch. One that saves every few batches needs `every=1` as well.

    Args:
        every: batches between two checks; each check waits for the device. An epoch's end is always checked.

    Raises:
        ValueError: every is below 1.
        NonFiniteLoss: out of `fit`; for a Rocket it names `light_loss`, `booster_loss` or `hint_loss` (what
            `Rocket.non_finite_terms()` returned), for another model `loss`.
    """

    def __init__(self, every: int = 20):
        super().__init__()
        if every < 1:
            raise ValueError(
                f"StopOnNonFinite expected every >= 1, received {every}: pass the batches between two checks"
            )
        self.every = every
        self._epoch = 0
        self._unchecked = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._unchecked = 0
        model = self.model
        if hasattr(model, "bad_terms"):
            # A Rocket remembers its first bad batch for good; a new fit, from mended weights, starts without it.
            model.bad_terms.assign(keras.ops.zeros(model.bad_terms.shape, "int32"))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._unchecked += 1
        if self._unchecked >= self.every:
            self._check(logs, f"epoch {self._epoch + 1}, batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._check(logs, f"the end of epoch {epoch + 1}")

    def _check(self, logs: dict | None, when: str) -> None:
        self._unchecked = 0
        # The running mean stays NaN once it was: reading it costs less than the model's state, which JAX would copy
        # back.
        if math.isfinite(float((logs or {}).get("loss", math.nan))):
            return
        terms = self._non_finite_terms(logs or {})
        if terms:
            raise NonFiniteLoss(
                f"expected finite losses, received a NaN or infinite {' and '.join(terms)} at {when}: "
                "lower the learning rate or the hint weight, and check the features and labels for NaN"
            )

    def _non_finite_terms(self, logs: dict) -> tuple[str, ...]:
        # The attribute, not the class: whatever watches its own terms counts, and rocket.py need not be imported.
        model = self.model
        if hasattr(model, "non_finite_terms"):
            return model.non_finite_terms()
        return () if math.isfinite(logs["loss"]) else ("loss",)
