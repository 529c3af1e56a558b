"""Studies that tests of several steps share."""

import pytest

from fineprior.project.settings import LdSettings
from fineprior.steps.compute_ld import compute_ld
from scored_study import fitted_prior, study
from steps.prostate import PROSTATE, find_prostate, harmonise_prostate


@pytest.fixture(scope="session")
def prostate(tmp_path_factory):
    """The real prostate locus after the first steps."""
    if not PROSTATE.is_dir():
        pytest.skip("acceptance data are not here")
    folder = harmonise_prostate(tmp_path_factory.mktemp("prostate"))
    find_prostate(folder)
    for batch in range(2):
        compute_ld(
            variants=str(folder / f"{batch}.tsv.gz"), panel=str(PROSTATE / "panel"), settings=LdSettings(),
            output=str(folder / f"{batch}.npz"),
        )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A study with scores that tell causal variants, and the tables of its prior."""
    folder = tmp_path_factory.mktemp("prior")
    return fitted_prior(study(folder / "study"), folder)
