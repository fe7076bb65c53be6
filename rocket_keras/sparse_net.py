"""One net alone, whose tables are trained row by row."""

from types import SimpleNamespace
from typing import Any

import keras

from rocket_keras.columns_by_name import ColumnsByName, by_name
from rocket_keras.heads import listed
from rocket_keras.logit_losses import label_loss
from rocket_keras.logit_metrics import metric_on_logits
from rocket_keras.logits import output_activation
from rocket_keras.row_optimizers import RowOptimizer
from rocket_keras.row_training import RowTraining, sparse_layers
from rocket_keras.streamed import Streamed
from rocket_keras.train_step import TrainStep


@keras.saving.register_keras_serializable(package="rocket_keras")
class SparseNet(ColumnsByName, Streamed, TrainStep, RowTraining):
    """Trains a net as Keras does, and its `SparseEmbedding` tables as a `Rocket` does: row by row.

    It is for nets that are trained alone, such as the base that a launch is compared with.

    Args:
        net: Functional model. It holds the weights and serves; this model only trains it.

    Example:

    ```python
    trainer = SparseNet(pair.light)
    trainer.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), row_optimizer=row_optimizers.Adagrad())
    trainer.fit(x, y)
    ```
    """

    def __init__(self, net: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        self.net = by_name(net)
        self.built = True

    def columns(self) -> Any:
        """Return the net's inputs."""
        return self.net.input

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the net's output."""
        return self.net(inputs, training=training)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        row_optimizer: RowOptimizer | None = None,
        **options: Any,
    ) -> None:
        """Configure training.

        Where the net ends in logits, losses and metrics mean what they mean in `Rocket.compile`; where it ends in a
        softmax or sigmoid, or has several outputs, they are Keras's.

        Args:
            optimizer, loss, loss_weights, metrics, weighted_metrics, **options: As of `keras.Model.compile`.
            row_optimizer: Moves the tables; row-wise Adagrad where none is given.
        """
        self._given = SimpleNamespace(
            loss=loss, metrics=metrics, weighted_metrics=weighted_metrics, options=dict(options)
        )
        if loss is not None and len(self.net.outputs) == 1 and output_activation(self.net) is None:
            loss = label_loss(loss)
            logits = self.net.outputs[0].shape[-1]
            metrics, weighted_metrics = (
                None if given is None else [metric_on_logits(metric, loss, logits) for metric in listed(given)]
                for given in (metrics, weighted_metrics)
            )
        super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, **options)
        self.compile_rows(row_optimizer)

    def get_compile_config(self) -> dict[str, Any]:
        """Return what `compile` was given, so that a loaded model trains on."""
        if not self.compiled:
            return {}
        given = {"loss": self._given.loss, "metrics": self._given.metrics}
        given |= {"weighted_metrics": self._given.weighted_metrics, "row_optimizer": self.row_optimizer}
        serialized = keras.saving.serialize_keras_object({**self._given.options, **given})
        return {**super().get_compile_config(), **serialized}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says and make the optimizer's variables."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"name": self.name, "net": keras.saving.serialize_keras_object(self.net)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SparseNet":
        """Rebuild the trainer and its net from `get_config`."""
        return cls(**{**config, "net": keras.saving.deserialize_keras_object(config["net"])})


def trained_alone(net: keras.Model) -> keras.Model:
    """Return what trains a net as a `Rocket` would: a `SparseNet` where it has tables of rows, else the net itself."""
    return SparseNet(net) if sparse_layers(net) else net
