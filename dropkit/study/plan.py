"""A study in a file: which trials in which order, so that it can stop anywhere and go on later.

A plan is a TOML file::

    dataset = "cifar10"
    model = "mini"
    densities = [0.5, 0.3]
    seeds = 5

    [[stage]]
    protocols = ["full", "random", "random+drop"]

Each stage may have densities of its own, and `smoothing`, `rule` and `imbalance` as in
``study.grid``; ``[recipe]`` changes fields of the model's recipe, and ``[query]``, of the plan or
of a stage, those of the short queries' recipe. One seed of every stage comes
before the next seed, or with ``order = "stages"`` all seeds of a stage before the next stage, as a
GPU likes that trains several networks side by side.
"""

import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_type_hints

from tqdm import tqdm

from dropkit import datasets, models
from dropkit.store.folder import Store
from dropkit.study import estimate, queries, query_models, runner
from dropkit.study.preparation import Prepared
from dropkit.study.queries import Network
from dropkit.study.trials import Trial, grid
from dropkit.training import recipes
from dropkit.training.recipes import Recipe

FOLDER = Path(__file__).parent / "plans"
MARGIN = 1.15  # how much longer than estimated a network may take

_PLAN = {"dataset": str, "model": str, "densities": list, "seeds": int, "stage": list}
_OPTIONAL = {"recipe": dict, "query": dict, "order": str}
_ORDERS = ("seeds", "stages")
_RECIPE = {**get_type_hints(Recipe), "drops": list}
_STAGE = {
    "densities": list,
    "smoothing": float,
    "rule": str,
    "imbalance": float,
    "val_share": float,
    "initialisations": int,
    "query": dict,
}


@dataclass(frozen=True)
class Plan:
    """What ``read`` found: each stage is the arguments of ``study.grid`` less the seed."""

    dataset: str
    model: str
    recipe: Recipe
    seeds: int
    stages: tuple[dict, ...]
    order: str = "seeds"

    def steps(self, seeds: Iterable[int] | None = None) -> list[list[Trial]]:
        """The trials of one stage, at one seed or at all, in the order in which they run."""
        wanted = list(range(self.seeds) if seeds is None else seeds)
        common = {"dataset": self.dataset, "model": self.model, "recipe": self.recipe}
        at_once = [wanted] if self.order == "stages" else [[seed] for seed in wanted]
        return [grid(**common, **stage, seeds=some) for some in at_once for stage in self.stages]


def names() -> list[str]:
    """The plans that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def read(name: str | Path) -> Plan:
    """Read a plan from a file, or one of ``names()``; ValueError for what is no sound plan."""
    file = FOLDER / f"{name}.toml" if str(name) in names() else Path(name)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(names())
        raise ValueError(f"no plan {name} ({error.strerror}); dropkit has {known}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no TOML file: {error}") from error
    try:
        plan = _plan(content)
        plan.steps([0])  # finds what is wrong in a stage
    except (ValueError, TypeError) as error:
        raise ValueError(f"plan {file}: {error}") from error
    return plan


def _plan(content: dict) -> Plan:
    _check(content, _PLAN, _OPTIONAL, "a plan")
    dataset, model, seeds = content["dataset"], content["model"], content["seeds"]
    named = (("data set", dataset, datasets.names()), ("model", model, models.names()))
    for kind, name, known in named:
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}; known are {', '.join(known)}")
    if seeds < 1:
        raise ValueError(f"seeds says how many and must be at least 1, got {seeds}")
    if (order := content.get("order", "seeds")) not in _ORDERS:
        raise ValueError(f"order must be one of {', '.join(_ORDERS)}, got {order!r}")
    recipe = _changed(recipes.defaults(dataset, model)[1], content, "recipe")
    common = {"densities": content["densities"], "query": content.get("query", {})}
    stages = []
    for stage in content["stage"]:
        _check(stage, {"protocols": list}, _STAGE, "a stage")
        stage = common | stage
        stages.append(stage | {"query": _changed(queries.short_recipe(recipe), stage, "query")})
    return Plan(dataset, model, recipe, seeds, tuple(stages), order)


def _changed(recipe: Recipe, table: dict, name: str) -> Recipe:
    changes = table.get(name, {})
    _check(changes, {}, _RECIPE, f"a {name}")
    return replace(recipe, **changes)


def _check(table: dict, needed: dict, optional: dict, what: str) -> None:
    known = needed | optional
    for name in needed:
        if name not in table:
            raise ValueError(f"{what} needs {name}")
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"{what} has no {name!r}; it has {', '.join(known)}")
        kind = known[name]
        if type(value) not in ((int, float) if kind is float else (kind,)):
            raise ValueError(f"{name} must be a {kind.__name__}, got {value!r}")


def run(
    plan: Plan,
    *,
    store: Store,
    executor: str = "local",
    device: str = "cpu",
    seeds: Sequence[int] | None = None,
    minutes: float | None = None,
    retry: bool = False,
) -> tuple[int, int]:
    """Run what the store lacks of a plan; return how many of its trials are done, and of how many.

    In `minutes`, which need the executor "local", no network is begun that those before it say
    would not be trained in time. Trials that failed before are tried again if `retry`. Raises
    ValueError and OSError as ``study.run`` does.
    """
    if minutes is not None and executor != "local":
        raise ValueError(f"a time limit needs executor 'local', got {executor!r}")
    steps = plan.steps(seeds)
    if executor != "local":
        steps = [sum(steps, [])]  # workers are started once, and share all there is to do
    todo = [runner.missing(step, store, retry=retry) for step in steps]
    trials = sum(todo, [])
    networks = query_models.lacking([query for t in trials for query in t.queries], store)
    images = estimate.images([*networks, *trials])
    with tqdm(total=images, unit="image", unit_scale=True) as bar:
        progress = _Progress(bar, minutes)
        for step in todo:
            if step and progress.may_start(step[:1]):  # else nothing is read or computed for it
                runner.run(
                    step, store=store, executor=executor, device=device, watch=progress, retry=retry
                )
    names = {trial.key for step in steps for trial in step}
    return len([name for name in names if name in store]), len(names)


class _Progress:
    """A ``Watch`` that shows how far a plan is, and says whether there is time for more."""

    def __init__(self, bar: tqdm, minutes: float | None):
        self.bar = bar
        self.end = None if minutes is None else time.monotonic() + 60 * minutes
        self.images, self.seconds, self.began = 0, 0.0, 0.0

    def may_start(self, job: Sequence[Trial | Prepared | Network]) -> bool:
        self.began = time.monotonic()
        if self.end is None:
            return True
        per_image = MARGIN * self.seconds / self.images if self.images else 0.0
        networks = [each.trial if isinstance(each, Prepared) else each for each in job]
        return self.began + per_image * estimate.images(networks) < self.end

    def finished(self, networks: Sequence[Trial | Network]) -> None:
        images = estimate.images(networks)
        self.images += images
        self.seconds += time.monotonic() - self.began
        self.bar.update(images)
