import pytest

from fineprior.files.errors import InputError
from fineprior.plan.results import EXPORTS
from fineprior.steps.export_results import export
from small_study import write_results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("export"), "mine")


def files_for(results, form):
    every = {"variants": str(results / "functional/variants.tsv.gz"), "loci": str(results / "loci.tsv"),
             "credible_sets": str(results / "functional/credible_sets.tsv"),
             "sumstats": str(results / "sumstats.parquet"),
             "fits": [str(results / "finemap/functional/0.fits.npz")]}  # fmt: skip
    return {name: every[name] for name in EXPORTS[form]}


NAMES = {
    "bed": {"credible_sets.bed"},
    "flames": {"indexfile.txt", "loci.txt"},
    "open_targets": {"study_locus.parquet"},
    "polyfun": {"finemapped.tsv.gz"},
    "ssf": {"mine.tsv.gz", "mine.tsv.gz-meta.yaml"},
}


@pytest.mark.slow
@pytest.mark.parametrize("form", EXPORTS)
def test_each_form_needs_only_its_files_and_gives_the_same_bytes_again(results, form, tmp_path):
    for _ in range(2):
        export(form=form, study="mine", output=str(tmp_path / form), build="GRCh38", **files_for(results, form))
        written = {path.name: path.read_bytes() for path in (tmp_path / form).iterdir()}
        (tmp_path / form / "left_over").write_text("of an older run")
    assert NAMES[form] <= set(written)
    assert "left_over" not in written
    export(form=form, study="mine", output=str(tmp_path / "two"), build="GRCh38", **files_for(results, form))
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == written


@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        ("vcf", {}, "export: 'vcf' is not known; allowed: bed, flames, open_targets, polyfun, ssf"),
        ("polyfun", {"sumstats": ""}, "export: polyfun needs sumstats"),
        ("bed", {"variants": "none.tsv.gz"}, "none.tsv.gz: no such file"),
    ],
)
def test_mistakes(results, form, change, message, tmp_path):
    files = files_for(results, form) if form in EXPORTS else {}
    with pytest.raises(InputError, match=message):
        export(form=form, study="mine", output=str(tmp_path / "x"), **(files | change))
    assert not list(tmp_path.iterdir())
