import gzip
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.rds import susie_object, write_rds
from fineprior.finemap.regression import susie
from fineprior.finemap.single_signal import single_signal
from fineprior.finemap.susie import susie_rss
from fineprior.project.settings import FinemapSettings

IDS = ["1:10:A:C", "1:20:G:T", "1:30:C:T", "rs\u00b5"]
Z = np.array([9.0, 8.5, -7.0, 0.3])
R = np.eye(4)
R[0, 1] = R[1, 0] = 0.95
FITS = {
    "chr1_1_100": (susie_rss(Z, R, 5000, L=3), IDS),
    "chr1_200_300": (susie_rss(0 * Z, R, 5000, L=2), IDS),
    "chr2_1_100": (susie_rss(Z, R, 5000, L=2, null_weight=0.1), IDS),
    "chr3_1_100": (single_signal(np.array([9.0, 9.0, -7.0, 0.3]), 5000), IDS),
}


SEARCHED = fit_locus(IDS, Z, R, 5000, None, FinemapSettings(ld="in_sample"))
FITS["chr4_1_100"] = (SEARCHED.fit, IDS)


@pytest.fixture
def path(tmp_path):
    write_rds(tmp_path / "fits.rds", FITS)
    return tmp_path / "fits.rds"


def in_r(path, code, *packages):
    """What R prints for an expression of `fits`, or a skip where R or a package is missing."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("no Rscript")
    libraries = "".join(f"if (!suppressWarnings(requireNamespace('{name}', quietly = TRUE))) quit(status = 77);"
                        for name in packages)  # fmt: skip
    code = f"{libraries} fits <- readRDS('{path}'); {code}"
    done = subprocess.run([rscript, "--vanilla", "-e", code], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"no R package {packages}")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_same_fits_same_bytes(path, tmp_path):
    write_rds(tmp_path / "again.rds", dict(FITS))
    assert path.read_bytes() == (tmp_path / "again.rds").read_bytes()
    assert path.read_bytes()[3:8] == bytes(5)  # neither name nor time in the gzip header
    assert gzip.decompress(path.read_bytes()).startswith(b"X\n\0\0\0\2")


def test_names_must_fit(tmp_path):
    with pytest.raises(InputError, match="variant_ids: 3 names for 4 variants"):
        write_rds(tmp_path / "fits.rds", {"a": (FITS["chr1_1_100"][0], IDS[:3])})
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Missing constructor")
def test_a_reader_in_python_finds_every_value(path):
    rdata = pytest.importorskip("rdata")
    # Without class constructors objects of class "susie" stay dictionaries.
    read = rdata.conversion.convert(rdata.parser.parse_file(path), constructor_dict={})
    assert list(read) == list(FITS)
    for locus, (fit, _) in FITS.items():
        stored = read[locus]
        for name in ("alpha", "mu", "mu2", "lbf_variable"):
            np.testing.assert_array_equal(stored[name], getattr(fit, name))
        for name in ("KL", "lbf", "V", "pi", "z", "elbo"):
            np.testing.assert_array_equal(stored[name], getattr(fit, name))
        np.testing.assert_array_equal(stored["pip"], fit.pip)
        assert stored["null_index"][0] == (0 if fit.null_index is None else fit.null_index + 1)
        assert stored["sets"]["requested_coverage"][0] == fit.sets.requested_coverage
        assert list(stored["sets"]["cs"] or []) == [found.name for found in fit.sets.sets]
        for found in fit.sets.sets:
            assert stored["sets"]["cs"][found.name].tolist() == sorted(found.variables + 1)
        assert ("search" in stored) == (fit.search is not None)
    search, ours = read["chr4_1_100"]["search"], SEARCHED.fit.search
    np.testing.assert_array_equal(search["pip"], ours.pip)
    np.testing.assert_array_equal(search["numbers"], ours.numbers)
    assert (search["gap"][0], search["log_evidence"][0]) == (ours.gap, ours.log_evidence)
    for name, sets in (("sets", ours.sets), ("further_sets", ours.further)):
        assert {one.name: sorted(one.variables + 1) for one in sets.sets} == {
            key: rows.tolist() for key, rows in search[name]["cs"].items()}  # fmt: skip


@pytest.mark.slow
def test_base_r_reads_names_classes_and_types(path):
    printed = in_r(
        path,
        "fit <- fits[[1]];"
        "cat(names(fits), class(fit), colnames(fit$alpha)[2], names(fit$pip)[3], colnames(fits[[3]]$lbf_variable)[5],"
        "typeof(fit$sets$cs$L1), rownames(fit$sets$purity), colnames(fit$sets$purity)[1], is.na(fit$intercept),"
        "fit$converged, is.null(fits[[2]]$sets$cs), is.na(fits[[4]]$sets$purity$min.abs.corr), dim(fit$mu2))",
    )
    names = [found.name for found in FITS["chr1_1_100"][0].sets.sets]
    assert printed == [*FITS, "susie", IDS[1], IDS[2], "null", "integer", *names, "min.abs.corr", "TRUE",
                       "TRUE", "TRUE", "TRUE", "3", "4"]  # fmt: skip


@pytest.mark.slow
def test_base_r_reads_the_search(path):
    printed = in_r(
        path,
        "fit <- fits[['chr4_1_100']]; found <- fit$search;"
        "cat(is.null(fits[[1]]$search), class(fit), names(found), names(found$pip)[3], names(found$numbers)[2],"
        "found$agreed, length(found$sets$cs), found$sets$requested_coverage, found$further_sets$requested_coverage,"
        "isTRUE(all.equal(sum(found$numbers), 1)), sprintf('%.12g', found$pip[1]))",
    )
    assert printed == ["TRUE", "susie", "pip", "sets", "further_sets", "numbers", "gap", "agreed", "log_evidence",
                       IDS[2], "1", "TRUE", str(len(SEARCHED.fit.search.sets)), "0.95", "0.99", "TRUE",
                       f"{SEARCHED.fit.search.pip[0]:.12g}"]  # fmt: skip


@pytest.mark.slow
def test_susier_takes_them_for_its_own(path, tmp_path):
    matrix = tmp_path / "R.tsv"
    np.savetxt(matrix, R)

    printed = in_r(
        path,
        f"suppressMessages(library(susieR)); R <- unname(as.matrix(read.table('{matrix}')));"
        "for (fit in fits[c(1:3, 5)]) {"
        "  sets <- susie_get_cs(fit, Xcorr = R);"
        "  stopifnot(all.equal(unname(susie_get_pip(fit)), unname(fit$pip)), setequal(sets$cs, fit$sets$cs),"
        "            all.equal(sets$purity, fit$sets$purity), identical(sets$cs_index, fit$sets$cs_index));"
        f"  pdf('{tmp_path}/plot.pdf'); susie_plot(fit, 'PIP'); susie_plot(fit, 'z'); dev.off();"
        "  shown <- summary(fit); stopifnot(nrow(shown$vars) == 4, length(fit$sets$cs) == NROW(shown$cs));"
        "  stopifnot(all(is.finite(susie_get_lfsr(fit))), length(susie_get_posterior_mean(fit)) == ncol(fit$alpha)) };"
        "cat(susie_get_pip(fits[[1]])[3])",
        "susieR",
    )
    assert float(printed[-1]) == pytest.approx(FITS["chr1_1_100"][0].pip[2], abs=1e-6)
    assert (tmp_path / "plot.pdf").stat().st_size > 1000


def regression_fit(null_weight=0.0):
    rng = np.random.default_rng(4)
    X = rng.binomial(2, 0.3, (300, 4)).astype(float)
    y = 2.0 + X @ [0.8, 0, 0, -0.5] + rng.standard_normal(300)
    return susie(X, y, L=3, null_weight=null_weight)


def test_intercept_and_scales_of_a_fit_that_has_them():
    fit = regression_fit()
    scales = np.array([0.5, 2.0, 4.0, 1.0])
    stored = susie_object(replace(fit, intercept=1.25, X_column_scale_factors=scales), IDS).value
    assert stored["intercept"] == 1.25
    assert stored["X_column_scale_factors"].tolist() == scales.tolist()


def test_the_null_column_and_fits_of_z_scores_have_scale_one():
    fit = regression_fit(null_weight=0.1)
    scales = susie_object(fit, IDS).value["X_column_scale_factors"]
    assert scales.tolist() == [*fit.X_column_scale_factors, 1.0]
    of_z = susie_object(*FITS["chr2_1_100"]).value
    assert np.isnan(of_z["intercept"])
    assert of_z["X_column_scale_factors"].tolist() == [1.0] * 5


@pytest.mark.slow
@pytest.mark.parametrize("null_weight", [0.0, 0.1])
def test_coef_in_r_is_on_the_scale_of_x(tmp_path, null_weight):
    fit = regression_fit(null_weight)
    write_rds(tmp_path / "fits.rds", {"a": (fit, IDS)})
    code = "cat(sprintf('%.12g', susieR:::coef.susie(fits[[1]])))"
    printed = in_r(tmp_path / "fits.rds", code, "susieR")
    np.testing.assert_allclose(np.array(printed[:5], float), [fit.intercept, *fit.coefficients], rtol=1e-9)
