import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.files.whole import sha256
from fineprior.genome.fasta import Genome
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import EmbeddedSettings
from fineprior.sequence.motifs import occupancy, read_motifs
from fineprior.simulate.grammar import disease_activity, track_effects
from fineprior.steps.simulate_study import simulate_genome, simulate_study, simulate_tracks

pytestmark = pytest.mark.slow
MOTIFS = Path(__file__).parents[2] / "resources" / "backbone" / "motifs.meme"
SETTINGS = EmbeddedSettings(chromosome_length=120_000, panel_size=61, gwas_size=200, causal_loci=4)
TRACKS = ("disease1", "disease3", "general1", "general4")


def simulate(folder, seed=1, settings=SETTINGS):
    genome = folder / "genome.fa"
    simulate_genome(
        motifs=MOTIFS, fasta=genome, regions=folder / "regions.bed", settings=settings,
        context_length=2048, target_bins=12, seed=seed,
    )  # fmt: skip
    bigwigs = [str(folder / "tracks" / f"{track}.bw") for track in TRACKS]
    simulate_tracks(motifs=MOTIFS, fasta=genome, bigwigs=bigwigs, settings=settings, seed=seed)
    simulate_study(
        motifs=MOTIFS, fasta=genome, panel=folder / "panel", sumstats=folder / "gwas.tsv.gz",
        truth=folder / "truth.tsv", settings=settings, seed=seed,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def gwas(study):
    text = gzip.decompress((study / "gwas.tsv.gz").read_bytes()).decode()
    return pd.read_csv(io.StringIO(text), sep="\t", na_values="#NA", dtype={"chromosome": "str"})


def digests(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and ".digests" not in path.parts]
    return {str(path.relative_to(folder)): sha256(path) for path in files}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(study, tmp_path_factory):
    first = digests(study)
    assert len(first) == 3 + len(TRACKS) + 3 + 2 + 1
    assert digests(simulate(tmp_path_factory.mktemp("again"))) == first
    other = digests(simulate(tmp_path_factory.mktemp("other"), seed=2))
    same = {name for name in first if first[name] == other[name]}
    assert same == {"genome.fa.fai", "gwas.tsv.gz-meta.yaml", "panel.fam", "regions.bed"}


def test_regions_split_by_chromosome(study):
    regions = pd.read_csv(study / "regions.bed", sep="\t", names=["chrom", "start", "end", "split"])
    assert dict(zip(regions["chrom"], regions["split"], strict=True)) == {
        "chr1": "train", "chr2": "train", "chr3": "valid", "chr4": "test",
    }  # fmt: skip
    assert regions.groupby("chrom").size().between(70, 78).all()


def test_tracks_follow_the_grammar_with_noise(study):
    motifs = read_motifs(MOTIFS)
    with Genome(study / "genome.fa") as genome:
        activity = disease_activity(occupancy(genome.codes("chr3", 0, 120_000), motifs), motifs)
    for name, column in (("disease1", 0), ("disease3", 2)):
        handle = pyBigWig.open(str(study / "tracks" / f"{name}.bw"))
        assert handle.chroms() == dict.fromkeys(["chr1", "chr2", "chr3", "chr4"], 120_000)
        observed = np.array(handle.values("chr3", 0, 937 * 128, numpy=True)).reshape(937, 128)
        assert (observed == observed[:, :1]).all()
        assert 0.9 < np.corrcoef(observed[:, 0], activity[:937, column])[0, 1] < 1


def test_panel_and_gwas_agree_with_the_genome(study, gwas):
    panel = PlinkPanel(study / "panel")
    assert panel.samples == 61
    variants = panel.variants
    assert variants["chrom"].drop_duplicates().tolist() == ["1", "2", "3", "4"]
    frequency = panel.allele_frequencies()
    assert np.minimum(frequency, 1 - frequency).min() >= 0.005
    with Genome(study / "genome.fa") as genome:
        bases = ["ACGT"[genome.codes(row.chrom, row.pos - 1, row.pos)[0]] for row in variants.itertuples(index=False)]
    is_ref = variants["a1"] == bases
    assert (is_ref | (variants["a2"] == bases)).all()
    assert 0.4 < is_ref.mean() < 0.6
    assert frequency[is_ref].mean() > 0.6
    assert frequency[~is_ref].mean() < 0.4
    joined = variants.assign(frequency=np.where(is_ref, 1 - frequency, frequency)).merge(
        gwas, left_on="snp_id", right_on="rsid"
    )
    assert 0.8 * len(gwas) < len(joined)
    assert (joined["pos"] == joined["base_pair_location"]).all()
    assert np.corrcoef(joined["frequency"], joined["effect_allele_frequency"].fillna(joined["frequency"]))[0, 1] > 0.9


def test_gwas_rows_are_unique_sorted_and_mostly_plain(gwas):
    assert not gwas.duplicated(["chromosome", "base_pair_location"]).any()
    assert gwas.groupby("chromosome")["base_pair_location"].is_monotonic_increasing.all()
    frequency = gwas["effect_allele_frequency"].dropna()
    assert frequency.between(0.005, 0.995).all()
    z = gwas["beta"] / gwas["standard_error"]
    assert np.isfinite(z.dropna()).all()
    assert set(gwas["n"].dropna()) == {200}


def test_truth_is_the_causal_variants_with_their_true_track_effects(study, gwas):
    truth = tables.TRUTH.read(study / "truth.tsv")
    assert 4 <= len(truth) <= 12
    assert truth["chrom"].nunique() == 4
    assert (truth["effect"] != 0).all()
    assert (truth["track_effect"][truth["functional"]] > 0.3).all()
    motifs = read_motifs(MOTIFS)
    with Genome(study / "genome.fa") as genome:
        for row in truth.itertuples():
            codes = genome.codes(row.chrom, 0, 120_000)
            assert "ACGT"[codes[row.pos - 1]] == row.ref
            alternative = np.array(["ACGT".index(row.alt)], np.uint8)
            effect = track_effects(codes, np.array([row.pos - 1]), alternative, motifs)[0]
            assert effect == pytest.approx(row.track_effect, rel=1e-3, abs=1e-5)
    plain = gwas.assign(chrom="chr" + gwas["chromosome"]).merge(
        truth, left_on=["chrom", "base_pair_location"], right_on=["chrom", "pos"]
    )
    assert len(plain) == len(truth)
    assert (plain["effect_allele"] == plain["alt"]).all()
    assert np.corrcoef(plain["beta"], plain["effect"])[0, 1] > 0.5


def test_more_people_see_the_causal_variants(tmp_path):
    settings = EmbeddedSettings(chromosome_length=120_000, panel_size=61, gwas_size=4_000, causal_loci=4)
    simulate(tmp_path, settings=settings)
    truth = tables.TRUTH.read(tmp_path / "truth.tsv")
    gwas = pd.read_csv(tmp_path / "gwas.tsv.gz", sep="\t", na_values="#NA")
    lead = gwas.loc[gwas.groupby("chromosome")["p_value"].idxmin()]
    assert (lead["p_value"] < 5e-8).all()
    nearest = [
        (truth["pos"][truth["chrom"] == f"chr{row.chromosome}"] - row.base_pair_location).abs().min()
        for row in lead.itertuples()
    ]
    assert max(nearest) < 50_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chromosomes": 2}, "embedded.chromosomes: 2 is not allowed"),
        ({"causal_loci": 25}, "causal_loci: 25 is too many for chromosome_length 60000"),
    ],
)
def test_settings_that_cannot_be_are_an_error(tmp_path, change, message):
    values = {"chromosome_length": 60_000, "panel_size": 20, "gwas_size": 50, "causal_loci": 4} | change
    with pytest.raises(InputError, match=message):
        simulate(tmp_path, settings=EmbeddedSettings(**values))


@pytest.mark.parametrize(
    ("name", "message"),
    [("prostate.bw", "named disease1.bw"), ("disease4.bw", "disease_tracks = 3"), ("general5.bw", "1 to 4")],
)
def test_tracks_that_the_grammar_does_not_have_are_an_error(study, tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        simulate_tracks(
            motifs=MOTIFS, fasta=study / "genome.fa", bigwigs=[str(tmp_path / name)], settings=SETTINGS, seed=1
        )
