"""From annotations, a panel and summary statistics of a small genome to per-SNP heritabilities of loci."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import HERITABILITY, HERITABILITY_COEFFICIENTS, LOCUS_VARIANTS, SUMSTATS
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.priors.heritability_study import HeritabilityFiles
from fineprior.simulate.population import write_panel
from fineprior.steps.annotate_variants import annotate_variants
from fineprior.steps.fit_heritability import compute_ld_scores, fit_heritability

pytestmark = pytest.mark.slow
CHROMOSOMES = ["1", "2", "3", "4"]
SIZE, PEOPLE, N = 3000, 500, 200_000.0
BACKGROUND, TIMES = 3e-6, 10


def genotypes(rng):
    """Copies (PEOPLE, SIZE) of A1, of little or much LD in turn."""
    copies = rng.binomial(2, 0.4, (PEOPLE, SIZE))
    linked = np.repeat(rng.choice([0.0, 0.8, 0.95], SIZE // 30), 30)
    for column in range(1, SIZE):
        same = rng.random(PEOPLE) < linked[column]
        copies[same, column] = copies[same, column - 1]
    return copies.astype(np.int8)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Panel, annotations (one tenth of the variants has ten times the heritability), and chi2 that they make."""
    folder = tmp_path_factory.mktemp("heritability")
    rng = np.random.default_rng(5)
    bim, copies, sumstats = [], [], []
    for chrom in CHROMOSOMES:
        pos = 1000 * (1 + np.arange(SIZE))
        own = genotypes(rng)
        planted = (rng.random(SIZE) < 0.1).astype(float)
        bim.append(pd.DataFrame({"chrom": chrom, "pos": pos, "snp_id": [f"rs{chrom}_{p}" for p in pos], "a1": "A",
                                 "a2": "G"}))  # fmt: skip
        copies.append(own)
        table = pd.DataFrame({"CHR": int(chrom), "SNP": bim[-1]["snp_id"], "BP": pos, "A1": "G", "A2": "A"})
        table = table.assign(base=1.0, planted=planted, noise=(rng.random(SIZE) < 0.3).astype(float), nothing=0.0)
        table.to_parquet(folder / f"x.{chrom}.annot.parquet")
        scaled = (own - own.mean(0)) / own.std(0)
        R = scaled.T @ scaled / PEOPLE
        R[np.abs(pos[:, None] - pos) > 30_000] = 0
        effect = rng.standard_normal(SIZE) * np.sqrt(BACKGROUND * (1 + (TIMES - 1) * planted))
        z = np.sqrt(N) * R @ effect + rng.standard_normal(SIZE)
        sumstats.append(pd.DataFrame({"chrom": f"chr{chrom}", "pos": pos, "rsid": bim[-1]["snp_id"], "z": z}))
    write_panel(folder / "panel", pd.concat(bim, ignore_index=True), copies)
    frame = pd.concat(sumstats, ignore_index=True).assign(ref="A", alt="G", n=N, beta=0.0, se=1.0, neg_log10_p=1.0,
                                                          eaf=0.4, panel_af=0.4, action="kept")  # fmt: skip
    frame["panel_index"] = np.arange(len(frame))
    frame["variant_id"] = frame["chrom"] + ":" + frame["pos"].astype(str) + ":A:G"
    write_study(folder, frame)
    for chrom in CHROMOSOMES:
        compute_ld_scores(
            annotations=str(folder / "x.{chrom}.annot.parquet"), chrom=chrom, panel=str(folder / "panel"),
            output=str(folder / f"{chrom}.l2.ldscore.parquet"), sizes=str(folder / f"{chrom}.l2.M"),
        )  # fmt: skip
    return folder, frame


def write_study(folder, frame):
    SUMSTATS.write(frame, folder / "sumstats.parquet")
    LOCUS_VARIANTS.write(frame[::5].assign(locus="locus")[LOCUS_VARIANTS.names], folder / "variants.tsv.gz")


def files_of(folder, **change):
    pattern = str(folder / "x.{chrom}.annot.parquet")
    scores = str(folder / "{chrom}.l2.ldscore.parquet")
    return replace(HeritabilityFiles(str(folder / "sumstats.parquet"), pattern, scores, panel=str(folder / "panel")),
                   **change)  # fmt: skip


def fitted(folder, files=None, **change):
    outputs = {"coefficients": str(folder / "coefficients.tsv"), "output": str(folder / "heritability.parquet")}
    given = {"bins": 20, "max_ratio": 100.0} | change
    files = files or files_of(folder)
    fit_heritability(**vars(files), variants=[str(folder / "variants.tsv.gz")], **outputs, **given)
    return HERITABILITY.read(outputs["output"]), HERITABILITY_COEFFICIENTS.read(outputs["coefficients"])


def test_ld_scores_of_a_chromosome(genome):
    folder, _ = genome
    table = pd.read_parquet(folder / "2.l2.ldscore.parquet")
    annotation = pd.read_parquet(folder / "x.2.annot.parquet")
    panel = PlinkPanel(folder / "panel")
    rows = np.arange(SIZE, SIZE + 1500)
    x = panel.dosages(rows)
    r2 = np.corrcoef(x.T) ** 2
    r2 -= (1 - r2) / (PEOPLE - 2)
    r2[np.abs(np.arange(1500)[:, None] - np.arange(1500)) > 1000] = 0  # a megabase
    expected = r2[:500] @ annotation["planted"].to_numpy()[:1500]
    np.testing.assert_allclose(table["planted"][:500], expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(table["base"], table["L2"])
    sizes = np.loadtxt(folder / "2.l2.M")
    np.testing.assert_allclose(sizes, [SIZE, *annotation[["planted", "noise", "nothing"]].sum(), SIZE], rtol=1e-6)


def test_a_planted_annotation_is_found(genome, caplog):
    folder, frame = genome
    with caplog.at_level("INFO"):
        found, table = fitted(folder)
    assert "1 annotations are dropped, for their LD scores do not vary: nothing" in caplog.text
    assert "of 12,000 rows, 12,000 matched" in caplog.text
    rows = table[(table["step"] == "penalised") & (table["annotation"] == "planted")]
    assert set(rows["left_out"]) == set(CHROMOSOMES)
    np.testing.assert_allclose(rows["enrichment"], TIMES / (1 + (TIMES - 1) * 0.1), rtol=0.35)
    np.testing.assert_allclose(rows["share"] / rows["enrichment"], 0.1, rtol=0.05)
    planted = np.concatenate([pd.read_parquet(folder / f"x.{c}.annot.parquet")["planted"] for c in CHROMOSOMES])[::5]
    mean = found.groupby(planted > 0)["heritability"].mean()
    assert 5 < mean[True] / mean[False] < 20
    assert found["variant_id"].tolist() == frame["variant_id"][::5].tolist()
    assert (found.groupby("chrom")["heritability"].agg(lambda one: one.max() / one.min()) <= 100 * (1 + 1e-9)).all()
    assert found["bin"].max() <= 20


@pytest.mark.parametrize("bins", [0, 10])
def test_a_chromosome_s_own_chi2_are_not_in_its_prior(genome, tmp_path, bins):
    folder, frame = genome
    before, _ = fitted(folder, bins=bins)
    rng = np.random.default_rng(1)
    here = np.flatnonzero(frame["chrom"] == "chr3")
    moved = frame.copy()
    moved.loc[here, "z"] = rng.permutation(frame["z"].to_numpy()[here])
    write_study(tmp_path, moved)
    after, _ = fitted(tmp_path, files_of(folder, sumstats=str(tmp_path / "sumstats.parquet")), bins=bins)
    own = before["chrom"] == "chr3"
    # with bins, the half's weights know the mean of chi2, which is summed in another order
    np.testing.assert_allclose(after.loc[own, "heritability"], before.loc[own, "heritability"], rtol=1e-6)
    assert not np.allclose(after.loc[~own, "heritability"], before.loc[~own, "heritability"], rtol=1e-2)


def test_alleles_in_the_other_order_and_missing_variants(genome, tmp_path, caplog):
    folder, frame = genome
    before, _ = fitted(folder)
    for chrom in CHROMOSOMES:
        table = pd.read_parquet(folder / f"x.{chrom}.annot.parquet").rename(columns={"A1": "A2", "A2": "A1"})
        table.to_parquet(tmp_path / f"x.{chrom}.annot.parquet")
    pattern = str(tmp_path / "x.{chrom}.annot.parquet")
    write_study(tmp_path, frame)
    after, _ = fitted(tmp_path, files_of(folder, annotations=pattern))
    pd.testing.assert_frame_equal(after, before)
    for chrom in CHROMOSOMES:
        table = pd.read_parquet(tmp_path / f"x.{chrom}.annot.parquet")
        table[table.index % 10 != 0].to_parquet(tmp_path / f"x.{chrom}.annot.parquet")
    fewer, _ = fitted(tmp_path, files_of(folder, annotations=pattern))
    gone = frame.index[::5] % 10 == 0
    assert fewer.loc[gone, "heritability"].isna().all()
    assert fewer.loc[~gone, "heritability"].notna().all()


def test_without_a_panel_the_penalised_estimate_is_used(genome, caplog):
    folder, _ = genome
    found, table = fitted(folder, files_of(folder, panel=""))
    assert "there is no panel for LD scores of bins" in caplog.text
    assert set(table["step"]) == {"penalised"}
    assert found["bin"].isna().all()
    for _, rows in found.groupby("chrom"):
        free = rows[rows["heritability"] > rows["heritability"].min() * 1.001]
        assert free["heritability"].corr(free["penalised"]) == pytest.approx(1)
        assert (rows["heritability"] > 0).all()


def test_another_build_is_one_line(genome, tmp_path):
    folder, frame = genome
    write_study(tmp_path, frame.assign(pos=frame["pos"] + 317))
    with pytest.raises(InputError, match=r"0 of its rows are variants of .*another genome build"):
        fitted(tmp_path, files_of(folder, sumstats=str(tmp_path / "sumstats.parquet")))
    for chrom in CHROMOSOMES:
        table = pd.read_parquet(folder / f"x.{chrom}.annot.parquet")
        table.assign(BP=table["BP"] + 317).to_parquet(tmp_path / f"x.{chrom}.annot.parquet")
    with pytest.raises(InputError, match="another genome build"):
        compute_ld_scores(annotations=str(tmp_path / "x.{chrom}.annot.parquet"), chrom="1",
                          panel=str(folder / "panel"), output="", sizes="")  # fmt: skip


def test_ldsc_s_files_are_joined_by_rsid(genome, tmp_path):
    """LDSC's: no alleles, L2 added to the names, text, and weights of their own."""
    folder, frame = genome
    names = {"base": "baseL2", "planted": "plantedL2", "noise": "noiseL2", "nothing": "nothingL2"}
    for chrom in CHROMOSOMES:
        table = pd.read_parquet(folder / f"{chrom}.l2.ldscore.parquet").drop(columns=["A1", "A2"])
        table[["CHR", "SNP", "BP", "L2"]].to_csv(tmp_path / f"w.{chrom}.l2.ldscore.gz", sep="\t", index=False)
        table.drop(columns="L2").rename(columns=names).to_csv(
            tmp_path / f"s.{chrom}.l2.ldscore.gz", sep="\t", index=False
        )
        annotation = pd.read_parquet(folder / f"x.{chrom}.annot.parquet").drop(columns=["A1", "A2"])
        annotation.assign(CM=0.0).to_csv(tmp_path / f"x.{chrom}.annot.gz", sep="\t", index=False)
    before, _ = fitted(folder, bins=0)
    write_study(tmp_path, frame)
    files = files_of(folder, annotations=str(tmp_path / "x.{chrom}.annot.gz"),
                     ld_scores=str(tmp_path / "s.{chrom}.l2.ldscore.gz"),
                     weights=str(tmp_path / "w.{chrom}.l2.ldscore.gz"))  # fmt: skip
    after, _ = fitted(tmp_path, files, bins=0)
    np.testing.assert_allclose(after["heritability"], before["heritability"], rtol=1e-3)
    with pytest.raises(InputError, match="no LD scores of annotation base"):
        fitted(tmp_path, replace(files, ld_scores=files.weights))


def test_a_batch_is_annotated_with_heritabilities(genome, tmp_path):
    folder, _ = genome
    found, _ = fitted(folder)
    output = tmp_path / "annotations.tsv.gz"
    source = {"source": "heritability"}
    annotate_variants(variants=str(folder / "variants.tsv.gz"), output=str(output), rows=[], source=source,
                      heritability=str(folder / "heritability.parquet"))  # fmt: skip
    table = pd.read_csv(output, sep="\t")
    np.testing.assert_allclose(table["heritability"], found["heritability"], rtol=1e-5)
    with pytest.raises(InputError, match="needs a table of heritabilities"):
        annotate_variants(variants=str(folder / "variants.tsv.gz"), output=str(output), rows=[], source=source)
