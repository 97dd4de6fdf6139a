"""The callback of Lightning: quotas follow the model in training."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning", reason="lightning is an extra")

import lightning.pytorch as lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from dropkit.sampler.lightning import update_quotas
from dropkit.sampler.pytorch import DRoPSubsetSampler


class Model(lightning.LightningModule):
    """One weight a class, whose guesses a test sets."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(3, 3, bias=False), []

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch):
        self.seen[-1] += batch[1].tolist()
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def on_train_epoch_start(self):
        self.seen.append([])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of Lightning's own calls
def test_each_epoch_is_drawn_by_the_last_recalls(tmp_path):
    labels = torch.arange(300) % 3
    train = TensorDataset(torch.eye(3)[labels], labels)
    # The weights send each class to itself, but for half of the validation samples of class 2.
    held = TensorDataset(torch.eye(3)[[0, 1, 2, 2] * 10], torch.tensor([0, 1, 2, 1] * 10))
    sampler = DRoPSubsetSampler(labels, 0.5, [0.5, 0.5, 0.5], smoothing=1)
    model = Model()
    with torch.no_grad():
        model.layer.weight.copy_(torch.eye(3))
    trainer = lightning.Trainer(
        max_epochs=4,
        accelerator="cpu",
        use_distributed_sampler=False,
        callbacks=[update_quotas(sampler, DataLoader(held, 8), every=2)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, DataLoader(train, 10, sampler=sampler))
    counts = [np.bincount(each, minlength=3).tolist() for each in model.seen]
    assert counts[0] == counts[1] == [50, 50, 50]
    # Recalls are 1, 0.5 and 1 of 10, 20 and 10: Laplace's rule gives errors of 1, 6 and 1 twelfths
    # and 11 of 22; class 1 is full, the others share what is left.
    assert counts[2] == counts[3] == [25, 100, 25]


def test_how_often_is_a_whole_number():
    with pytest.raises(ValueError, match="^every is 0: it must be a whole number, 1 or more$"):
        update_quotas(None, [], every=0)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_the_page_says_how(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "book/howto/prune-yours.md").read_text()
    labels = torch.arange(300) % 3
    data = TensorDataset(torch.eye(3)[labels], labels)
    names = {"DataLoader": DataLoader, "model": Model(), "train": data, "validation": data}
    exec(page.split("## In Lightning")[1].split("```")[1].removeprefix("py"), names)
    assert len(names["model"].seen) == 20 and len(names["model"].seen[-1]) == 90
