"""DRoP in PyTorch: labels of data sets, subsets, and samplers that draw anew inside the quotas."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

import dropkit
from dropkit.sampler.pytorch import (
    DRoPSubsetSampler,
    labels_of,
    measure,
    pruned,
    sample_weights,
)
from dropkit.sampler.shrinkage import Recalls

CODES = np.random.default_rng(0).integers(0, 3, 900)
RECALLS = [0.9, 0.6, 0.2]
TENSORS = TensorDataset(torch.arange(900), torch.tensor(CODES))
COUNTS = dropkit.keep(CODES, 0.4, RECALLS).table.counts


class Listed(Dataset):
    """Has a list of its labels, and lets nobody read the samples."""

    def __init__(self, name, values, transform=None):
        setattr(self, name, values)
        self.target_transform = transform

    def __len__(self):
        return len(CODES)

    def __getitem__(self, place):
        raise AssertionError("samples are not read for their labels")


class Plain(Dataset):
    """Samples, and nothing else."""

    def __len__(self):
        return len(CODES)

    def __getitem__(self, place):
        return torch.zeros(2), int(CODES[place])


class Columns(Listed):
    """As Hugging Face's data sets are."""

    column_names = ("text", "label")

    def __getitem__(self, name):
        assert name == "label"
        return CODES.tolist()


class TestLabelsOf:
    @pytest.mark.parametrize(
        "dataset",
        [
            TENSORS,
            Listed("targets", CODES.tolist()),
            Listed("targets", torch.tensor(CODES)),
            Listed("labels", CODES),
            Listed("y", CODES),
            Listed("targets", (CODES + 5).tolist(), lambda label: label - 5),
            Columns("data", None),
            Plain(),
            ConcatDataset([Subset(TENSORS, range(100)), Subset(TENSORS, range(100, 900))]),
        ],
    )
    def test_of_data_sets_of_all_kinds(self, dataset):
        assert labels_of(dataset).tolist() == CODES.tolist()

    def test_of_a_part_of_a_part(self):
        part = Subset(Subset(Plain(), [5, 7, 11]), [2, 0])
        assert labels_of(part).tolist() == CODES[[11, 5]].tolist()

    def test_a_stream_has_none(self):
        class Stream(IterableDataset):
            def __iter__(self):
                return iter(())

        with pytest.raises(TypeError, match="has no length: labels are of samples by number"):
            labels_of(Stream())


def test_pruned_is_the_part_that_keep_names():
    part = pruned(TENSORS, 0.4, dict(enumerate(RECALLS)), seed=5)
    expected = dropkit.keep(CODES, 0.4, RECALLS, seed=5).indices
    assert [int(sample) for sample, _ in part] == expected.tolist()


def test_weights_draw_the_counts_on_average():
    weights = sample_weights(CODES, 0.4, RECALLS)
    drawn = list(WeightedRandomSampler(weights, 200_000, generator=torch.manual_seed(0)))
    shares = np.bincount(CODES[drawn]) / 200_000
    assert shares == pytest.approx(COUNTS / COUNTS.sum(), abs=0.006)  # 5 standard deviations


class TestSubsetSampler:
    def test_each_epoch_has_the_counts_and_other_samples(self):
        sampler = DRoPSubsetSampler(CODES, 0.4, RECALLS)
        first, second = list(sampler), list(sampler)
        for epoch in (first, second):
            assert len(epoch) == len(set(epoch)) == len(sampler) == 360
            assert np.bincount(CODES[epoch]).tolist() == COUNTS.tolist()
        assert set(first) != set(second)
        assert first != sorted(first)

    def test_all_samples_have_their_turn(self):
        sampler = DRoPSubsetSampler(CODES, 0.4, RECALLS)
        times = np.bincount(np.concatenate([sampler.drawn(epoch) for epoch in range(400)]))
        for k, size in enumerate(np.bincount(CODES)):
            share = COUNTS[k] / size
            spread = 5 * np.sqrt(share * (1 - share) / 400)
            assert times[k == CODES] / 400 == pytest.approx(share, abs=spread)

    def test_an_epoch_can_be_had_again(self):
        sampler = DRoPSubsetSampler(CODES, 0.4, RECALLS, seed=1)
        passes = [list(sampler) for _ in range(3)]
        sampler.set_epoch(1)
        assert list(sampler) == passes[1]
        assert list(sampler) == passes[2]
        assert list(DRoPSubsetSampler(CODES, 0.4, RECALLS, seed=2)) != passes[0]

    @pytest.mark.parametrize("replicas", [1, 2, 7])
    def test_ranks_share_an_epoch(self, replicas):
        ranks = [
            DRoPSubsetSampler(CODES, 0.4, RECALLS, num_replicas=replicas, rank=rank)
            for rank in range(replicas)
        ]
        parts = [list(sampler) for sampler in ranks]
        assert {len(part) for part in parts} == {len(ranks[0])} == {-(-360 // replicas)}
        together = sum(parts, [])
        assert set(together) == set(DRoPSubsetSampler(CODES, 0.4, RECALLS))
        assert len(together) - 360 < replicas

    def test_new_recalls_are_new_quotas(self):
        names = np.array(["ant", "bee", "cat"])
        sampler = DRoPSubsetSampler(names[CODES], 0.4, RECALLS)
        sampler.update(pd.Series({"cat": 0.95, "ant": 0.3, "bee": 0.6}))
        expected = dropkit.keep(CODES, 0.4, [0.3, 0.6, 0.95]).table.counts
        assert np.bincount(CODES[list(sampler)]).tolist() == expected.tolist()

    def test_a_loader_takes_it(self):
        loader = DataLoader(TENSORS, batch_size=64, sampler=DRoPSubsetSampler(CODES, 0.4, RECALLS))
        labels = torch.cat([labels for _, labels in loader])
        assert torch.bincount(labels).tolist() == COUNTS.tolist()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"num_replicas": 2, "rank": 2}, "rank is 2: it must be below num_replicas, 2"),
            ({"num_replicas": 0}, "num_replicas is 0: it must be a whole number, 1 or more"),
            ({"seed": -1}, "seed is -1"),
        ],
    )
    def test_mistakes(self, options, message):
        with pytest.raises(ValueError, match=message):
            DRoPSubsetSampler(CODES, 0.4, RECALLS, **options)

    def test_a_class_that_goes_is_warned_of(self):
        with pytest.warns(UserWarning, match="class 0 would keep fewer"):
            DRoPSubsetSampler(CODES, 0.2, [1.0, 0.5, 0.5], smoothing=0)


class TestMeasure:
    def test_recalls_of_batches(self):
        labels = torch.tensor([0, 0, 0, 1, 1, 3])
        guesses = torch.tensor([0, 0, 1, 1, 0, 3])
        dataset = TensorDataset(torch.nn.functional.one_hot(guesses, 4).float(), labels)
        model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Dropout(0.9))
        with torch.no_grad():
            model[0].weight.copy_(torch.eye(4))
        found = measure(model, torch.utils.data.DataLoader(dataset, batch_size=4))
        np.testing.assert_allclose(found.recalls, [2 / 3, 1 / 2, np.nan, 1])
        assert found.val_sizes.tolist() == [3, 2, 0, 1]
        assert model.training  # as it was

    def test_stands_for_recalls_and_sizes(self):
        labels = np.arange(300) % 3
        dataset = TensorDataset(torch.zeros(300, 2), torch.as_tensor(labels))
        measured = Recalls(np.array([0.9, 0.5, 0.7]), np.array([10, 20, 30]))
        apart = {"recalls": measured.recalls, "val_sizes": measured.val_sizes}
        for rule in (1.0, "auto"):
            expected = dropkit.keep(labels, 0.3, **apart, smoothing=rule).indices.tolist()
            assert pruned(dataset, 0.3, measured, smoothing=rule).indices == expected
        drawn = DRoPSubsetSampler(labels, 0.3, measured)
        assert (
            drawn.table.counts.tolist() == dropkit.keep(labels, 0.3, **apart).table.counts.tolist()
        )

    @pytest.mark.parametrize(
        ("batches", "message"),
        [
            ([], "the loader has no batch"),
            ([(torch.zeros(2, 3, 4), torch.zeros(2))], r"shape \(2, 3, 4\) for 2 labels: expected"),
            ([(torch.zeros(2, 3), torch.tensor([0, 5]))], "label 5 is no class of the model"),
        ],
    )
    def test_mistakes(self, batches, message):
        with pytest.raises(ValueError, match=message):
            measure(torch.nn.Identity(), batches)
