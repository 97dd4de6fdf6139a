"""Sentences of results that records must support, or the page is not made."""

from dropkit._common.errors import UserError
from dropkit.figures.tables import direction
from dropkit.metrics import Difference


class Unsupported(UserError):
    """A sentence that the records do not support, or no longer."""


def stated(sentence: str, **conditions: bool) -> str:
    """Return a sentence if all its conditions hold.

    Parameters
    ----------
    sentence : str
        As the page has it, numbers filled in.
    **conditions : bool
        By what they say, with underscores: they name what fails.

    Raises
    ------
    Unsupported
        Names the sentence and the conditions that do not hold.

    Examples
    --------
    >>> stated("Two is more than one.", two_is_more=2 > 1)
    'Two is more than one.'
    """
    if not conditions:
        raise ValueError(f"no condition is given for {sentence!r}: name what it must hold on")
    if failed := [name.replace("_", " ") for name, holds in conditions.items() if not holds]:
        raise Unsupported(
            f"the records do not support the sentence {sentence!r}: not so: {'; '.join(failed)}"
        )
    return sentence


def higher(*found: Difference) -> bool:
    """Return whether every interval lies above zero.

    Parameters
    ----------
    *found : Difference
        With intervals.
    """
    return all(direction(each) == "higher" for each in found)


def open_(*found: Difference) -> bool:
    """Return whether every interval contains zero.

    Parameters
    ----------
    *found : Difference
        With intervals.
    """
    return all(direction(each) == "not separated" for each in found)
