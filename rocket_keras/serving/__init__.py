"""The light net in service: raw feature values in, click probabilities out."""

from rocket_keras.serving.artefact import Artefact, read_artefact
from rocket_keras.serving.scorer import RequestError, Scorer

__all__ = ["Artefact", "RequestError", "Scorer", "read_artefact"]
