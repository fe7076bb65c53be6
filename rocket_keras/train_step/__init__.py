"""How gradients are taken and applied: one short file a backend, picked at import.

The loss itself is the model's `compute_loss`, the same everywhere. Without routing (`routed` is False) a step is
Keras's own, bit for bit. With routing each variable is differentiated by the terms of its route alone, and the backward
pass of the light net's terms ends where the shared part begins.
"""

import keras

if keras.backend.backend() == "jax":
    from rocket_keras.train_step.jax import TrainStep
    from rocket_keras.train_step.jax_mesh import gathered
elif keras.backend.backend() == "tensorflow":
    from rocket_keras.train_step.tensorflow import TrainStep
    from rocket_keras.train_step.tensorflow_replicas import gathered
elif keras.backend.backend() == "torch":
    from rocket_keras.train_step.torch import TrainStep
    from rocket_keras.train_step.torch_processes import gathered
else:
    raise ImportError(
        f"rocket_keras trains on jax, tensorflow and torch. Received: backend {keras.backend.backend()!r}. "
        "Set KERAS_BACKEND."
    )

__all__ = ["TrainStep", "gathered"]
