from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fineprior.engine import variant_embeddings as embeddings
from fineprior.engine.allele_embedder import AlleleEmbedder
from fineprior.engine.backbone import load_backbone
from fineprior.engine.store import Store, store_identity
from fineprior.files.errors import InputError
from fineprior.files.tables import LOCUS_VARIANTS
from fineprior.genome.fasta import Genome, reverse_complement
from fineprior.project.settings import WindowSettings
from fineprior.sequence.windows import locus_sequences, one_hot
from toy_embeddings import same_after_round_trip
from toy_enformer import BIN_SIZE, CONTEXT, DIM, TARGET_BINS, save_toy, toy_settings

LENGTH = 3000
WINDOWS = WindowSettings(max_indel_length=40)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory, device):
    return load_backbone(save_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(">chr1\n" + "".join(np.random.default_rng(4).choice(list("ACGT"), LENGTH)) + "\n")
    with Genome(path) as opened:
        yield opened


def table(genome, positions=(5, 700, 701, 1500, LENGTH), locus="L"):
    """SNVs, three alleles of one site, a substitution of three bases, an insertion and deletions."""
    rows = []
    for pos in positions:
        ref = "ACGT"[genome.codes("chr1", pos - 1, pos)[0]]
        alleles = [alt for alt in "ACGT" if alt != ref][: 3 if pos == 701 else 1]
        pairs = [(ref, alt) for alt in alleles]
        if pos == 1500:
            long = "".join("ACGT"[code] for code in genome.codes("chr1", pos - 1, pos + 20))
            pairs += [
                (ref, ref + "GATTACA"),
                (long, ref),
                (long[:3], "GGTTA"),
                (long[:3], "".join("CGTA"["ACGT".index(base)] for base in long[:3])),
            ]
        rows += [(locus, f"chr1:{pos}:{ref}:{alt}", "chr1", pos, ref, alt) for ref, alt in pairs]
    return pd.DataFrame(rows, columns=["locus", "variant_id", "chrom", "pos", "ref", "alt"])


@pytest.fixture(scope="module")
def sequences(genome):
    return locus_sequences(table(genome), genome, CONTEXT, WINDOWS)


def embed_codes(backbone, codes):
    return backbone.embed(torch.from_numpy(one_hot(codes))[None])[0].numpy()


def by_hand(sequences, backbone, settings, row, strand=0):
    """Reference and difference (bins, dim) of one variant by whole windows, one at a time."""

    def whole(codes):
        embedded = embed_codes(backbone, reverse_complement(codes) if strand else codes)
        return embedded[::-1] if strand else embedded

    rows = np.array([row])
    first = int(sequences.first_bin(rows, BIN_SIZE, TARGET_BINS, settings.centre_bins)[0])
    reference = whole(sequences.reference(rows)[0])
    left, right = (whole(sequences.alternative(rows, anchor)[0]) for anchor in ("left", "right"))
    crop = (CONTEXT // BIN_SIZE - TARGET_BINS) // 2
    from_left = np.arange(TARGET_BINS) + crop < sequences.left_bins(rows, BIN_SIZE)[0]
    stitched = np.where(from_left[:, None], left, right) if settings.indels == "stitch" else left
    read = slice(first, first + settings.centre_bins)
    return reference[read], (stitched - reference)[read]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [WINDOWS, replace(WINDOWS, indels="left", centre_bins=6)])
def test_alleles_on_both_strands(sequences, backbone, genome, settings, slack):
    found = embeddings.embed_alleles(sequences, backbone, settings, batch_size=5)
    count = len(sequences.variant_id)
    assert found.reference.shape == found.difference.shape == (count, 2, settings.centre_bins, DIM)
    assert (found.status == "scored").all()
    for row in range(count):
        for strand in range(2):
            reference, difference = by_hand(sequences, backbone, settings, row, strand)
            assert np.allclose(found.reference[row, strand], reference, atol=1e-4 * slack)
            assert np.allclose(found.difference[row, strand], difference, atol=1e-4 * slack)
            assert np.abs(found.difference[row, strand]).max() > 1e-2


def test_windows_on_a_grid(genome, backbone, slack):
    settings = replace(WINDOWS, max_offset=2 * BIN_SIZE)
    positions = [*range(690, 720, 7), *range(1490, 1600, 13)]
    sequences = locus_sequences(table(genome, positions), genome, CONTEXT, settings)
    assert len(np.unique(sequences.offset)) < 5
    found = embeddings.embed_alleles(sequences, backbone, settings)
    for row in range(len(positions)):
        reference, difference = by_hand(sequences, backbone, settings, row)
        assert np.allclose(found.reference[row, 0], reference, atol=1e-4 * slack)
        assert np.allclose(found.difference[row, 0], difference, atol=1e-4 * slack)


def test_moved_windows_are_further_views(genome, backbone, slack):
    settings = replace(WINDOWS, shift=3)
    sequences = locus_sequences(table(genome), genome, CONTEXT, settings)
    found = embeddings.embed_alleles(sequences, backbone, settings)
    assert found.reference.shape[1] == 6
    for view, shift in enumerate((0, -3, 3)):
        row = np.flatnonzero(sequences.variant_id == sequences.variant_id[1])[0]
        reference, difference = by_hand(sequences.moved(shift), backbone, settings, row)
        assert np.allclose(found.reference[row, 2 * view], reference, atol=1e-4 * slack)
        assert np.allclose(found.difference[row, 2 * view], difference, atol=1e-4 * slack)
    unmoved = embeddings.embed_alleles(sequences, backbone, WINDOWS)
    assert np.allclose(found.difference[:, :2], unmoved.difference, atol=1e-4 * slack)


def test_exchanged_alleles_count_the_alternative_one(genome, backbone, slack):
    """A FASTA that has the alternative allele gives the effect of the alternative allele all the same."""
    right = table(genome)
    wrong = right.assign(ref=right["alt"], alt=right["ref"])
    settings = replace(WINDOWS, reference_mismatch="swap")
    first = embeddings.embed_alleles(locus_sequences(right, genome, CONTEXT, WINDOWS), backbone, WINDOWS)
    sequences = locus_sequences(wrong, genome, CONTEXT, settings)
    assert sequences.swapped.sum() >= 7  # of a deletion's alleles, the shorter one is in the genome as well
    found = embeddings.embed_alleles(sequences, backbone, settings)
    turned = sequences.swapped
    assert np.allclose(found.difference[turned], -first.difference[turned], atol=1e-4 * slack)
    assert np.allclose(found.reference[turned], (first.reference + first.difference)[turned], atol=1e-4 * slack)


def test_what_is_not_scored_is_zero(genome, backbone):
    settings = replace(WINDOWS, max_indel_length=3)
    sequences = locus_sequences(table(genome), genome, CONTEXT, settings)
    found = embeddings.embed_alleles(sequences, backbone, settings)
    left_out = found.status != "scored"
    assert found.status[left_out].tolist() == ["too_long"] * left_out.sum()
    assert 1 < left_out.sum() < 4
    assert not found.reference[left_out].any()
    assert not found.difference[left_out].any()


def test_batch_size_changes_nothing_but_float_noise(sequences, backbone, slack):
    one, all_at_once = (embeddings.embed_alleles(sequences, backbone, WINDOWS, batch_size=size) for size in (1, 64))
    assert np.allclose(one.difference, all_at_once.difference, atol=1e-4 * slack)
    assert np.allclose(one.reference, all_at_once.reference, atol=1e-4 * slack)


def test_alleles_of_one_site_are_all_embedded(sequences, backbone, slack):
    settings = replace(WINDOWS, reverse_complement=False)
    found = embeddings.embed_alleles(sequences, backbone, settings, batch_size=64)
    rows = [row for row, name in enumerate(found.variant_id) if name.startswith("chr1:701:")]
    assert len(rows) == 3
    assert found.reference.shape[1] == 1
    assert np.allclose(found.reference[rows[0]], found.reference[rows[1]], atol=1e-5 * slack)
    assert not np.allclose(found.difference[rows[0]], found.difference[rows[1]], atol=1e-3)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("fineprior.engine.store.BLOCK", 3)


def store(folder, backbone, settings=WINDOWS):
    identity = store_identity(backbone.digest, toy_settings("x"), settings)
    return Store(folder, identity, embeddings.view_shape(backbone, settings), flush_seconds=0)


def written(found, path):
    embeddings.write_embeddings(found, path)
    return path.read_bytes()


@pytest.mark.usefixtures("small_blocks")
def test_an_interrupted_job_gives_the_same_bytes(sequences, backbone, tmp_path, monkeypatch):
    whole = embeddings.embed_alleles(sequences, backbone, WINDOWS)
    embed, calls = AlleleEmbedder.embed, []

    def interrupted(self, rows):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(rows)
        return embed(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(AlleleEmbedder, "embed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embeddings.embed_alleles(sequences, backbone, WINDOWS, store=store(tmp_path, backbone))
    resumed = embeddings.embed_alleles(sequences, backbone, WINDOWS, store=store(tmp_path, backbone))
    assert written(resumed, tmp_path / "resumed.npz") == written(whole, tmp_path / "whole.npz")


@pytest.mark.usefixtures("small_blocks")
def test_a_second_study_embeds_nothing_that_is_there(sequences, backbone, genome, tmp_path, monkeypatch):
    whole = embeddings.embed_alleles(sequences, backbone, WINDOWS, store=store(tmp_path, backbone))
    other = locus_sequences(table(genome, (701, 1500), "another locus"), genome, CONTEXT, WINDOWS)
    wrong = table(genome, (700,)).rename(columns={"ref": "alt", "alt": "ref"})
    swap = replace(WINDOWS, reference_mismatch="swap")
    monkeypatch.setattr(AlleleEmbedder, "embed", None)
    found = embeddings.embed_alleles(other, backbone, WINDOWS, store=store(tmp_path, backbone))
    rows = [whole.variant_id.tolist().index(name) for name in found.variant_id]
    assert np.array_equal(found.difference, whole.difference[rows])
    assert np.array_equal(found.reference, whole.reference[rows])
    exchanged = embeddings.embed_alleles(
        locus_sequences(wrong, genome, CONTEXT, swap), backbone, swap, store=store(tmp_path, backbone, swap)
    )
    assert np.array_equal(exchanged.difference[0], -whole.difference[1])


def test_two_names_of_one_variant_are_embedded_once(genome, backbone, monkeypatch):
    right = table(genome, (700,))
    both = pd.concat([right, right.assign(variant_id="again", ref=right["ref"].str.lower())])
    embed, counts = AlleleEmbedder.embed, []
    monkeypatch.setattr(AlleleEmbedder, "embed", lambda self, rows: counts.append(len(rows)) or embed(self, rows))
    found = embeddings.embed_alleles(locus_sequences(both, genome, CONTEXT, WINDOWS), backbone, WINDOWS)
    assert counts == [1]
    assert np.array_equal(found.difference[0], found.difference[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"centre_bins": 0}, "centre_bins: 0 of 12 target bins"),
        ({"centre_bins": 3}, "centre_bins: 3 of 12 target bins"),
        ({"centre_bins": 14}, "centre_bins: 14 of 12 target bins"),
        ({"max_offset": 20}, r"max_offset: 20 is not a multiple of half a bin \(16 bp\)"),
        ({"shift": 16}, r"shift: 16 must be less than half a bin \(16 bp\)"),
    ],
)
def test_settings_that_do_not_fit(sequences, backbone, changes, message):
    with pytest.raises(InputError, match=message):
        embeddings.embed_alleles(sequences, backbone, replace(WINDOWS, **changes), batch_size=8)


def test_sequences_of_another_context_length(genome, backbone):
    other = locus_sequences(LOCUS_VARIANTS.empty(), genome, 256)
    with pytest.raises(InputError, match="windows of 256 bp, the backbone 512 bp"):
        embeddings.embed_alleles(other, backbone, WindowSettings(), batch_size=8)


def test_batch_without_variants(genome, backbone, tmp_path):
    nothing = locus_sequences(LOCUS_VARIANTS.empty(), genome, CONTEXT)
    found = embeddings.embed_alleles(nothing, backbone, WindowSettings(), store=store(tmp_path, backbone))
    assert found.reference.shape == (0, 2, 4, DIM)
    embeddings.write_embeddings(found, tmp_path / "none.npz")
    assert len(embeddings.read_variant_embeddings(tmp_path / "none.npz").variant_id) == 0


def test_round_trip_with_the_same_bytes(sequences, backbone, tmp_path):
    made = embeddings.embed_alleles(sequences, backbone, WindowSettings(), batch_size=8)
    same_after_round_trip(made, embeddings.read_variant_embeddings, tmp_path)
