"""The trials of a plan, each trained by several GPUs.

Start it by ``torchrun --nproc-per-node=N -m dropkit.study.distributed PLAN``.

For networks that take one GPU too long, such as Table 1's ResNet-50 on ImageNet; many small trials
are better spread by ``dropkit run --executor``. Before the trials each process trains whole query
networks, as they are short. A killed run goes on from its last epoch, or its last query network.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist
from tqdm import tqdm

from dropkit import pruning
from dropkit._common.errors import UserError
from dropkit.store.folder import Store
from dropkit.store.locks import Locks
from dropkit.study import executors, failures, plan, preparation, query_models, runner
from dropkit.study.preparation import Prepared
from dropkit.study.trials import Trial
from dropkit.training import over_processes
from dropkit.training.batches import source_of
from dropkit.training.engine import DTYPES
from dropkit.training.over_processes import of_first
from dropkit.training.recipes import diverged

PATIENCE = timedelta(days=2)  # with a process that trains one query network more than another


@contextmanager
def group(device: str) -> Iterator[torch.device]:
    """The group of processes that ``torchrun`` has started: this one's device."""
    if "LOCAL_RANK" not in os.environ:
        raise ValueError(
            "start it by torchrun: torchrun --nproc-per-node=2 -m dropkit.study.distributed"
        )
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

    Checkpoints are kept beside the records until a trial is stored. What another run on this store
    trains or has trained meanwhile is left to it.
    """
    first = dist.get_rank() == 0
    # Asked of one process: another may read the folder a moment later, and see more.
    todo = of_first(lambda: runner.missing(dict.fromkeys(trials), store))
    if dynamic := [trial.protocol for trial in todo if pruning.parse(trial.protocol).dynamic]:
        raise UserError(f"{dynamic[0]!r} selects during training: train it by another executor")
    _train_queries(todo, store, device)
    prepared = of_first(lambda: _prepare(todo, store, device))
    with (
        nullcontext() if not first else closing(Locks(store.path)) as locks,
        tqdm(total=len(todo), desc="trials", unit="trial", disable=not first or None) as bar,
    ):
        for one in prepared:
            if of_first(partial(_is_ours, one.trial, store, locks)):
                _run(one, store, device)
            if locks:
                locks.give_back([one.trial.key])
            bar.update()


def _is_ours(trial: Trial, store: Store, locks: Locks) -> bool:
    """Take a trial's name, and see whether another had trained it before."""
    store.refresh()
    return locks.take(trial.key) and bool(runner.missing([trial], store))


def _train_queries(trials: Sequence[Trial], store: Store, device: torch.device) -> None:
    """Train every process's share of the query networks that the store lacks, and keep them there.

    On other machines the folder may be another: the first process trains what it does not find.
    """
    asked = [query for trial in trials for query in trial.queries]
    networks = of_first(lambda: query_models.lacking(asked, store))
    networks.sort(key=lambda network: -network.query.recipe.epochs)
    own = networks[dist.get_rank() :: dist.get_world_size()]
    query_models.train(own, store, str(device), preparation.extras(trials))
    dist.barrier()


def _prepare(trials: Sequence[Trial], store: Store, device: torch.device) -> list[Prepared]:
    with executors.local(str(device)) as workers:
        return preparation.prepare(trials, store, workers)[0]


def _run(prepared: Prepared, store: Store, device: torch.device) -> None:
    trial, data = prepared.trial, prepared.trial.data
    recipe = trial.recipe.at_density(trial.density)
    file = store.path / "checkpoints" / f"{trial.key}.pt"
    began = time.perf_counter()
    stack = over_processes.train(
        trial.model,
        data.x,
        data.y,
        prepared.kept,
        recipe,
        seed=trial.seed,
        num_classes=data.num_classes,
        strata=data.strata,
        val=data.val,
        file=file,
        device=device,
    )
    seconds = time.perf_counter() - began
    if stack.diverged:
        if dist.get_rank() == 0:
            why = diverged(recipe, stack.diverged[0])
            store.add(failures.record(trial, why, str(device)))
            file.unlink(missing_ok=True)
        return
    source = source_of(data.x, DTYPES[recipe.precision], device)
    y, strata = (torch.as_tensor(values, device=device) for values in (data.y, data.strata))
    recalls = over_processes.recalls(stack, source, data.test, y, strata).cpu().numpy()
    if dist.get_rank() == 0:
        store.add(runner.record(prepared, recalls, seconds, str(device)))
        file.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 2 for what the user can mend, in one sentence."""
    parser = argparse.ArgumentParser("torchrun -m dropkit.study.distributed", description=__doc__)
    parser.add_argument("plan", metavar="PLAN", help="a file, or the name of a plan of dropkit's")
    parser.add_argument("--store", metavar="FOLDER", help="default: $DROPKIT_STORE or ~/.cache")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args(arguments)
    try:
        trials = [trial for step in plan.read(options.plan).steps() for trial in step]
        with group(options.device) as device:
            run(trials, Store(options.store), device)
    except (ValueError, OSError) as error:
        print(f"dropkit.study.distributed: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
