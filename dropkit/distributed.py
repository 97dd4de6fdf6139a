"""The trials of a plan, each trained by several GPUs: ``torchrun ... -m dropkit.distributed PLAN``.

For networks that take one GPU too long, such as Table 1's ResNet-50 on ImageNet; many small trials
are better spread by ``dropkit run --executor``. A killed run goes on from its last epoch.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from tqdm import tqdm

from dropkit import images, parallel, plan, study
from dropkit.store import Store
from dropkit.training import DTYPES
from dropkit.trials import Trial

PATIENCE = timedelta(days=2)  # of the others while the first process alone trains query models


@contextmanager
def group(device: str) -> Iterator[torch.device]:
    """The group of processes that ``torchrun`` has started, and this one's device.

    Raises
    ------
    ValueError
        If this process was not started by ``torchrun``.
    """
    if "LOCAL_RANK" not in os.environ:
        raise ValueError("start it by torchrun: torchrun --nproc-per-node=2 -m dropkit.distributed")
    own = torch.device(device if device == "cpu" else f"{device}:{os.environ['LOCAL_RANK']}")
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield own
    finally:
        dist.destroy_process_group()


def run(trials: Sequence[Trial], store: Store, device: torch.device) -> None:
    """Train the trials that the store lacks, one after another; the first process stores them.

    Checkpoints are kept beside the records until a trial is stored.

    Raises
    ------
    ValueError, StoreError
        As ``parallel.train`` and ``study.run`` do.
    """
    first = dist.get_rank() == 0
    # Asked of one process: another may read the folder a moment later, and see more.
    names = parallel.shared_bytes(" ".join(t.key for t in study.missing(trials, store)).encode())
    todo = set(names.decode().split())
    with tqdm(total=len(todo), desc="trials", unit="trial", disable=not first or None) as bar:
        for trial in dict.fromkeys(trial for trial in trials if trial.key in todo):
            _run(trial, store, device)
            bar.update()


def _run(trial: Trial, store: Store, device: torch.device) -> None:
    first, data = dist.get_rank() == 0, trial.data
    jobs = study._jobs([trial], store, str(device)) if first else []
    kept = parallel.shared_bytes(jobs[0].kept[0].astype(np.int64).tobytes() if first else b"")
    recipe = trial.recipe.at_density(trial.density)
    file = store.path / "checkpoints" / f"{trial.key}.pt"
    began = time.perf_counter()
    stack = parallel.train(
        trial.model,
        data.x,
        data.y,
        np.frombuffer(kept, np.int64).copy(),
        recipe,
        seed=trial.seed,
        num_classes=data.num_classes,
        strata=data.strata,
        val=data.val,
        file=file,
        device=device,
    )
    seconds = time.perf_counter() - began
    source = images.source(data.x, DTYPES[recipe.precision], device)
    y, strata = (torch.as_tensor(values, device=device) for values in (data.y, data.strata))
    recalls = parallel.recalls(stack, source, data.test, y, strata).cpu().numpy()
    if first:
        store.add(*study._records(jobs[0], [data], recalls[None], seconds))
        file.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 2 for what the user can mend, in one sentence."""
    parser = argparse.ArgumentParser("torchrun -m dropkit.distributed", description=__doc__)
    parser.add_argument("plan", metavar="PLAN", help="a file, or the name of a plan of dropkit's")
    parser.add_argument("--store", metavar="FOLDER", help="default: $DROPKIT_STORE or ~/.cache")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args(arguments)
    try:
        trials = [trial for step in plan.read(options.plan).steps() for trial in step]
        with group(options.device) as device:
            run(trials, Store(options.store), device)
    except (ValueError, OSError) as error:
        print(f"dropkit.distributed: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
