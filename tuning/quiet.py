"""Keras Tuner's own noise, kept from those who cannot mend it."""

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within it, Keras Tuner 1.4.8's use of deprecated methods of Python's threads warns of nothing: it would at every
    call of an oracle. Nor does its look for the best of metrics that are no numbers: the trial's row says so.
    """
    with warnings.catch_warnings():
        for message in (r"currentThread\(\) is deprecated", r"getName\(\) is deprecated"):
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        warnings.filterwarnings("ignore", "All-NaN axis encountered", RuntimeWarning)
        yield
