import pytest

from fineprior.sumstats import outcomes
from fineprior.sumstats.outcomes import ACTIONS, REASONS, REMARKS, number_of, reason_names


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_has_one_number_and_back(reason):
    assert reason_names()[number_of(reason)] == reason
    assert number_of(reason) > 0


def test_no_reason_is_0():
    assert (reason_names()[0], number_of("")) == ("", 0)
    assert len(reason_names()) == len(REASONS) + 1 < 256  # they are kept in one byte


def test_names_are_of_one_table_only():
    assert not set(ACTIONS) & set(REASONS)
    assert not set(REMARKS) & (set(ACTIONS) | set(REASONS))
    assert outcomes.DUPLICATE in REASONS
