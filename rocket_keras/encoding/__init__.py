"""From the raw values of a request to what a net reads; it travels with the net as JSON."""

from rocket_keras.encoding.encoder import Encoder

__all__ = ["Encoder"]
