import json
import subprocess
import sys
from pathlib import Path

from zoo.ctr import TOWERS


def test_the_first_net_of_a_process_begins_with_the_weights_of_later_ones():
    # In a process of its own: what the first net imports is imported here already.
    command = [sys.executable, str(Path(__file__).with_name("same_weights.py"))]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    assert found["differ"] == []
    assert set(TOWERS) < set(found["families"])
