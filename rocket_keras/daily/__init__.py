"""Training that goes on every day, and publishes a light net every day. Needs the extra `data`."""

from rocket_keras.daily.run import run_daily
from rocket_keras.daily.settings import Daily

__all__ = ["Daily", "run_daily"]
