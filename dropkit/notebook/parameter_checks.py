"""What the values of the notebooks' parameters must be, whichever notebook takes them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dropkit import pruning
from dropkit._common import fields
from dropkit._common.checks import check_choice
from dropkit._common.errors import UserError
from dropkit._common.fields import AMOUNT, FACTOR, PART, SEED, SHARE, Kind, many, number, whole
from dropkit.scores.registry import SCORES


class ParameterError(UserError):
    """A notebook parameter that is unknown, of the wrong type or out of range."""


def check(name: str, value: Any) -> None:
    """Raise ParameterError, in one sentence, for a value that no notebook can use.

    The value has the type of the parameter's default; a name without a rule takes any.
    """
    with as_parameter_error():
        if name in _RANGES:
            fields.check(value, _RANGES[name], name)
        elif name in _CHECKS:
            _CHECKS[name](value)


@contextmanager
def as_parameter_error() -> Iterator[None]:
    """Raise what is wrong with a value as ParameterError."""
    try:
        yield
    except ValueError as error:
        raise ParameterError(str(error)) from None


# At density 1 every protocol is the full data, which the chapters show in any case.
_DENSITY = number(
    "above 0 and below 1, for the full data are shown anyway", lambda value: 0 < value < 1
)
_POSITION = number("from -1,000 to 1,000", lambda value: abs(value) <= 1000)
_WIDTH = number("from 0.001 to 1,000", lambda value: 0.001 <= value <= 1000)

# What each number, or each of a list, must be.
_RANGES: dict[str, Kind] = {
    **dict.fromkeys(("density", "phi0"), _DENSITY),
    "densities": many(_DENSITY),
    "val_shares": many(SHARE),
    "wrong_labels": PART,
    "val_noises": many(PART),
    "imbalances": many(FACTOR),
    "query_epochs": many(whole(1)),
    "per_class": many(whole(1)),
    "smoothing": AMOUNT,
    "smoothings": many(AMOUNT),
    "seed": SEED,
    **dict.fromkeys(("seeds", "clean_seeds", "score_seeds", "strategy_seeds"), whole(1, 100_000)),
    "instances": whole(1),
    **dict.fromkeys(("points", "repetitions"), whole(2)),
    **dict.fromkeys(("mu0", "mu1"), _POSITION),
    **dict.fromkeys(("sigma0", "sigma1"), _WIDTH),
}


def _check_executor(executor: str) -> None:
    from dropkit import study

    check_choice(executor, "executor", study.EXECUTORS)


def _check_protocols(protocols: list[str]) -> None:
    fields.check(protocols, many(fields.TEXT), "protocols")
    for protocol in protocols:
        pruning.parse(protocol)


def _check_strategies(strategies: list[str]) -> None:
    if wrong := [strategy for strategy in strategies if strategy not in SCORES]:
        known = ", ".join(sorted(SCORES))
        raise ValueError(f"strategies is {', '.join(wrong)}: each must be one of {known}")


def _check_device(device: str) -> None:
    from dropkit.training import devices

    devices.check(device)


_CHECKS: dict[str, Callable[[Any], None]] = {
    "executor": _check_executor,
    "protocols": _check_protocols,
    "strategies": _check_strategies,
    "device": _check_device,
}
