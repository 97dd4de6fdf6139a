"""DRoP for PyTorch's data sets and loaders; nothing else of the package's methods imports torch."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Ints, check_labels, check_whole
from dropkit._common.errors import needed_by
from dropkit._common.labels import encode
from dropkit._common.ranking import random_keys
from dropkit.metrics import class_recalls
from dropkit.pruning import Below
from dropkit.sampler.keeping import ByClass, keep, quotas_of
from dropkit.sampler.shrinkage import Recalls

with needed_by("dropkit.sampler.pytorch"):
    import torch
    from torch.utils.data import ConcatDataset, Dataset, Sampler, Subset, TensorDataset


def labels_of(dataset: Dataset) -> np.ndarray:
    """Return the label of each sample of a data set, read from its list of them if it has one.

    Parameters
    ----------
    dataset : Dataset
        With `targets`, `labels` or `y`, as torchvision's; of Hugging Face, with a column "label" or
        "labels"; a TensorDataset, whose last tensor are labels; a Subset or ConcatDataset of such.
        Of any other the samples are read one by one, and the last entry of each is its label.

    Returns
    -------
    (n,) ndarray
        Numbers or text, after the data set's `target_transform`, if it has one.

    Raises
    ------
    TypeError
        For a data set without a length.

    Examples
    --------
    >>> dataset = TensorDataset(torch.zeros(3, 8), torch.tensor([2, 0, 1]))
    >>> labels_of(Subset(dataset, [0, 2]))
    array([2, 1])
    """
    if not hasattr(dataset, "__len__"):
        raise TypeError(f"{type(dataset).__name__} has no length: labels are of samples by number")
    if isinstance(dataset, Subset):
        return labels_of(dataset.dataset)[np.asarray(dataset.indices, dtype=np.int64)]
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([labels_of(part) for part in dataset.datasets])
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[-1].cpu().numpy()
    for name in {"label", "labels"} & set(getattr(dataset, "column_names", None) or ()):
        return np.asarray(dataset[name])
    for name in ("targets", "labels", "y"):
        found = getattr(dataset, name, None)
        if found is not None and not callable(found) and np.shape(found) == (len(dataset),):
            found = found.cpu() if isinstance(found, torch.Tensor) else found
            change = getattr(dataset, "target_transform", None)
            return np.asarray(found if change is None else [change(each) for each in found])
    return np.asarray([dataset[place][-1] for place in range(len(dataset))])


def measure(
    model: torch.nn.Module, loader: Iterable, *, device: str | torch.device | None = None
) -> Recalls:
    """Return a model's recalls on a validation loader, and how many samples each rests on.

    Parameters
    ----------
    model : torch.nn.Module
        From a batch of samples to (B, K) logits, of classes 0..K-1; in evaluation mode meanwhile.
    loader : iterable
        Of batches whose first entry are samples and whose last labels (B,), as `DataLoader`.
    device : str or torch.device, optional
        Where the model runs; by default where its first weight is.

    Returns
    -------
    Recalls
        Which `pruned`, `sample_weights`, `DRoPSubsetSampler` and `dropkit.keep` take as recalls.

    Raises
    ------
    ValueError
        If the loader has no batch, or outputs and labels do not fit.

    Examples
    --------
    >>> dataset = TensorDataset(torch.eye(3), torch.tensor([0, 1, 1]))
    >>> measure(torch.nn.Identity(), torch.utils.data.DataLoader(dataset)).val_sizes
    array([1, 2, 0])
    """
    if device is None:
        device = next((weight.device for weight in model.parameters()), "cpu")
    before, labels, guesses, classes = model.training, [], [], 0
    model.eval()
    try:
        with torch.no_grad():
            for batch in loader:
                logits = model(batch[0].to(device))
                if logits.ndim != 2 or logits.shape[0] != len(batch[-1]):
                    raise ValueError(
                        f"the model returns shape {tuple(logits.shape)} for {len(batch[-1])} "
                        "labels: expected (B, K), the logits of K classes"
                    )
                classes = logits.shape[1]
                guesses.append(logits.argmax(1).cpu().numpy())
                labels.append(torch.as_tensor(batch[-1]).cpu().numpy())
    finally:
        model.train(before)
    if not labels:
        raise ValueError("the loader has no batch: recalls need validation samples")
    truth = check_labels(np.concatenate(labels))
    sizes = np.bincount(truth, minlength=classes)
    if sizes.size > classes:
        raise ValueError(f"label {truth.max()} is no class of the model, which has {classes}")
    return Recalls(class_recalls(truth, np.concatenate(guesses), classes), sizes)


def pruned(dataset: Dataset, density: float, recalls: ByClass, **options: Any) -> Subset:
    """Return the part of a data set that DRoP keeps.

    Parameters
    ----------
    dataset : Dataset
        Whose labels `labels_of` finds.
    density, recalls : float, and (K,) array_like, dict or Series
        As in `dropkit.keep`.
    **options : Any
        Others of `dropkit.keep`.

    Examples
    --------
    >>> dataset = TensorDataset(torch.zeros(200, 8), torch.arange(200) % 2)
    >>> len(pruned(dataset, 0.3, recalls=[0.95, 0.65]))
    60
    """
    kept = keep(labels_of(dataset), density, recalls, **options)
    return Subset(dataset, kept.indices.tolist())


def sample_weights(
    labels: ArrayLike,
    density: float,
    recalls: ByClass,
    *,
    val_sizes: ByClass | None = None,
    smoothing: float | str = 10.0,
) -> torch.Tensor:
    """Return the fraction that DRoP keeps of each sample's class, for `WeightedRandomSampler`.

    Parameters
    ----------
    labels, density, recalls, val_sizes, smoothing : as in `dropkit.keep`
        A loader that draws round(density · n) samples by these weights has DRoP's class counts on
        average.

    Returns
    -------
    (n,) Tensor of float64
        In [0, 1].
    """
    classes, codes = encode(labels)
    sizes, options = np.bincount(codes), {"smoothing": smoothing, "minimum": 0, "below": "keep"}
    table = quotas_of(classes, sizes, density, recalls, val_sizes, **options)
    return torch.from_numpy(table.densities[codes])


class DRoPSubsetSampler(Sampler[int]):
    """Draw other samples inside DRoP's class counts in each epoch, in random order.

    Parameters
    ----------
    labels : (n,) array_like
        Of the data set, such as `labels_of` gives.
    density, recalls, val_sizes, smoothing, minimum, below, seed : as in `dropkit.keep`
        Of all ranks the same.
    num_replicas, rank : int, optional
        Processes that share each epoch's samples, and which of them this is; by default those of
        `torch.distributed` where it is initialised, otherwise one. The last samples are repeated
        from the first until all ranks have as many.

    Attributes
    ----------
    table : ClassTable
        What each class keeps.
    epoch : int
        Of the next pass; each pass begins with its own and leaves the next.
    """

    def __init__(
        self,
        labels: ArrayLike,
        density: float,
        recalls: ByClass,
        *,
        val_sizes: ByClass | None = None,
        smoothing: float | str = 10.0,
        minimum: int = 1,
        below: Below = "warn",
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        if num_replicas is None:
            num_replicas = torch.distributed.get_world_size() if together else 1
        if rank is None:
            rank = torch.distributed.get_rank() if together else 0
        check_whole(num_replicas, "num_replicas", 1)
        check_whole(rank, "rank")
        check_whole(seed, "seed")
        if rank >= num_replicas:
            raise ValueError(f"rank is {rank}: it must be below num_replicas, {num_replicas}")
        self.classes, self.codes = encode(labels)
        self._by_class = np.argsort(self.codes, kind="stable")
        self.density, self.seed, self.epoch = density, seed, 0
        self.num_replicas, self.rank = num_replicas, rank
        self._options = {"smoothing": smoothing, "minimum": minimum, "below": below}
        self.update(recalls, val_sizes)

    def update(self, recalls: ByClass, val_sizes: ByClass | None = None) -> None:
        """Take new recalls, whose quotas hold from the next pass on."""
        sizes = np.bincount(self.codes)
        self.table = quotas_of(
            self.classes, sizes, self.density, recalls, val_sizes, **self._options
        )
        place = np.arange(self.codes.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._stay = place < np.repeat(self.table.counts, sizes)

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be that of an epoch: one epoch has the same samples each time."""
        self.epoch = epoch

    def drawn(self, epoch: int) -> Ints:
        """Return the samples of an epoch (m,), of all ranks, in their random order."""
        state = np.random.SeedSequence([self.seed, epoch]).generate_state(2, np.uint64)
        keys = random_keys(int(state[0]))(self.codes.size)
        # Classes one after another, each in random order, of which the first stay.
        shuffled = self._by_class[np.argsort(self.codes[self._by_class] + keys, kind="stable")]
        kept = shuffled[self._stay]
        return kept[np.argsort(random_keys(int(state[1]))(kept.size), kind="stable")]

    def __iter__(self) -> Iterator[int]:
        order = self.drawn(self.epoch)
        self.epoch += 1
        padded = np.resize(order, len(self) * self.num_replicas)
        return iter(padded[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return -(-int(self.table.counts.sum()) // self.num_replicas)
