"""Every attack at full length: ``python -m tests.adversary``; exit status 1 if any did harm."""

import sys
import tempfile
import time
from pathlib import Path

from tests.adversary.attacks import ATTACKS


def main() -> int:
    """Print a table of the attacks, how often each was tried, and what it cost."""
    print("| attack | tried | lost | seconds |\n| :--- | ---: | ---: | ---: |", flush=True)
    harm = []
    for name, attack in ATTACKS.items():
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            outcome = attack(True, Path(folder))
        seconds = time.perf_counter() - began
        what = attack.__doc__.split(":")[0]
        print(f"| {what} | {outcome.tried:,} | {len(outcome.harm):,} | {seconds:.0f} |", flush=True)
        harm += [f"{name}: {each}" for each in outcome.harm]
    print(*harm[:20], sep="\n", file=sys.stderr)
    return 1 if harm else 0


if __name__ == "__main__":
    sys.exit(main())
