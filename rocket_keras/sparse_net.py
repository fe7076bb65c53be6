"""One net alone, whose tables are trained row by row."""

from typing import Any

import keras

from rocket_keras.row_optimizers import RowOptimizer
from rocket_keras.row_training import RowTraining, sparse_layers
from rocket_keras.streamed import Streamed
from rocket_keras.train_step import TrainStep


@keras.saving.register_keras_serializable(package="rocket_keras")
class SparseNet(Streamed, TrainStep, RowTraining):
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
        self.net = net
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the net's output."""
        return self.net(inputs, training=training)

    def compile(self, *arguments: Any, row_optimizer: RowOptimizer | None = None, **options: Any) -> None:
        """Configure training.

        Args:
            *arguments, **options: As of `keras.Model.compile`.
            row_optimizer: Moves the tables; row-wise Adagrad where none is given.
        """
        super().compile(*arguments, **options)
        self.compile_rows(row_optimizer)

    def get_compile_config(self) -> dict[str, Any]:
        """Return what `compile` was given, so that a loaded model trains on."""
        return {
            **super().get_compile_config(),
            "row_optimizer": keras.saving.serialize_keras_object(self.row_optimizer),
        }

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
