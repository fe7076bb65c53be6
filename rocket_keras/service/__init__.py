"""The light net over HTTP: JSON in and out, refusals instead of a growing queue, new nets without a stop."""

from rocket_keras.extras import require

# Imported at the top of the files below; here their absence is one line.
for _module in ("fastapi", "prometheus_client", "uvicorn"):
    require(_module, extra="serve")

from rocket_keras.service.app import build_app  # noqa: E402
from rocket_keras.service.limits import Limits  # noqa: E402
from rocket_keras.service.model import ServedModel  # noqa: E402
from rocket_keras.service.server import serve  # noqa: E402

__all__ = ["Limits", "ServedModel", "build_app", "serve"]
