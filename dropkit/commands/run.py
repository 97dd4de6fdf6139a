"""``dropkit run``: the trials of a plan, on any machine, as far as time allows."""

import argparse

from dropkit._common import fields
from dropkit.commands import _output

HELP = "run the trials of a plan"
DESCRIPTION = """\
Train what a store lacks of a plan; a run that was stopped goes on where it was.

examples:
  dropkit run digits
  dropkit run cifar10-mini --data ~/data
  dropkit run my-plan.toml --device cuda --minutes 50 --store results
  dropkit run cifar100-paper --executor ray
"""


def add_options(command: argparse.ArgumentParser) -> None:
    add_plan(command)
    command.add_argument(
        "--store", metavar="FOLDER", help="default: $DROPKIT_STORE, else ~/.cache/dropkit"
    )
    command.add_argument("--executor", default="local", choices=["local", "processes", "ray"])
    command.add_argument("--address", help="of the Ray cluster; default: $RAY_ADDRESS")
    command.add_argument("--minutes", type=float, help="begin nothing that would take longer")
    command.add_argument("--retry", action="store_true", help="try again what failed before")


def add_plan(command: argparse.ArgumentParser) -> None:
    """Add what says which plan, on which data, seeds and device."""
    command.add_argument("plan", metavar="PLAN", help="a file, or the name of a plan of dropkit's")
    command.add_argument("--data", metavar="FOLDER", help="data sets; default: $DROPKIT_DATA")
    command.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N, mps")
    command.add_argument("--seeds", type=int, nargs="+", metavar="N", help="these seeds alone")
    command.add_argument("--threads", type=int, default=1, help="processor cores (default 1)")
    _output.add_import(command)
    _output.add_options(command)


def check_threads(threads: int) -> None:
    """Raise ValueError for fewer than one, or more than any processor has."""
    fields.check(threads, fields.whole(1, 1024), "--threads")


def run(options: argparse.Namespace) -> int:
    """Run the plan and say how much of it is done; exit status 1 if trials failed."""
    import os
    import sys

    import torch

    from dropkit.store.folder import Store
    from dropkit.study import failures, plan
    from dropkit.training import devices

    check_threads(options.threads)
    if options.minutes is not None and not options.minutes >= 0:
        raise ValueError(f"--minutes must be 0 or more, got {options.minutes:g}")
    for name, value in (("DROPKIT_DATA", options.data), ("RAY_ADDRESS", options.address)):
        if value:
            os.environ[name] = value
    torch.set_num_threads(options.threads)
    found = plan.read(options.plan)
    store = Store(options.store)
    if options.executor == "local" and not options.quiet:
        device = devices.resolve(options.device)
        print(f"{device}: {devices.in_words(found.recipe.precision, device)}", file=sys.stderr)
    with devices.memory_named(f"{found.model} at a batch of {found.recipe.batch}"):
        done, total = plan.run(
            found,
            store=store,
            executor=options.executor,
            device=options.device,
            seeds=options.seeds,
            minutes=options.minutes,
            retry=options.retry,
        )
    failed = failures.among(sum(found.steps(options.seeds), []), store)
    for trial, why in failed.items():
        print(f"failed: {failures.named(trial)}: {why}", file=sys.stderr)
    lost = f"; {len(failed)} failed, --retry tries them again" if failed else ""
    names = [failures.named(trial) for trial in failed]
    known = {"done": done, "trials": total, "store": str(store.path), "failed": names}
    _output.tell(options, known, f"{done} of {total} trials are in {store.path}{lost}")
    return 1 if failed else 0
