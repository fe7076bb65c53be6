"""The light net over HTTP: JSON in and out, refusals instead of a growing queue, new nets without a stop."""

try:
    import fastapi  # noqa: F401
    import prometheus_client  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(f"The service needs {error.name}. Install it with: pip install 'rocket-keras[serve]'") from error

from rocket_keras.service.app import build_app
from rocket_keras.service.limits import Limits
from rocket_keras.service.model import ServedModel
from rocket_keras.service.server import serve

__all__ = ["Limits", "ServedModel", "build_app", "serve"]
