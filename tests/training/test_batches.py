"""Images as bytes: batches against shifts, flips and normalisation done one image at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torchvision.transforms import functional as tv

from dropkit.datasets import Images
from dropkit.training import batches

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def pool():
    pixels = np.random.default_rng(0).integers(256, size=(7, 9, 8, 3), dtype=np.uint8)
    return Images(pixels, MEAN, STD)


def by_torchvision(image, down, right, mirror):
    """One (H, W, C) image through torchvision's own padding, cropping, flipping and normalising."""
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    height, width = tensor.shape[1:]
    crop = tv.crop(tv.pad(tensor, [4, 4, 4, 4]), down, right, height, width)
    return tv.normalize((tv.hflip(crop) if mirror else crop).float() / 255, MEAN, STD)


class TestBatches:
    def test_plain(self, pool):
        rows = torch.tensor([[0, 3], [6, 6]])
        found = batches.source_of(pool, torch.float32, CPU)(rows)
        expected = (pool.pixels / 255 - MEAN) / STD
        expected = np.moveaxis(expected, -1, 1)[rows.numpy()]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    @given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 1), st.integers(0, 6))
    def test_moved(self, pool, down, right, mirror, row):
        moves = torch.tensor([[[down, right, mirror]]], dtype=torch.uint8)
        found = batches.source_of(pool, torch.float32, CPU)(torch.tensor([[row]]), moves)[0, 0]
        expected = by_torchvision(pool.pixels[row], down, right, mirror)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_channels_lie_last_in_memory(self, pool):
        (batch,) = batches.source_of(pool, torch.float32, CPU)(torch.arange(5)[None])
        assert batch.shape == (5, 3, 9, 8)
        assert batch.is_contiguous(memory_format=torch.channels_last)

    def test_a_memory_mapped_set_stays_on_disk_and_is_moved_alike(self, pool, tmp_path):
        np.save(tmp_path / "pixels.npy", pool.pixels)
        mapped = Images(np.load(tmp_path / "pixels.npy", mmap_mode="r"), MEAN, STD)
        source = batches.source_of(mapped, torch.float32, CPU)
        whole = batches.source_of(pool, torch.float32, CPU)
        assert not source.resident and whole.resident
        rows = torch.tensor([[4, 0, 4, 6], [1, 1, 5, 2]])
        moves = batches.draw_moves(8, torch.Generator().manual_seed(0)).view(2, 4, 3)
        for how in (None, moves):
            found = source(rows, how)
            np.testing.assert_array_equal(found, whole(rows, how))
            assert found[0].is_contiguous(memory_format=torch.channels_last)
        found = source(rows, moves)
        for s, b in np.ndindex(2, 4):
            expected = by_torchvision(pool.pixels[rows[s, b]], *moves[s, b].tolist())
            np.testing.assert_allclose(found[s, b], expected, rtol=1e-5, atol=1e-5)

    def test_numbers_are_not_augmented(self):
        source = batches.source_of(np.zeros((4, 2)), torch.float64, CPU)
        assert source(torch.tensor([[1, 2]])).dtype == torch.float64
        with pytest.raises(ValueError, match="only images are augmented"):
            source(torch.tensor([[1]]), torch.zeros(1, 1, 3))


class TestDrawMoves:
    def test_uniform_over_nine_shifts_and_two_sides(self):
        moves = batches.draw_moves(20_000, torch.Generator().manual_seed(0)).numpy()
        for column, values in enumerate((9, 9, 2)):
            counts = np.bincount(moves[:, column], minlength=values)
            assert len(counts) == values
            # Five standard deviations of a binomial count.
            share = 20_000 / values
            assert np.abs(counts - share).max() < 5 * np.sqrt(share * (1 - 1 / values))
        correlation = np.corrcoef(moves.T)[np.triu_indices(3, 1)]
        assert np.abs(correlation).max() < 5 / np.sqrt(20_000)

    def test_the_seed_draws_them(self):
        first, again, other = (
            batches.draw_moves(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(first, again) and not torch.equal(first, other)


def test_images_by_index_are_bytes_with_channels_first(pool):
    assert pool.shape == (7, 3, 9, 8) and len(pool) == 7
    np.testing.assert_array_equal(pool[2], pool.pixels[2].transpose(2, 0, 1))
    np.testing.assert_array_equal(pool[[5, 1]], pool.pixels[[5, 1]].transpose(0, 3, 1, 2))
