"""How networks are trained: Table 1's recipes, and those of the small scales."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dropkit._common import fields
from dropkit._common.errors import UserError
from dropkit._common.fields import FLAG, PART, choice, many, number, whole
from dropkit.datasets import corrupted

# Part of every trial's key: raise it when a change alters what training returns.
ENGINE = 2


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; recorded whole with every trial (Table 1's columns and more).

    Parameters
    ----------
    epochs : int
        Of the full training set; at least 1.
    batch : int
        Samples a step; at least 2.
    lr, weight_decay, momentum : float
        Of SGD.
    drops : floats
        Fractions of the run after which the learning rate drops.
    drop_factor : float
        What a drop multiplies the learning rate by.
    budget : str
        How long a set pruned to density d is trained: "epochs" keeps Table 1's number of epochs E;
        "released" takes E (0.5 + 0.5 d) / d as the authors' released code does; "steps" takes
        E / d, the steps of full training.
    precision : str
        "float32", "float64", or "bfloat16" for products in bfloat16 with weights in float32; where
        the hardware is no faster with those, products in float32, and the record says so.
    loss : str
        "ce", cross-entropy, or "cdbw" (Sinha et al., 2022): class weights 1 − recall on the
        validation split, measured anew after every epoch, 1 in the first.
    select : str
        With which weights training ends: the "last", those of the epoch with the "best" worst class
        on the validation split, or the mean of the last quarter, "averaged"; the paper's is "last".
    augment : bool
        Shift images by up to 4 pixels and flip them (Appendix A).
    anneal : str
        "steps", the drops; or "triangle": from 0 up to `lr` over the first fifth of all steps, and
        down to 0 again (Smith and Topin, 2019), which a short training needs.
    label_smoothing : float
        Share of each label that goes to all classes alike (Szegedy et al., 2016).
    nesterov : bool
        Nesterov's momentum.

    Raises
    ------
    ValueError
        For a field of another type or range than ``FIELDS`` has, in one sentence that names it.
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    momentum: float = 0.9
    drops: tuple[float, ...] = (0.5, 0.75)
    drop_factor: float = 0.2
    budget: str = "epochs"
    precision: str = "float32"
    loss: str = "ce"
    select: str = "last"
    augment: bool = False
    anneal: str = "steps"
    label_smoothing: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        for name, kind in FIELDS.items():
            fields.check(getattr(self, name), kind, name)
        # 1 and 1.0 are one learning rate, and must be one key.
        for name in ("lr", "weight_decay", "momentum", "drop_factor", "label_smoothing"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "drops", tuple(map(float, self.drops)))

    def at_density(self, density: float) -> "Recipe":
        """Return the recipe with the epochs that its budget grants a set of this density."""
        return replace(self, epochs=round(self.epochs * BUDGETS[self.budget](density)))

    @property
    def validates(self) -> bool:
        """Whether training measures recalls on a validation split after every epoch."""
        return self.loss == "cdbw" or self.select == "best"

    def learning_rate(self, epoch: int, share: float = 0.0) -> float:
        """Return the learning rate of an epoch, counted from 0, when a share of it is done."""
        if self.anneal == "triangle":
            done = (epoch + share) / self.epochs
            return self.lr * min(done / RISE, (1 - done) / (1 - RISE))
        # Rounded, as 0.55 * 20 is 11.000000000000002 and the drop would come an epoch late.
        passed = sum(epoch >= round(drop * self.epochs, 9) for drop in self.drops)
        return self.lr * self.drop_factor**passed


def diverged(recipe: Recipe, epoch: int) -> str:
    """Say that a training is of no use, since the end of an epoch counted from 0."""
    return (
        f"its weights are not finite after epoch {epoch + 1} of {recipe.epochs}, at a learning "
        f"rate of {recipe.learning_rate(epoch, 0.5):g}"
    )


def as_recorded(trained: Any) -> dict:
    """Return the fields of a trial, query or recipe as records hold them and keys are hashed from.

    Fields that recipes and trials were given after the first records are left out where they are as
    before: the records keep their keys.
    """
    # Not by dataclasses.asdict, which copies every value: there are thousands of trials.
    values = {field.name: getattr(trained, field.name) for field in dataclasses.fields(trained)}
    return {
        name: as_recorded(value) if dataclasses.is_dataclass(value) else value
        for name, value in values.items()
        if LATER.get(name, _NEVER) != value
    }


_NEVER = object()
LATER = {"anneal": "steps", "label_smoothing": 0.0, "nesterov": False, "quota_query": None}

RISE = 0.2  # share of a triangle's steps
ANNEALS = ("steps", "triangle")
PRECISIONS = ("float32", "float64", "bfloat16")
LOSSES = ("ce", "cdbw")
SELECTS = ("last", "best", "averaged")

BUDGETS: dict[str, Callable[[float], float]] = {
    "epochs": lambda density: 1.0,
    "released": lambda density: (0.5 + 0.5 * density) / density,
    "steps": lambda density: 1.0 / density,
}

FIELDS = {
    "epochs": whole(1, 10**9),
    "batch": whole(2),
    "lr": number("above 0 and at most 1,000", lambda value: 0 < value <= 1000),
    "weight_decay": PART,
    "momentum": number("from 0 to below 1", lambda value: 0 <= value < 1),
    "drops": many(PART, least=0),
    "drop_factor": fields.SHARE,
    "budget": choice(BUDGETS),
    "precision": choice(PRECISIONS),
    "loss": choice(LOSSES),
    "select": choice(SELECTS),
    "augment": FLAG,
    "anneal": choice(ANNEALS),
    "label_smoothing": number("from 0 to below 1", lambda value: 0 <= value < 1),
    "nesterov": FLAG,
}

# float64 makes the digits' records the same on every machine: rounding that differs between
# processors stays too small to flip a prediction.
DIGITS = Recipe(epochs=60, batch=32, lr=0.1, weight_decay=5e-4, precision="float64")

# Many inputs: fewer epochs, in batches twice as large, keep the chapter to a minute.
PHOTOS = replace(DIGITS, epochs=25, batch=64)

# A linear head on vectors of mean squared length 1, hence the rate; its numbers, too, are those of
# every machine where the vectors are.
FEATURES = Recipe(epochs=40, batch=128, lr=1.0, weight_decay=1e-4, precision="float64")

# The same with more classes and samples, and the longer training of pruned sets of Table 1's CIFAR.
MANY = Recipe(
    epochs=20, batch=256, lr=10.0, weight_decay=1e-5, budget="released", precision="float32"
)

# Many classes of few samples, trained wherever the book is made.
TEXTS = replace(MANY, epochs=8, lr=30.0, precision="float64")

# A small network for two processor cores; six epochs in place of Table 1's 160.
MINI = Recipe(
    epochs=6, batch=128, lr=0.1, weight_decay=5e-4, budget="released",
    precision="bfloat16", augment=True,
)  # fmt: skip

# A network of paper-like accuracy that two processor cores train in less than an hour.
FAST = Recipe(
    epochs=20, batch=500, lr=0.8, weight_decay=5e-4, drops=(), budget="released",
    precision="bfloat16", augment=True, anneal="triangle", label_smoothing=0.1, nesterov=True,
)  # fmt: skip

# Table 1, with the longer training of pruned sets in the authors' released code.
CIFAR10 = replace(MINI, epochs=160, weight_decay=1e-4)
CIFAR100 = replace(CIFAR10, weight_decay=5e-4)
TINYIMAGENET = replace(CIFAR10, epochs=200, batch=256, lr=0.2)
IMAGENET = replace(CIFAR10, epochs=90, batch=512, lr=0.2, drops=(1 / 3, 2 / 3))
WATERBIRDS = replace(CIFAR10, epochs=300, lr=1e-4, drops=(), augment=False)

# A small pretrained network, which two processor cores tune in minutes an epoch.
TUNED = replace(WATERBIRDS, epochs=3, batch=32, lr=0.01, budget="epochs")

CORRUPTED = (corrupted.NAME, *(f"{corrupted.NAME}-{kind}" for kind in corrupted.KINDS))

# Of each data set, the recipe by model; the first model is the one that Table 1 names.
DEFAULTS: dict[str, dict[str, Recipe]] = {
    **{name: {"mlp": DIGITS} for name in ("digits", "digits-2x4", "digits-3rows")},
    "digits-on-photos": {"mlp": PHOTOS},
    "cifar10": {"vgg16": CIFAR10, "mini": MINI, "fast": FAST},
    "cifar100": {"vgg19": CIFAR100, "mini": MINI, "fast": FAST},
    "cifar100-coarse": {"vgg19": CIFAR100, "mini": MINI},
    "tinyimagenet": {"resnet18": TINYIMAGENET},
    "imagenet": {"resnet50": IMAGENET},
    "waterbirds": {"resnet50-imagenet": WATERBIRDS, "lite0-imagenet": TUNED},
    **{
        f"waterbirds{network}-features": {"linear": FEATURES}
        for network in ("", "-lite1", "-lite2", "-resnet50")
    },
    **{
        f"{name}{by}-features": {"linear": TEXTS}
        for name in ("clinc150", "clinc150-balanced", "banking77")
        for by in ("", "-tfidf")
    },
    **{
        f"{name}-features": {"linear": MANY}
        for name in ("cifar10", "cifar100", "tinyimagenet", "imagenet", *CORRUPTED)
    },
}


def defaults(dataset: str, model: str | None = None) -> tuple[str, Recipe]:
    """Return the model and the recipe that a data set is trained with unless others are named.

    Parameters
    ----------
    dataset : str
        A name in ``DEFAULTS``.
    model : str, optional
        One without a recipe there is trained by that of the data set's first model.

    Returns
    -------
    (str, Recipe)

    Raises
    ------
    ValueError
        For a data set without defaults.
    """
    if dataset not in DEFAULTS:
        known = ", ".join(sorted(DEFAULTS))
        raise UserError(f"no default model for data set {dataset!r}; there is one for {known}")
    first = next(iter(DEFAULTS[dataset]))
    model = model or first
    return model, DEFAULTS[dataset].get(model, DEFAULTS[dataset][first])
