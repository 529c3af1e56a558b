import numpy as np
import pandas as pd
import pytest
import yaml

from fineprior.files.tables import ASSOCIATION
from fineprior.simulate.population import write_panel
from fineprior.steps.associate import associate
from fineprior.sumstats.reader import read_sumstats


@pytest.fixture
def study(tmp_path):
    """Two panels, one for each chromosome, with a disease of 1/2 and a list of people."""
    rng = np.random.default_rng(2)
    for chrom in ("1", "2"):
        bim = pd.DataFrame({"chrom": chrom, "pos": np.arange(1, 31) * 10, "snp_id": ".", "a1": "A", "a2": "G"})
        write_panel(tmp_path / f"g{chrom}", bim, [rng.binomial(2, 0.4, (60, 30)).astype(np.int8)])
    rows = [f"{i + 1}\t{1 + i % 2}\n" for i in range(50)]
    (tmp_path / "disease.txt").write_text("IID\tdisease\n" + "".join(rows))
    (tmp_path / "keep.txt").write_text("".join(f"{i + 1}\n" for i in range(0, 60, 3)))
    return tmp_path


def run(folder, samples=None):
    associate(
        genotypes=str(folder / "g{chrom}"), phenotype=str(folder / "disease.txt"), covariates=None, samples=samples,
        build="GRCh38", output=str(folder / "a.tsv.gz"), meta=str(folder / "a.tsv.gz-meta.yaml"),
        people=str(folder / "people.txt"),
    )  # fmt: skip
    return ASSOCIATION.read(folder / "a.tsv.gz")


def test_the_files_are_a_gwas_that_the_usual_path_reads(study):
    table = run(study)
    assert table["chromosome"].tolist() == ["1"] * 30 + ["2"] * 30
    assert (study / "people.txt").read_text().split() == [str(i + 1) for i in range(50)]
    meta = yaml.safe_load((study / "a.tsv.gz-meta.yaml").read_text())
    assert (meta["genome_assembly"], meta["sample_size"], meta["case_count"]) == ("GRCh38", 50, 25)
    read = read_sumstats(study / "a.tsv.gz")
    assert read["n"].unique() == [50]
    assert read["z"].to_numpy() == pytest.approx((table["beta"] / table["standard_error"]).to_numpy(), rel=1e-6)
    assert read["neg_log10_p"].to_numpy() == pytest.approx(table["neg_log_10_p_value"].to_numpy(), rel=1e-6)
    assert read["effect_allele"].tolist() == table["effect_allele"].tolist()


def test_a_list_of_people_is_kept_to_and_bytes_are_the_same_again(study):
    table = run(study, str(study / "keep.txt"))
    people = (study / "people.txt").read_text().split()
    assert people == [str(i + 1) for i in range(0, 50, 3)]
    assert table["n"].unique() == [len(people)]
    before = (study / "a.tsv.gz").read_bytes()
    run(study, str(study / "keep.txt"))
    assert (study / "a.tsv.gz").read_bytes() == before
