import logging

import numpy as np
import pandas as pd
import pytest
import torch

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import WindowSettings
from fineprior.foundation.tables import LOCUS_VARIANTS
from fineprior.genetics.genome import Genome, codes_of, reverse_complement
from fineprior.model import embeddings
from fineprior.model.backbone import load_backbone
from fineprior.sequence.windows import locus_sequences, one_hot
from toy_enformer import BIN_SIZE, CONTEXT, DIM, TARGET_BINS, save_toy

LENGTH = 3000


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return load_backbone(save_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(">chr1\n" + "".join(np.random.default_rng(4).choice(list("ACGT"), LENGTH)) + "\n")
    with Genome(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def sequences(genome):
    rows = []
    for pos in (5, 700, 701, 1500, LENGTH):
        ref = "ACGT"[genome.codes("chr1", pos - 1, pos)[0]]
        alleles = [alt for alt in "ACGT" if alt != ref][: 3 if pos == 701 else 1]
        rows += [("L", f"chr1:{pos}:{ref}:{alt}", "chr1", pos, ref, alt) for alt in alleles]
        if pos == 1500:
            rows.append(("L", f"chr1:{pos}:{ref}:{ref}A", "chr1", pos, ref, f"{ref}A"))
    variants = pd.DataFrame(rows, columns=["locus", "variant_id", "chrom", "pos", "ref", "alt"])
    return locus_sequences(variants, genome, CONTEXT)


def embed_codes(backbone, codes):
    return backbone.embed(torch.from_numpy(one_hot(codes))[None])[0].numpy()


def test_alleles_on_both_strands(sequences, backbone, genome):
    """Against windows cut from the genome by hand, one at a time."""
    found = embeddings.embed_alleles(sequences, backbone, WindowSettings(centre_bins=4), batch_size=5)
    assert found.reference.shape == found.difference.shape == (len(sequences.variant_id), 2, 4, DIM)
    for row, name in enumerate(found.variant_id):
        _, pos, ref, alt = name.split(":")
        if len(alt) > 1:
            assert found.status[row] == "indel"
            assert not found.reference[row].any()
            assert not found.difference[row].any()
            continue
        start = int(pos) - 1 - CONTEXT // 2
        window = genome.codes("chr1", start, start + CONTEXT)
        assert window[CONTEXT // 2] == codes_of(ref)[0]
        changed = window.copy()
        changed[CONTEXT // 2] = codes_of(alt)[0]
        for strand, turn in enumerate((lambda codes: codes, reverse_complement)):
            reference, alternative = (embed_codes(backbone, turn(codes)) for codes in (window, changed))
            if strand:
                reference, alternative = reference[::-1], alternative[::-1]
            assert np.allclose(found.reference[row, strand], reference[4:8], atol=1e-4)
            assert np.allclose(found.difference[row, strand], (alternative - reference)[4:8], atol=1e-4)
            assert np.abs(found.difference[row, strand]).max() > 1e-2


def test_batch_size_changes_nothing_but_float_noise(sequences, backbone):
    one, all_at_once = (
        embeddings.embed_alleles(sequences, backbone, WindowSettings(), batch_size=size) for size in (1, 64)
    )
    assert np.allclose(one.difference, all_at_once.difference, atol=1e-4)
    assert np.allclose(one.reference, all_at_once.reference, atol=1e-4)


def test_alleles_of_one_site_share_the_reference_window(sequences, backbone):
    found = embeddings.embed_alleles(sequences, backbone, WindowSettings(reverse_complement=False), batch_size=64)
    rows = [row for row, name in enumerate(found.variant_id) if name.startswith("chr1:701:")]
    assert len(rows) == 3
    assert found.reference.shape[1] == 1
    assert np.array_equal(found.reference[rows[0]], found.reference[rows[1]])
    assert not np.array_equal(found.difference[rows[0]], found.difference[rows[1]])


@pytest.mark.parametrize("centre_bins", [0, 3, 14])
def test_centre_bins_must_be_symmetric(sequences, backbone, centre_bins):
    with pytest.raises(InputError, match=rf"centre_bins: {centre_bins} of 12 target bins"):
        embeddings.embed_alleles(sequences, backbone, WindowSettings(centre_bins=centre_bins), batch_size=8)


def test_sequences_of_another_context_length(genome, backbone):
    other = locus_sequences(LOCUS_VARIANTS.empty(), genome, 128)
    with pytest.raises(InputError, match="windows of 128 bp, the backbone 512 bp"):
        embeddings.embed_alleles(other, backbone, WindowSettings(), batch_size=8)


def test_batch_without_variants(genome, backbone, tmp_path):
    nothing = locus_sequences(LOCUS_VARIANTS.empty(), genome, CONTEXT)
    found = embeddings.embed_alleles(nothing, backbone, WindowSettings(), batch_size=8)
    assert found.reference.shape == (0, 2, 4, DIM)
    embeddings.write_embeddings(found, tmp_path / "none.npz")
    assert len(embeddings.read_variant_embeddings(tmp_path / "none.npz").variant_id) == 0


def regions(*rows):
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "split"])


def test_bins_of_regions(genome, backbone):
    table = regions(("1", 0, CONTEXT, "train"), ("1", 1000, 1000 + CONTEXT, "test"))
    found = embeddings.embed_regions(genome, table, backbone, batch_size=1)
    assert found.split.tolist() == ["train"] * TARGET_BINS + ["test"] * TARGET_BINS
    assert found.start[TARGET_BINS] == 1000 + 2 * BIN_SIZE
    expected = embed_codes(backbone, genome.codes("chr1", 1000, 1000 + CONTEXT))
    assert np.allclose(found.embedding[TARGET_BINS:], expected, atol=1e-4)


def test_target_bins_beyond_a_contig(genome, backbone):
    inside = LENGTH - CONTEXT + 2 * BIN_SIZE
    embeddings.embed_regions(genome, regions(("chr1", inside, inside + CONTEXT, "train")), backbone, batch_size=1)
    with pytest.raises(InputError, match="target bins of 1 regions reach beyond their contig"):
        embeddings.embed_regions(
            genome, regions(("chr1", inside + 1, inside + 1 + CONTEXT, "train")), backbone, batch_size=1
        )


def test_round_trip_with_the_same_bytes(genome, sequences, backbone, tmp_path):
    variants = embeddings.embed_alleles(sequences, backbone, WindowSettings(), batch_size=8)
    bins = embeddings.embed_regions(genome, regions(("chr1", 0, CONTEXT, "valid")), backbone, batch_size=8)
    for name, made, read in (
        ("variants", variants, embeddings.read_variant_embeddings),
        ("bins", bins, embeddings.read_region_embeddings),
    ):
        for number in (1, 2):
            embeddings.write_embeddings(made, tmp_path / f"{name}{number}.npz")
        assert (tmp_path / f"{name}1.npz").read_bytes() == (tmp_path / f"{name}2.npz").read_bytes()
        again = read(tmp_path / f"{name}1.npz")
        for field, value in vars(made).items():
            assert np.array_equal(getattr(again, field), value), field
            assert type(getattr(again, field)) is type(value)


def test_batches_cover_everything_and_tell_the_rate(caplog, monkeypatch):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(embeddings.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, logger="fineprior"):
        parts = list(embeddings.batches(10, 3, "variants"))
    assert [(part.start, part.stop) for part in parts] == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert "6 of 10 variants, 0.5 per second, 8 s left" in caplog.text
    assert "10 variants in 30.0 s" in caplog.text
