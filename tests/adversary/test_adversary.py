"""Each attack in a form that takes seconds."""

import pytest

from tests.adversary.attacks import ATTACKS


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_lost(name, tmp_path, capsys):
    outcome = ATTACKS[name](False, tmp_path)
    with capsys.disabled():
        print(f"\n{name}: {outcome} ", end="")
    assert outcome.tried > 100 and outcome.harm == []
