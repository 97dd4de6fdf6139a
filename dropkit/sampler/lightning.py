"""DRoP in Lightning: quotas that follow the recalls of the model in training."""

from collections.abc import Iterable
from typing import Any

from dropkit._common.checks import check_whole
from dropkit._common.errors import needed_by
from dropkit.sampler.pytorch import DRoPSubsetSampler, measure


def update_quotas(sampler: DRoPSubsetSampler, validation: Iterable, every: int = 1) -> Any:
    """Return a callback that measures recalls every few epochs, and lets a sampler follow them.

    Give the sampler to the training loader and ``use_distributed_sampler=False`` to the trainer,
    which else replaces it where there are several processes.

    Parameters
    ----------
    sampler : DRoPSubsetSampler
        Of the training loader; its next epochs have the quotas of what was measured last.
    validation : iterable
        Batches as `dropkit.sampler.pytorch.measure` takes them; in each process all of them, so
        that all have the same quotas.
    every : int
        How many epochs there are from one measurement to the next.

    Returns
    -------
    LambdaCallback
        Of Lightning's callbacks, for the trainer.

    Raises
    ------
    ValueError
        If `every` is no whole number above 0.
    MissingExtra
        If Lightning is not installed.
    """
    check_whole(every, "every", 1)
    with needed_by("dropkit.sampler.lightning"):
        from lightning.pytorch.callbacks import LambdaCallback

    def at_end(trainer: Any, model: Any) -> None:
        if (trainer.current_epoch + 1) % every == 0:
            sampler.update(measure(model, validation))

    return LambdaCallback(on_train_epoch_end=at_end)
