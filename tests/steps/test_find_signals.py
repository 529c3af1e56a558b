"""SuSiE under the uniform prior, on the LD that there is."""

import numpy as np
import pandas as pd

from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.project.settings import FinemapSettings
from fineprior.steps.find_signals import fit_signals


def test_signals_are_fitted_on_the_ld_that_there_is(tmp_path):
    """A variant that was trimmed is not in the fit; a locus without LD is one effect on all its variants."""
    rng = np.random.default_rng(2)
    names = [f"1:{p}:A:C" for p in range(12)]
    R = np.eye(12, dtype=np.float32)
    path = str(tmp_path / "ld.npz")
    write_ld(path, [LocusLd("a", R[:11, :11], np.array(names[:11]), {names[11]: "trimmed"}),
                    LocusLd("b", R[:0, :0], np.array([], dtype=str), dict.fromkeys(names, "no_ld"))])  # fmt: skip
    rows = pd.DataFrame({"variant_id": names, "z": rng.normal(size=12), "n": 5000.0})
    rows.loc[4, "z"] = 9.0
    settings = FinemapSettings(ld="in_sample")
    assert list(fit_signals(path, "a", rows, None, settings).variant_ids) == names[:11]
    without = fit_signals(path, "b", rows, None, settings)
    assert list(without.variant_ids) == names
    assert without.status == "single_effect"
