"""The wheel with each light extra on several Pythons: ``python tests/wheels.py [PYTHON ...]``.

Each is installed from the index into an environment of its own, and used; exit status 1 if any
fails.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The extras train and features are those of the book, which is built on each Python as it is.
USES = {
    "": "import dropkit; print(len(dropkit.keep([0, 1] * 50, 0.5, [0.9, 0.6]).indices))",
    "sampler": "from dropkit import DRoPClassifier; from sklearn.datasets import load_wine; "
    "model = DRoPClassifier(density=0.28, random_state=0).fit(*load_wine(return_X_y=True)); "
    "print(model.sampler_.sample_indices_.size)",
    "parquet": "import pyarrow as pa; from pyarrow.parquet import write_table; "
    "write_table(pa.table({'label': [0, 1] * 50, 'guess': [0, 0, 0, 1] * 25}), 't.parquet'); "
    "from dropkit.commands import main; "
    "main('prune --labels t.parquet:label --predictions t.parquet:guess --density 0.5 "
    "--out kept.npy --quiet'.split()); import numpy as np; print(np.load('kept.npy').size)",
}


def tried(python: str, wheel: Path, extra: str) -> str:
    """Install and use one; return what went wrong, "" if nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "bin", "python")
        what = f"{wheel}[{extra}]" if extra else str(wheel)
        for command in (
            [python, "-m", "venv", folder],
            [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what],
            [own, "-I", "-W", "error::DeprecationWarning:dropkit", "-c", USES[extra]],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                return (done.stderr or done.stdout).strip().splitlines()[-1]
        return "" if done.stdout.split()[-1] == "50" else f"kept {done.stdout.strip()}"


def main(pythons: list[str]) -> int:
    """Print a line an environment."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        for python in pythons or [sys.executable]:
            for extra in USES:
                wrong = tried(python, wheel, extra)
                failed += bool(wrong)
                print(f"{python} {extra or 'alone'}: {wrong or 'works'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
