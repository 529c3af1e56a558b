"""Studies that tests of several steps share."""

import pytest

from scored_study import fitted_prior, study


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A study with scores that tell causal variants, and the tables of its prior."""
    folder = tmp_path_factory.mktemp("prior")
    return fitted_prior(study(folder / "study"), folder)
