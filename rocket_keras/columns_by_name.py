"""Models that take their own columns of a dict by name; Keras matches a dict with further columns by position."""

from functools import cache
from types import MethodType
from typing import Any

import keras

from rocket_keras.graph import matched


class ColumnsByName(keras.Model):
    """Mixin before a Keras model: of a dict of inputs it takes its own columns by name, in whatever order they come.

    Further columns are ignored: a log has more of them than a net, and a booster more than its light net. Arrays in
    memory lose them before Keras turns them into tensors, so that they may be texts; other data lose them in the model.

    Raises:
        ValueError: A column is missing.
    """

    def columns(self) -> Any:
        """Return the symbolic inputs, in their structure; None for a model that takes anything."""
        # A method: Keras would save what a property returns, a second time.
        return self.input

    def own(self, x: Any) -> Any:
        """Return the inputs in the structure of the model's, without further columns; datasets as they are."""
        return matched(self.columns(), x, self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model on its own columns."""
        if args:
            args = (self.own(args[0]), *args[1:])
        elif "inputs" in kwargs:
            kwargs["inputs"] = self.own(kwargs["inputs"])
        return super().__call__(*args, **kwargs)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        validation = kwargs.get("validation_data")
        if isinstance(validation, tuple | list) and validation:
            kwargs["validation_data"] = (self.own(validation[0]), *validation[1:])
        return super().fit(self.own(x), *args, **kwargs)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        return super().evaluate(self.own(x), *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return super().predict(self.own(x), *args, **kwargs)

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return super().train_on_batch(self.own(x), *args, **kwargs)

    def test_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return super().test_on_batch(self.own(x), *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        return super().predict_on_batch(self.own(x))


class _GraphByName(ColumnsByName):
    """The same for a functional model, which JAX calls past `__call__`."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None, **kwargs: Any) -> Any:
        return super().call(self.own(inputs), training=training, mask=mask, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a functional model like any other."""
        restore, *rest = super().__reduce__()
        return MethodType(restore.__func__, functional_class()), *rest

    def __deepcopy__(self, memo: dict[int, Any]) -> keras.Model:
        """Copy as Keras does."""
        restore, arguments = self.__reduce__()
        return by_name(restore(*arguments))


def by_name(model: keras.Model) -> keras.Model:
    """Have a functional model take its columns by name from now on, and return it: the same object.

    Where its inputs are a dict, it does what Keras's does with these columns and no others. It is saved, exported and
    cloned as a functional model like any other; whoever loads the file needs no rocket_keras. Subclasses of functional
    models and all other models stay as they are.
    """
    if type(model) is functional_class():
        # Not a new model on the same layers, which would lose what its owner compiled, and be another booster.
        object.__setattr__(model, "__class__", _by_name_class())
    return model


def goes_by_name(model: Any) -> bool:
    """Return whether `by_name` has made a model what it is."""
    return type(model) is _by_name_class()


def listed(model: keras.Model) -> keras.Model:
    """Return a model of the same layers whose inputs are a list, of which Keras itself finds each by its name.

    It is for files that are loaded without rocket_keras. A model without a flat dict of inputs is returned as it is.
    """
    structure = model.input if type(model) in (functional_class(), _by_name_class()) else None
    if not isinstance(structure, dict) or any(getattr(part, "name", "") != key for key, part in structure.items()):
        return model
    again = keras.Model(model.inputs, model.output, name=model.name)
    if model.compiled:
        again.compile_from_config(model.get_compile_config())
        if model.optimizer.built:
            for variable, value in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
                variable.assign(value)
    return again


def unlisted(model: keras.Model) -> keras.Model:
    """Return the model with a dict of inputs where they are a list, as `listed` made it; by name in either case."""
    if isinstance(model, functional_class()) and isinstance(model.input, list):
        return by_name(keras.Model({tensor.name: tensor for tensor in model.inputs}, model.output, name=model.name))
    return by_name(model)


@cache
def functional_class() -> Any:
    """Return Keras's class of functional models, which has no public name."""
    # Of a model that is not made to the end, so that no name of a layer is used up.
    return type(keras.Model.__new__(keras.Model, inputs=None, outputs=None))


@cache
def _by_name_class() -> Any:
    functional = functional_class()
    # Under Keras's name, which is what Keras writes into files.
    return type(functional.__name__, (_GraphByName, functional), {"__module__": functional.__module__})
