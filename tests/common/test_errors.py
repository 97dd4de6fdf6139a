"""One sentence for what is not installed, in Python and in a notebook."""

import pytest

from dropkit._common.errors import MissingExtra, UserError, needed_by


def missing(module: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {module!r}", name=module)


@pytest.mark.parametrize("module", ["sklearn", "sklearn.linear_model", "sklearn.utils._chunking"])
def test_the_package_and_its_extra_are_named(module):
    with pytest.raises(MissingExtra) as caught, needed_by("what is asked for"):
        raise missing(module)
    need = "what is asked for needs scikit-learn"
    sentence = f"{need}: pip install scikit-learn (or dropkit's extra sampler)"
    assert str(caught.value) == sentence
    assert isinstance(caught.value, ImportError) and caught.value.name == "sklearn"
    assert caught.value._render_traceback_() == [f"MissingExtra: {sentence}"]


def test_the_outermost_block_has_the_word():
    sentence = "^dropkit run needs torch: "
    with pytest.raises(MissingExtra, match=sentence), needed_by("dropkit run"), needed_by("a"):
        raise missing("torch")


def test_other_errors_pass():
    for error in (missing("numpy"), ModuleNotFoundError("halted"), ImportError("a name")):
        with pytest.raises(ImportError) as caught, needed_by("anything"):
            raise error
        assert caught.value is error
    with needed_by("what is installed"):
        import json  # noqa: F401


def test_users_see_what_they_can_mend_without_a_traceback():
    assert UserError("x is 1")._render_traceback_() == ["UserError: x is 1"]
