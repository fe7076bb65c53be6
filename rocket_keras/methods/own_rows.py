"""Rows of the methods' table: this project's own recipe."""

from rocket_keras.methods.rocket_rows import PAPER_HINT
from rocket_keras.methods.stage import Method, Stage

JOINT = Stage("both", hints=(PAPER_HINT,))

OWN_ROWS: tuple[Method, ...] = (
    Method(
        "relay",
        "relay: rocket, then the light net alone",
        "this project",
        "CE(y,l) + w |l - z|^2 twice; then with z frozen, and the light net moves the shared layers, too",
        (
            JOINT,
            # The booster needs the shared layers no more: from here on they may serve the light net alone.
            Stage("light", hints=(PAPER_HINT,), teachers=(JOINT,), start=JOINT, light_to_shared=True),
        ),
        "ours",
    ),
)
