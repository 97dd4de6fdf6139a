"""``dropkit estimate``: what a plan will cost, before anything is trained."""

import argparse

from dropkit.commands import _output
from dropkit.commands.run import add_plan, check_threads

HELP = "what a plan will cost"
DESCRIPTION = """\
Say how many networks and images a plan trains on, and how long that takes.

The speed is measured on this device for a few seconds, on random images in its memory, unless it is
given. The data need not be there.

examples:
  dropkit estimate cifar100-paper --device cuda
  dropkit estimate imagenet-paper --images-per-second 2470
"""


def add_options(command: argparse.ArgumentParser) -> None:
    add_plan(command)
    about = "training speed; default: measured"
    command.add_argument("--images-per-second", type=float, metavar="N", help=about)


def run(options: argparse.Namespace) -> None:
    """Print the estimate."""
    import os
    from dataclasses import asdict

    import torch

    from dropkit.study import estimate, plan
    from dropkit.training import devices

    if options.data:
        os.environ["DROPKIT_DATA"] = options.data
    speed = options.images_per_second
    if speed is not None and not speed > 0:
        raise ValueError(f"--images-per-second must be above 0, got {speed:g}")
    check_threads(options.threads)
    device = None if speed else devices.resolve(options.device)
    found = plan.read(options.plan)
    size = estimate.size(found.dataset)
    cost = estimate.cost(sum(found.steps(options.seeds), []))
    each = estimate.flops(found.model, size)
    measured = ""
    if device:
        torch.set_num_threads(options.threads)
        with devices.memory_named(f"{found.model} at a batch of {found.recipe.batch}"):
            speed = estimate.throughput(found.model, size, found.recipe, device)
        used = devices.in_words(found.recipe.precision, device)
        measured = f"measured    {speed:,.4g} images/s on {device}, {used}\n"
    hours = cost.images / speed / 3600
    known = {"model": found.model, "dataset": found.dataset, "flops_an_image": each}
    known |= asdict(cost) | {"images_per_second": speed, "hours": hours}
    text = f"""\
{found.model} on {found.dataset}
trials      {cost.trials:,}, on {cost.trial_images:,} images, counted each time
queries     {cost.queries:,}, on {cost.query_images:,} images; the largest records \
{cost.record / 1e9:.2f} GB
arithmetic  {each / 1e9:.3g} GFLOP an image, {each * cost.images / 1e15:,.1f} PFLOP
{measured}time        {hours:,.1f} hours of one device at {speed:,.4g} images/s, \
without evaluation"""
    _output.tell(options, known, text, summary=False)
