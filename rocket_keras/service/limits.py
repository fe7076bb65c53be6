"""What the service takes, and the answer that refuses the rest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one request may be, and how long it may wait.

    Args:
        deadline_ms: Milliseconds that a request may wait before its scoring begins.
        max_candidates: Candidates of a request.
        max_body_bytes: Bytes of a request's body.
        max_waiting: Requests that wait at once.
        body_seconds: Seconds in which the body must have come.

    Raises:
        ValueError: One of them is not above 0.
    """

    deadline_ms: float = 50.0
    max_candidates: int = 5000
    max_body_bytes: int = 2 * 1024 * 1024
    max_waiting: int = 256
    body_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"expected `{name}` above 0, received {value}; give a positive number")


class Refused(Exception):  # not an error of the service: an answer
    """A request that is not scored.

    Args:
        status: HTTP status of the answer.
        kind: Why, for programs.
        detail: Why, for readers: one line.
        retry_after_s: Seconds after which it may go better; None where the request itself must change.
    """

    def __init__(self, status: int, kind: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.retry_after_s = status, kind, detail, retry_after_s
