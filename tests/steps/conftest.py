"""The real prostate locus after the first steps."""

import pytest

from fineprior.project.settings import LdSettings
from fineprior.steps.compute_ld import compute_ld
from steps.prostate import PROSTATE, find_prostate, harmonise_prostate


@pytest.fixture(scope="session")
def prostate(tmp_path_factory):
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
