"""What the values of the notebooks' parameters must be, whichever notebook takes them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dropkit import pruning
from dropkit._common.checks import check_choice
from dropkit._common.errors import UserError
from dropkit.scores.registry import SCORES


class ParameterError(UserError):
    """A notebook parameter that is unknown, of the wrong type or out of range."""


def check(name: str, value: Any) -> None:
    """Raise ParameterError, in one sentence, for a value that no notebook can use.

    The value has the type of the parameter's default; a name without a rule takes any.
    """
    if name in _RANGES:
        _check_range(name, value, *_RANGES[name])
    elif name in _CHECKS:
        with as_parameter_error():
            _CHECKS[name](value)


@contextmanager
def as_parameter_error() -> Iterator[None]:
    """Raise what is wrong with a value as ParameterError."""
    try:
        yield
    except ValueError as error:
        raise ParameterError(str(error)) from None


# At density 1 every protocol is the full data, which the chapters show in any case.
_DENSITY = "above 0 and below 1, for the full data are shown anyway", lambda value: 0 < value < 1
_ONE = "at least 1", lambda value: value >= 1
_COUNT = "a count of at least 1", lambda value: value >= 1
_TWO = "a count of at least 2", lambda value: value >= 2
_NOT_NEGATIVE = "finite and not below 0", lambda value: 0 <= value < float("inf")

# What each number, or each of a list that is not empty, must be, in words and as a test.
_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "densities": _DENSITY,
    "density": _DENSITY,
    "val_shares": ("above 0 and at most 1", lambda value: 0 < value <= 1),
    "val_noises": ("from 0 to 1", lambda value: 0 <= value <= 1),
    "imbalances": ("finite and at least 1", lambda value: 1 <= value < float("inf")),
    "query_epochs": _ONE,
    "per_class": _ONE,
    "smoothing": _NOT_NEGATIVE,
    "smoothings": _NOT_NEGATIVE,
    "seed": _NOT_NEGATIVE,
    "seeds": _COUNT,
    "clean_seeds": _COUNT,
    "score_seeds": _COUNT,
    "strategy_seeds": _COUNT,
    "instances": _COUNT,
    "points": _TWO,
    "repetitions": _TWO,
}


def _check_range(name: str, value: Any, words: str, fits: Callable[[float], bool]) -> None:
    values = value if isinstance(value, list) else [value]
    wrong = [one for one in values if not fits(one)]
    if not values:
        raise ParameterError(f"{name} is an empty list: it must be numbers {words}")
    if wrong:
        each = "each" if isinstance(value, list) else "it"
        raise ParameterError(f"{name} is {', '.join(map(str, wrong))}: {each} must be {words}")


def _check_executor(executor: str) -> None:
    from dropkit import study

    check_choice(executor, "executor", study.EXECUTORS)


def _check_protocols(protocols: list[str]) -> None:
    if not protocols:
        raise ValueError("protocols is an empty list: it must name at least one protocol")
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
