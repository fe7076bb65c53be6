"""What Rocket, Fleet and SparseNet do with a stream: train in its own order, evaluate each row once in the log's."""

from typing import Any

from rocket_keras.encoding.raw_values import check_int32


class Streamed:
    """Mixin before a `TrainStep`.

    A `rocket_keras.streaming.Stream` gives full batches in an order that differs between epochs: right for training. To
    evaluate and to predict, each row counts once, in one order, on every call; so what the stream has `in_order` stands
    in for it.
    """

    def fit(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit`; of a stream in its own order, with a stream as `validation_data` in the log's."""
        if getattr(x, "ordered", False):
            options["shuffle"] = False
        if "validation_data" in options:
            options["validation_data"] = in_order(options["validation_data"])
        return super().fit(x, *arguments, **options)  # type: ignore[misc]  # the next class is a keras.Model

    def evaluate(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluate as `keras.Model.evaluate`; each row of a stream once."""
        _check_ids(x)
        return super().evaluate(in_order(x), *arguments, **options)  # type: ignore[misc]  # as above

    def predict(self, x: Any, *arguments: Any, **options: Any) -> Any:
        """Predict as `keras.Model.predict`; each row of a stream once, in the order of the log."""
        _check_ids(x)
        return super().predict(in_order(x), *arguments, **options)  # type: ignore[misc]  # as above


def in_order(data: Any) -> Any:
    """Return a stream's rows in the order of the log; any other data as it is."""
    # The attribute, not the class: streams need an extra.
    view = getattr(data, "in_order", None)
    return view() if callable(view) else data  # a DataLoader of PyTorch has a flag of this name


def _check_ids(x: Any) -> None:
    for name, column in x.items() if isinstance(x, dict) else [("x", x)]:
        check_int32(name, column)
