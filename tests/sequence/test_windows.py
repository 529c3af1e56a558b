import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.tables import LOCUS_VARIANTS
from fineprior.genetics.genome import Genome, codes_of, reverse_complement
from fineprior.sequence.windows import (
    ALL_N,
    INDEL,
    SCORED,
    locus_sequences,
    one_hot,
    read_sequences,
    window_start,
    write_sequences,
)

LENGTH = 600


@pytest.fixture
def genome(tmp_path):
    rng = np.random.default_rng(3)
    with (tmp_path / "genome.fa").open("w") as handle:
        for chrom in ("chr1", "chr2"):
            bases = "".join(rng.choice(list("ACGTacgt"), LENGTH))
            if chrom == "chr2":
                bases = "N" * 300 + "A" + "N" * 299
            handle.write(f">{chrom}\n{bases}\n")
    with Genome(tmp_path / "genome.fa") as opened:
        yield opened


def base(genome, chrom, pos, width=1):
    return "".join("ACGTN"[code] for code in genome.codes(chrom, pos - 1, pos - 1 + width))


def variants_at(genome, *places, locus="L"):
    """Variants at (chrom, pos) or (chrom, pos, ref, alt); alt is another base when it is not given."""
    rows = []
    for chrom, pos, *alleles in places:
        ref, alt = alleles or (base(genome, chrom, pos), "ACGT"["CGTA".index(base(genome, chrom, pos))])
        rows.append({"locus": f"{locus}_{chrom}", "variant_id": f"{chrom}:{pos}:{ref}:{alt}", "chrom": chrom,
                     "pos": pos, "ref": ref, "alt": alt})  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("context_length", [64, 65, 512])
def test_windows_are_the_genome_around_the_variant(genome, context_length):
    positions = [1, 2, 300, 301, LENGTH]
    variants = variants_at(genome, *(("chr1", pos) for pos in positions))
    sequences = locus_sequences(variants, genome, context_length)
    rows = np.arange(len(positions))
    reference, alternative = sequences.reference(rows), sequences.alternative(rows)
    assert list(sequences.status) == [SCORED] * 5
    for row, pos in enumerate(positions):
        start = pos - 1 - context_length // 2
        assert np.array_equal(reference[row], genome.codes("chr1", start, start + context_length))
        assert np.flatnonzero(reference[row] != alternative[row]).tolist() == [context_length // 2]
        assert alternative[row, context_length // 2] == codes_of(variants["alt"][row])[0]


def test_beyond_the_ends_of_a_contig_all_is_unknown(genome):
    sequences = locus_sequences(variants_at(genome, ("chr1", 1), ("chr1", LENGTH)), genome, 64)
    first, last = sequences.reference(np.arange(2))
    assert (first[:32] == 4).all()
    assert (first[32:] < 4).all()
    assert (last[:33] < 4).all()
    assert (last[33:] == 4).all()


def test_variant_stands_right_of_the_middle_and_left_of_it_in_the_reverse_complement():
    assert window_start(np.array([1001]), 64).tolist() == [1000 - 32]
    window = np.zeros(64, np.uint8)
    window[32] = 1
    assert reverse_complement(window)[31] == 2


def test_one_hot():
    codes = codes_of("ACGTNR")
    assert np.array_equal(one_hot(codes)[:4], np.eye(4))
    assert not one_hot(codes)[4:].any()
    assert np.array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[::-1, ::-1])
    assert one_hot(codes).dtype == np.float32


def test_indels_are_flagged_and_substitutions_of_several_bases_placed(genome):
    two, three = base(genome, "chr1", 200, 2), base(genome, "chr1", 210, 3)
    other = "".join("ACGT"["CGTA".index(letter)] for letter in three)
    variants = variants_at(genome, ("chr1", 200, two, two[0]), ("chr1", 200, two[0], two), ("chr1", 210, three, other))
    sequences = locus_sequences(variants, genome, 64)
    assert list(sequences.status) == [INDEL, INDEL, SCORED]
    changed = sequences.reference(np.array([2])) != sequences.alternative(np.array([2]))
    assert np.flatnonzero(changed).tolist() == [32, 33, 34]


def test_a_window_of_n_alone_is_not_scored(genome):
    sequences = locus_sequences(variants_at(genome, ("chr2", 301), ("chr1", 301)), genome, 64)
    assert list(sequences.status) == [ALL_N, SCORED]


def test_wrong_reference_alleles_are_counted_and_ten_are_shown(genome):
    places = [("chr1", pos, "ACGT"["CGTA".index(base(genome, "chr1", pos))], "T") for pos in range(100, 112)]
    variants = variants_at(genome, *places, ("chr1", 50))
    with pytest.raises(InputError, match="12 of 13 variants") as caught:
        locus_sequences(variants, genome, 64)
    assert f"chr1:100:{places[0][2]}:T has {base(genome, 'chr1', 100)}" in str(caught.value)
    assert "chr1:109:" in str(caught.value)
    assert "chr1:110:" not in str(caught.value)


def test_a_deletion_of_other_bases_than_the_genome_has_is_wrong(genome):
    wrong = base(genome, "chr1", 200) + "ACGT"["CGTA".index(base(genome, "chr1", 201))]
    with pytest.raises(InputError, match="1 of 1 variants"):
        locus_sequences(variants_at(genome, ("chr1", 200, wrong, wrong[0])), genome, 64)


def test_a_variant_in_two_loci_occurs_once(genome):
    twice = pd.concat([variants_at(genome, ("chr1", 10), locus="a"), variants_at(genome, ("chr1", 10), locus="b")])
    assert len(locus_sequences(twice, genome, 64).variant_id) == 1


@pytest.mark.parametrize("empty", [False, True])
def test_round_trip_with_the_same_bytes(genome, tmp_path, empty):
    variants = LOCUS_VARIANTS.empty() if empty else variants_at(genome, ("chr1", 10), ("chr2", 301))
    sequences = locus_sequences(variants, genome, 64)
    for name in ("one", "two"):
        write_sequences(sequences, tmp_path / f"{name}.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = read_sequences(tmp_path / "one.npz")
    for name, value in vars(sequences).items():
        assert np.array_equal(getattr(again, name), value), name
    rows = np.arange(len(variants))
    assert np.array_equal(again.alternative(rows), sequences.alternative(rows))
