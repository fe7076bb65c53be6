"""Reading and changing single rows of a large variable, in place; one short file a backend, picked at import."""

import keras

if keras.backend.backend() == "jax":
    from rocket_keras.train_step.rows_jax import add_rows, set_rows, sums_of, take_rows
elif keras.backend.backend() == "tensorflow":
    from rocket_keras.train_step.rows_tensorflow import add_rows, set_rows, sums_of, take_rows
else:
    from rocket_keras.train_step.rows_torch import add_rows, set_rows, sums_of, take_rows

__all__ = ["add_rows", "set_rows", "sums_of", "take_rows"]
