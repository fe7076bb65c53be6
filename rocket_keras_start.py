"""Start of the `rocket-keras` command.

It stands beside the package because importing any part of the package chooses a backend and imports Keras: what cannot
be imported is one line here.
"""

import os
import sys
from typing import NoReturn


def main() -> None:
    """Run the command line; what cannot be imported is one line on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from rocket_keras.cli import main as run
    except (ImportError, ValueError) as error:
        print(f"rocket-keras: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        run()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code:
            _leave(end.code)
        raise


def _leave(code: int) -> NoReturn:
    """End the process without shutting the interpreter down.

    A training may be under way: TensorFlow's input pipeline calls Python from threads of its own, and a pipeline that
    ends with the interpreter waits for it, now and then for ever.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
