import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell():
    """An IPython shell that what is displayed goes to."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()
