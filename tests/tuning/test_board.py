import io

import pytest
from rich.console import Console

from tuning import LatencyBudget, Measurement
from tuning.board import SHOWN, Board
from tuning.gate import Look


def look(width, decision="within"):
    why = "" if decision == "within" else "multiply_adds 900 above 300"
    return Look({"width": width}, Measurement(10, 100, share=width / 10, decision=decision, why=why), "here")


@pytest.fixture
def board():
    def make(terminal):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        return Board(console, LatencyBudget(multiply_adds=300), "auc"), console.file

    return make


def test_on_a_terminal_a_table_of_the_newest_candidates_is_kept_up_to_date(board):
    shown, out = board(True)
    with shown:
        for width in range(SHOWN + 3):
            shown.look(look(width, "over" if width > 10 else "within"))
        shown.say("8 light nets, epoch 1: best auc 0.7000")
    text = out.getvalue()
    assert f"{SHOWN + 3} measured, 11 within 300 multiply-adds" in text
    last = text[text.rindex("candidate") :]
    assert "width=14" in last
    assert "width=2 " not in last
    assert "8 light nets, epoch 1: best auc 0.7000" in text


def test_elsewhere_each_event_is_a_line(board):
    shown, out = board(False)
    with shown:
        shown.look(look(3))
        shown.look(look(12, "over"))
        shown.say("winner")
    lines = out.getvalue().splitlines()
    assert lines == [
        "measured width=3 - - 0.30 within ",
        "measured width=12 - - 1.20 over multiply_adds 900 above 300",
        "winner",
    ]
