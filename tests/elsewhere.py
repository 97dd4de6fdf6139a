"""The same in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def printed(script: str) -> Any:
    """What a script prints as JSON in a process of its own, whose hashes are others."""
    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONHASHSEED": "12"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)
