"""What chapters that train networks begin with."""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from dropkit import study
from dropkit.notebook.larger_scales import FOLDER
from dropkit.notebook.parameters import settings
from dropkit.store.folder import Store
from dropkit.study.trials import SCALES
from dropkit.training import recipes


def chapter(
    namespace: dict[str, Any], *, datasets: Mapping[str, str] | None = None
) -> SimpleNamespace:
    """Return the parameters of a chapter with its store, and what trains by them.

    It is what `settings` returns; `dataset` and `model` are those of the scale where none is named,
    and `store` also has the published records. `grid` is ``study.grid`` on that data set, at the
    chapter's densities and seeds unless others are given; `run` is ``study.run`` with the store.
    `recipe` is the data set's and model's, `words` say on what the chapter was made.

    Parameters
    ----------
    namespace : dict
        The notebook's ``globals()``.
    datasets : mapping of str to str, optional
        The data set of each scale, where it is not that of most chapters.
    """
    page = settings(namespace, scales=datasets or SCALES)
    given = vars(page)
    named = page.dataset or (datasets or {}).get(page.scale, "")
    page.dataset, page.model = study.chosen(page.scale, named, given.get("model", ""))
    page.recipe = recipes.defaults(page.dataset, page.model)[1]
    page.store = Store(page.store, also=[FOLDER])
    common = {"model": page.model, "densities": page.densities, "seeds": page.seeds}
    page.grid = partial(study.grid, page.dataset, **common)
    how = {name: given[name] for name in ("executor", "device") if name in given}
    page.words = f"{page.scale} scale, {page.dataset}, {page.seeds} seeds"
    page.run = partial(study.run, store=page.store, **how)
    return page
