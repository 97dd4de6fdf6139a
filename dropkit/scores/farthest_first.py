"""Greedy k-centre (CoreSet): exact, lazily evaluated, in O(n) memory beyond the features.

Every point keeps an upper bound on its squared distance to the nearest centre. The few points
with the largest bounds are measured exactly; those among them that exceed every other bound are
the next centres. One matrix product for them all then lowers the bounds. Distances that rounding
errors of the product could confuse are measured, so the centres are those of the plain loop.
"""

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

CANDIDATES = 128  # measured exactly at a time
ROWS = 1024  # of the features in one matrix product: fits a processor's cache
GPU_ROWS = 2**16
LONG = 10**8  # points times centres from which a progress bar is shown


@torch.no_grad()
def farthest_first(points: Tensor, budget: int) -> np.ndarray:
    """Return `budget` indices in the order greedy k-centre selects them, the public `k_center`."""
    points = points if points.is_floating_point() else points.double()
    mean = sum(rows.double().sum(0) for rows in points.split(ROWS)) / len(points)
    to_mean = torch.cat([(rows - mean).square().sum(1) for rows in points.split(ROWS)])
    if not to_mean.isfinite().all():
        bad = (~points.isfinite()).any(1).nonzero()
        what = f"features[{int(bad[0])}] is not finite" if len(bad) else "features are too large"
        raise ValueError(f"{what}: squared distances between features must be finite numbers")
    cover = _Cover(points, mean, to_mean)
    order, found = [int(to_mean.argmin())], [int(to_mean.argmin())]
    silent = None if len(points) * budget >= LONG else True  # None: shown on a terminal only
    with (
        torch.autocast(points.device.type, enabled=False),
        tqdm(total=budget, initial=1, desc="k-centre", disable=silent) as bar,
    ):
        while len(order) < budget:
            cover.add(found)
            found = cover.farthest()[: budget - len(order)]
            order += found
            bar.update(len(found))
    return np.array(order)


class _Cover:
    """For each point its nearest centre and an upper bound on the squared distance to it.

    Centres have the bound -inf.
    """

    def __init__(self, points: Tensor, mean: Tensor, to_mean: Tensor):
        precise = torch.get_float32_matmul_precision() == "highest"
        single = points.dtype.itemsize <= 4 and precise
        self.dtype = torch.float32 if single else torch.float64
        self.points = points
        self.mean = mean.to(self.dtype)
        # |x - c|² = |x|² + |c|² - 2xc, relative to the mean. The norms are inflated by a bound on
        # the rounding errors of this form, so that it never gives too little.
        self.slack = torch.finfo(self.dtype).eps * (points.shape[1] + 16)
        rounding = (self.mean.double() - mean).norm()
        self.norms = (to_mean.sqrt() + rounding).square() * (1 + self.slack)
        self.bounds = torch.full_like(self.norms, torch.inf)
        self.nearest = torch.zeros(len(points), dtype=torch.int64, device=points.device)

    def add(self, centres: list[int]) -> None:
        """Lower the bounds by the distances to new centres."""
        index = torch.tensor(centres, device=self.points.device)
        places = self.points[index].to(self.dtype) - self.mean
        norms = self.norms[index].to(self.dtype)[:, None]
        size = ROWS if self.points.device.type == "cpu" else GPU_ROWS
        for start in range(0, len(self.points), size):
            part = slice(start, start + size)
            rows = self.points[part].to(self.dtype) - self.mean
            form = torch.addmm(norms, places, rows.T, alpha=-2)
            doubtful = self._lower(part, index, form, norms)
            for i in doubtful.any(1).nonzero()[:, 0]:
                self._offer(start + doubtful[i].nonzero()[:, 0], index[i])
        self.bounds[index] = -torch.inf

    def _lower(self, part: slice, index: Tensor, form: Tensor, norms: Tensor) -> Tensor:
        """Lower the bounds of a block; return which pairs of centre and point are too close."""
        far, bounds, nearest = self.norms[part], self.bounds[part], self.nearest[part]
        least, which = form.min(0)
        least = (least + far).clamp_(min=0)
        limit = torch.minimum(least, bounds)
        error = 2 * self.slack  # of a bound, in units of the two norms
        near = form.sub_(error * norms) <= limit - (1 - error) * far
        old = bounds - error * (far + self.norms[nearest]) <= limit
        doubt = near.sum(0) + old > 1
        self._measure(part.start + (doubt & old).nonzero()[:, 0])
        closer = (least < bounds) & ~(doubt & old)
        torch.where(closer, least, bounds, out=bounds)
        torch.where(closer, index[which], nearest, out=nearest)
        self._measure(part.start + (doubt & ~old).nonzero()[:, 0])
        return near & doubt

    def farthest(self) -> list[int]:
        """Return the next centres, one at least; ties go to the lowest index."""
        top = self.bounds.topk(min(CANDIDATES, len(self.points))).indices
        self._measure(top)
        self._measure((self.bounds >= self.bounds[top].max()).nonzero()[:, 0])
        most = self.bounds.max()
        ties = (self.bounds == most).nonzero()[:CANDIDATES, 0]
        if most == 0:  # only copies of the centres remain
            return (self.bounds == 0).nonzero()[:, 0].tolist()
        top = torch.cat([top, ties]).unique()
        exact = self.bounds[top]
        self.bounds[top] = -torch.inf
        other = self.bounds.argmax()
        limit, before = self.bounds[other].item(), int((top < other).sum())
        self.bounds[top] = exact
        found = _greedy(self.points[top].double().cpu(), exact.cpu(), limit, before)
        return top[torch.tensor(found, device=top.device)].tolist()

    def _measure(self, index: Tensor) -> None:
        """Replace bounds by the distances to the nearest centre, without cancellation."""
        index = index[self.bounds[index] >= 0]
        for some in index.split(ROWS):
            self.bounds[some] = self._distances(some, self.nearest[some])

    def _offer(self, index: Tensor, centre: Tensor) -> None:
        """Make a centre the nearest of those points that are closer to it than to theirs."""
        for some in index.split(ROWS):
            distances = self._distances(some, centre)
            closer = distances < self.bounds[some]
            self.bounds[some[closer]] = distances[closer]
            self.nearest[some[closer]] = centre

    def _distances(self, index: Tensor, centres: Tensor) -> Tensor:
        gaps = self.points[index].double() - self.points[centres].double()
        return gaps.square_().sum(1)


def _greedy(points: Tensor, distances: Tensor, limit: float, before: int) -> list[int]:
    """Farthest-first among a few points, while they are farther than all others.

    The others reach `limit`; of those that reach it too, only the first `before` come first.
    """
    found: list[int] = []
    last = int(distances.argmax())
    while distances[last] > limit or (distances[last] == limit > 0 and last < before):
        found.append(last)
        distances = torch.minimum(distances, (points - points[last]).square_().sum(1))
        distances[last] = -torch.inf
        last = int(distances.argmax())
    return found
