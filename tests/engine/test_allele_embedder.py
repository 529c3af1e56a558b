"""Delta inference against enformer-pytorch's own forward pass on whole windows, one at a time."""

import copy
import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from enformer_pytorch import Enformer

from fineprior.engine.allele_embedder import AlleleEmbedder
from fineprior.engine.backbone import EnformerBackbone, load_backbone
from fineprior.engine.enformer import use_pair_pools
from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome, reverse_complement
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.sequence.windows import locus_sequences, one_hot
from toy_enformer import CONFIG, CONTEXT, save_toy, toy_enformer, toy_settings

ROOT = Path(__file__).parents[2]
LENGTH = 5000
N_RUN = slice(2300, 2500)
# 96 tokens of 8 bp, so that windows are assembled from slices; the toy's 16 tokens go through the tower as they are.
LONG = {"num_downsamples": 3, "depth": 2}
LONG_CONTEXT = 768


def load(folder, kind):
    if kind == "shipped":
        settings = BackboneSettings(weights=str(ROOT / "resources/backbone"), context_length=2048, target_bins=12)
        return Enformer.from_pretrained(settings.weights).eval(), load_backbone(settings)
    if kind == "plain":
        return toy_enformer(), load_backbone(save_toy(folder))
    enformer = toy_enformer(**LONG)
    config = CONFIG | LONG | {"context_length": LONG_CONTEXT}
    settings = toy_settings(save_toy(folder, enformer, config=config).weights, context_length=LONG_CONTEXT)
    return enformer, load_backbone(dataclasses.replace(settings, target_bins=40))


@pytest.fixture(scope="module", params=["delta", "plain", pytest.param("shipped", marks=pytest.mark.slow)])
def models(request, tmp_path_factory, device):
    """The library's module and ours with the same weights."""
    return load(tmp_path_factory.mktemp("weights"), request.param)


@pytest.fixture(scope="module")
def long_models(tmp_path_factory, device):
    return load(tmp_path_factory.mktemp("weights"), "delta")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    bases = np.random.default_rng(4).choice(list("ACGT"), LENGTH)
    bases[N_RUN] = "N"
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(">chr1\n" + "".join(bases) + "\n")
    with Genome(path) as opened:
        yield opened


def variants(genome, sites):
    """LOCUS_VARIANTS of (position, length of the reference allele, alternative allele or '' for another base)."""
    rows = []
    for locus, pos, length, other in sites:
        ref = "".join("ACGT"[code] for code in genome.codes("chr1", pos - 1, pos - 1 + length))
        alt = other or "CGTA"["ACGT".index(ref[0])]
        rows.append((locus, f"chr1:{pos}:{ref}:{alt}", "chr1", pos, ref, alt))
    return pd.DataFrame(rows, columns=["locus", "variant_id", "chrom", "pos", "ref", "alt"])


SITES = [
    ("A", 1, 1, ""),  # the contig's first base
    ("A", 130, 1, ""),
    ("A", 130, 1, "ACGTACG"),
    ("A", 131, 1, ""),
    ("A", 1024, 1, ""),  # around a border of bins of 32 bp
    ("A", 1025, 1, ""),
    ("A", 1027, 4, "TTTT"),
    ("A", 1100, 30, "A"),
    ("A", 1101, 1, "CATTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"),
    ("A", 1110, 3, "G"),
    ("A", N_RUN.start, 1, ""),  # next to unknown bases
    ("A", N_RUN.stop + 1, 1, ""),
    ("B", 4800, 1, ""),
    ("B", LENGTH - 1, 2, "A"),
    ("B", LENGTH, 1, ""),
]


def expected(enformer, backbone, sequences, settings, row):
    """Reference and difference (strands, centre_bins, dim) from whole windows."""
    rows = np.array([row])
    bins = backbone.context_length // backbone.bin_size
    first = int(sequences.first_bin(rows, backbone.bin_size, backbone.target_bins, settings.centre_bins)[0])
    read = np.arange(settings.centre_bins) + first + (bins - backbone.target_bins) // 2
    left = read < sequences.left_bins(rows, backbone.bin_size)[0]
    if settings.indels == "left":
        left[:] = True

    def run(codes):
        strands = []
        for turn in [False, True][: 1 + settings.reverse_complement]:
            window = torch.from_numpy(one_hot(reverse_complement(codes) if turn else codes))[None]
            with torch.no_grad():
                found = enformer(window, return_only_embeddings=True, target_length=-1)[0].numpy()
            strands.append((found[::-1] if turn else found)[read])
        return np.stack(strands)

    reference = run(sequences.reference(rows)[0])
    one, two = (run(sequences.alternative(rows, anchor)[0]) for anchor in ("left", "right"))
    return reference, np.where(left[:, None], one, two) - reference


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        WindowSettings(centre_bins=4),
        WindowSettings(centre_bins=2, max_offset=64),
        WindowSettings(centre_bins=12, max_offset=128, indels="left", max_indel_length=40),
        WindowSettings(centre_bins=4, reverse_complement=False, shift=5),
    ],
    ids=["centred", "shared windows", "all bins", "one strand"],
)
def test_the_same_as_whole_windows(models, genome, settings, slack):
    enformer, backbone = models
    settings = dataclasses.replace(settings, max_indel_length=40, max_offset=min(settings.max_offset, CONTEXT // 8))
    sequences = locus_sequences(variants(genome, SITES), genome, backbone.context_length, settings).moved(
        settings.shift
    )
    assert (sequences.status == "scored").all()
    rows = np.arange(len(SITES))
    # The windows are moved already, by the test.
    reference, difference = AlleleEmbedder(sequences, backbone, dataclasses.replace(settings, shift=0)).embed(rows)
    noise = 2e-4 * slack * reference.std()
    for row in rows:
        right_reference, right_difference = expected(enformer, backbone, sequences, settings, row)
        assert np.abs(reference[row] - right_reference).max() < noise
        assert np.abs(difference[row] - right_difference).max() < noise
        assert np.abs(right_difference).max() > 20 * noise / slack


@pytest.mark.parametrize("place", [0, 1, 22, 23, 24, 300, 383, 384, 385, 744, 750, 767])
def test_variants_anywhere_in_their_window(long_models, genome, place, slack):
    """Also where the tokens that change are those next to the ends of the window."""
    enformer, backbone = long_models
    settings = WindowSettings(centre_bins=40, max_indel_length=12)
    sites = [("A", 1500, 1, ""), ("A", 1600, 10, "A"), ("A", 1700, 1, "GATTACAT"), ("A", 1800, 9, "CCCCCCCCC")]
    sites += [("A", 1000, 1, ""), ("A", 2250, 1, "")]  # only so that the slab is long enough
    sequences = locus_sequences(variants(genome, sites), genome, LONG_CONTEXT, settings)
    sequences = dataclasses.replace(sequences, offset=sequences.site - place)
    # Longer alleles fit into their window.
    rows = np.arange(4) if 12 <= place <= LONG_CONTEXT - 12 else np.arange(1)
    reference, difference = AlleleEmbedder(sequences, backbone, settings).embed(rows)
    noise = 2e-4 * slack * reference.std()
    for row in rows:
        right_reference, right_difference = expected(enformer, backbone, sequences, settings, row)
        assert np.abs(reference[row] - right_reference).max() < noise
        assert np.abs(difference[row] - right_difference).max() < noise


@pytest.mark.slow
def test_published_window_and_positions(tmp_path, device, monkeypatch, slack):
    """1,536 tokens of 128 bp with TensorFlow's gammas, in fewer channels and blocks than the published model."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    size = {"dim": 192, "depth": 2, "heads": 1, "use_tf_gamma": True, "dim_divisible_by": 32}
    enformer = importlib.import_module("random_enformer").random_enformer(**size)
    ours = copy.deepcopy(enformer)
    use_pair_pools(ours)
    backbone = EnformerBackbone(ours, "random", BackboneSettings(use_tf_gamma=True), str(device))
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\n" + "".join(np.random.default_rng(4).choice(list("ACGT"), 150_000)) + "\n")
    settings = WindowSettings(centre_bins=4, max_offset=4096, reverse_complement=False)
    with Genome(path) as genome:
        sites = [("A", 110_000, 1, ""), ("A", 110_593, 1, ""), ("A", 111_001, 1, "GATTACA")]
        sequences = locus_sequences(variants(genome, sites), genome, backbone.context_length, settings)
    reference, difference = AlleleEmbedder(sequences, backbone, settings).embed(np.arange(3))
    for row in (0, 2):
        right_reference, right_difference = expected(enformer, backbone, sequences, settings, row)
        assert np.abs(reference[row] - right_reference).max() < 1e-4 * slack * right_reference.std()
        assert np.abs(difference[row] - right_difference).max() < 1e-4 * slack * right_reference.std()
        assert np.abs(right_difference).max() > 0.01 * right_reference.std()


@pytest.fixture
def embedder(long_models, genome):
    settings = WindowSettings(max_offset=128, max_indel_length=40)
    sequences = locus_sequences(variants(genome, SITES), genome, LONG_CONTEXT, settings)
    return lambda **options: AlleleEmbedder(sequences, long_models[1], settings, **options)


@pytest.mark.slow
def test_results_do_not_depend_on_what_was_asked_before(embedder, slack):
    rows = np.arange(len(SITES))
    whole = embedder().embed(rows)
    warm, forgetful = embedder(), embedder(cache_bytes=0)
    for start in (8, 0, 4, 8):
        part = rows[start : start + 4]
        fresh = embedder().embed(part)
        for other in (warm.embed(part), forgetful.embed(part)):
            assert all(np.array_equal(one, two) for one, two in zip(fresh, other, strict=True))
        assert all(np.allclose(one, two[part], atol=1e-4 * slack) for one, two in zip(fresh, whole, strict=True))


def test_rows_in_any_order_and_none(embedder, slack):
    rows = np.array([7, 0, 13])
    assert np.allclose(embedder().embed(rows)[1], embedder().embed(rows[::-1])[1][::-1], atol=1e-4 * slack)
    assert embedder().embed(np.array([], np.int64))[0].shape == (0, 2, 4, 48)


def test_order_keeps_together_what_shares_work(long_models, genome):
    """Overlapping windows, in these the phase of the token grid (8 bp), then the change of length."""
    settings = WindowSettings(max_indel_length=40)
    sites = [("A", pos, 1, "") for pos in (1000, 1001, 1008, 1009, 3000)] + [("A", 992, 1, "GA"), ("A", 4000, 1, "")]
    sequences = locus_sequences(variants(genome, sites), genome, LONG_CONTEXT, settings)
    rows = np.array([6, 5, 4, 3, 2, 1, 0])
    ordered = AlleleEmbedder(sequences, long_models[1], settings).order(rows).tolist()
    first = {0, 2, 5} if sequences.offset[0] % 8 < sequences.offset[1] % 8 else {1, 3}
    assert set(ordered[: len(first)]) == first
    assert set(ordered[:5]) == {0, 1, 2, 3, 5}
    assert ordered.index(5) - ordered.index(0) == 2
    assert ordered[5:] == [4, 6]


def test_tokens_and_reference_windows_are_computed_once(embedder, monkeypatch, long_models):
    backbone = long_models[1]
    counted = {"tower": 0, "trunk": 0}

    def count(name, weigh):
        plain = getattr(backbone, name)

        def counting(tensor, *rest):
            counted[name] += weigh(tensor)
            return plain(tensor, *rest)

        monkeypatch.setattr(backbone, name, counting)

    count("tower", lambda codes: codes.shape[0] * codes.shape[1] // 8)
    count("trunk", len)
    engine = embedder()
    rows = np.arange(len(SITES))
    engine.embed(rows[5:7])  # two alleles in one window
    assert counted["trunk"] == 2 * (2 + 1)
    before = counted["tower"]
    engine.embed(rows[5:7])
    assert counted["tower"] - before == 2 * (12 + 13)  # only the alleles' own slices


@pytest.mark.slow
def test_smaller_batches_when_memory_is_short(embedder, monkeypatch, long_models, slack):
    rows = np.arange(len(SITES))
    right = embedder(batch_size=8).embed(rows)
    plain, sizes = long_models[1].trunk, []

    def trunk(tokens, bins, like):
        sizes.append(len(tokens))
        if len(tokens) > 3:
            raise torch.OutOfMemoryError
        return plain(tokens, bins, like)

    monkeypatch.setattr(long_models[1], "trunk", trunk)
    found = embedder(batch_size=8).embed(rows)
    assert sum(size > 3 for size in sizes) == 1
    assert all(np.allclose(one, two, atol=1e-4 * slack) for one, two in zip(found, right, strict=True))


@pytest.mark.slow
def test_low_precision_propagates_differences(long_models, genome, monkeypatch, slack):
    """On a CPU too: the difference path is taken, and close to the exact one."""
    _, backbone = long_models
    settings = WindowSettings(max_offset=128, max_indel_length=40)
    sequences = locus_sequences(variants(genome, SITES), genome, LONG_CONTEXT, settings)
    rows = np.arange(len(SITES))
    exact = AlleleEmbedder(sequences, backbone, settings).embed(rows)
    monkeypatch.setattr(backbone, "precision", "bf16")
    monkeypatch.setattr(backbone, "_differences", None)
    low = AlleleEmbedder(sequences, backbone, settings).embed(rows)
    assert np.allclose(low[0], exact[0], atol=1e-4 * slack)
    error = np.linalg.norm((low[1] - exact[1]).reshape(len(rows), -1), axis=1)
    assert (error < 0.05 * np.linalg.norm(exact[1].reshape(len(rows), -1), axis=1)).all()
    assert error.max() > 0


@pytest.mark.parametrize("centre_bins", [0, 3, 42])
def test_centre_bins_must_be_symmetric(long_models, genome, centre_bins):
    sequences = locus_sequences(variants(genome, SITES[:1]), genome, LONG_CONTEXT)
    with pytest.raises(InputError, match=rf"centre_bins: {centre_bins} of 40 target bins"):
        AlleleEmbedder(sequences, long_models[1], WindowSettings(centre_bins=centre_bins))


def test_sequences_of_another_context_length(long_models, genome):
    sequences = locus_sequences(variants(genome, SITES[:1]), genome, CONTEXT)
    with pytest.raises(InputError, match="windows of 512 bp, the backbone 768 bp"):
        AlleleEmbedder(sequences, long_models[1], WindowSettings())
