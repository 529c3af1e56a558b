import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import LOCUS_VARIANTS
from fineprior.genome.fasta import Genome, codes_of, reverse_complement
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import WindowSettings
from fineprior.sequence.windows import (
    ALL_N,
    NOT_ACGT,
    SCORED,
    TOO_LONG,
    UNKNOWN_BASE,
    LocusSequences,
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


SNV = WindowSettings(max_indel_length=3)
INDELS = WindowSettings(max_indel_length=12)


@pytest.mark.parametrize("context_length", [64, 65, 512])
def test_windows_are_the_genome_around_the_variant(genome, context_length):
    positions = [1, 2, 300, 301, LENGTH]
    variants = variants_at(genome, *(("chr1", pos) for pos in positions))
    sequences = locus_sequences(variants, genome, context_length, SNV)
    rows = np.arange(len(positions))
    reference, alternative = sequences.reference(rows), sequences.alternative(rows)
    assert list(sequences.status) == [SCORED] * 5
    for row, pos in enumerate(positions):
        start = pos - 1 - context_length // 2
        assert np.array_equal(reference[row], genome.codes("chr1", start, start + context_length))
        assert np.flatnonzero(reference[row] != alternative[row]).tolist() == [context_length // 2]
        assert alternative[row, context_length // 2] == codes_of(variants["alt"][row])[0]


def test_beyond_the_ends_of_a_contig_all_is_unknown(genome):
    sequences = locus_sequences(variants_at(genome, ("chr1", 1), ("chr1", LENGTH)), genome, 64, SNV)
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


def spelled(genome, chrom, start, end):
    return "".join("ACGTN"[code] for code in genome.codes(chrom, start, end))


def text(codes):
    return "".join("ACGTN"[code] for code in codes)


@pytest.mark.parametrize(
    ("old", "new"), [(1, "CATTAG"), (7, ""), (1, "CC"), (2, "GA"), (3, "TTTT"), (5, "C"), (1, "C" * 12), (12, "")]
)
@pytest.mark.parametrize("pos", [200, 20, LENGTH - 20])
def test_windows_of_both_anchors_by_hand(genome, old, new, pos):
    """Left: the alternative chromosome read from the reference window's start. Right: up to its end."""
    ref = base(genome, "chr1", pos, old)
    alt = ref[0] + new if new != ref[1:] else ref[0] + new + "A"
    sequences = locus_sequences(variants_at(genome, ("chr1", pos, ref, alt)), genome, 64, INDELS)
    row = np.array([0])
    assert sequences.status[0] == SCORED
    chromosome = "N" * 99 + spelled(genome, "chr1", 0, pos - 1) + alt
    tail = spelled(genome, "chr1", pos - 1 + old, LENGTH) + "N" * 99
    start = 99 + pos - 1 - 32
    net = len(alt) - len(ref)
    whole = chromosome + tail
    assert text(sequences.alternative(row, "left")[0]) == whole[start : start + 64]
    assert text(sequences.alternative(row, "right")[0]) == whole[start + net : start + net + 64]
    reference = sequences.reference(row)[0]
    assert np.array_equal(sequences.alternative(row, "left")[0, :32], reference[:32])
    assert np.array_equal(sequences.alternative(row, "right")[0, 32 + old :], reference[32 + old :])
    assert sequences.net(row)[0] == net


def test_substitutions_are_the_same_from_both_sides(genome):
    three = base(genome, "chr1", 210, 3)
    other = "".join("ACGT"["CGTA".index(letter)] for letter in three)
    sequences = locus_sequences(variants_at(genome, ("chr1", 210, three, other)), genome, 64, SNV)
    row = np.array([0])
    changed = sequences.reference(row) != sequences.alternative(row)
    assert np.flatnonzero(changed).tolist() == [32, 33, 34]
    assert np.array_equal(sequences.alternative(row, "left"), sequences.alternative(row, "right"))


def test_alleles_without_shared_ends(genome):
    ref = base(genome, "chr1", 200, 6)
    places = [(ref, ref[:2] + ref[4:]), (ref, ref[0] + "GATTACA"[:3] + ref[1:]), (ref, ref)]
    sequences = locus_sequences(variants_at(genome, *(("chr1", 200, *both) for both in places)), genome, 64, INDELS)
    assert sequences.removed.tolist() == [2, 0, 0]
    assert [len(text) for text in sequences.inserted] == [0, 3, 0]
    assert np.array_equal(sequences.reference(np.array([2])), sequences.alternative(np.array([2])))


@pytest.mark.parametrize(
    ("longest", "old", "new", "status"),
    [(0, 1, "", SCORED), (0, 2, "", TOO_LONG), (3, 4, "", SCORED), (3, 5, "", TOO_LONG), (3, 1, "GATG", TOO_LONG)],
)
def test_longest_allele(genome, longest, old, new, status):
    ref = base(genome, "chr1", 200, old)
    alt = ref[0] + new if len(ref + new) > 1 else "ACGT"["CGTA".index(ref)]
    settings = WindowSettings(max_indel_length=longest)
    assert locus_sequences(variants_at(genome, ("chr1", 200, ref, alt)), genome, 64, settings).status[0] == status


@pytest.mark.parametrize("letters", ["R", "*", "<DEL>", "N", ""])
def test_other_letters_are_not_scored(genome, letters):
    ref = base(genome, "chr1", 200)
    sequences = locus_sequences(variants_at(genome, ("chr1", 200, ref, letters), ("chr1", 200, "N", ref)), genome, 64,
                                SNV)  # fmt: skip
    assert sequences.status[0] == (NOT_ACGT if letters else SCORED)
    assert sequences.status[1] == NOT_ACGT


def test_lower_case_alleles(genome):
    variants = variants_at(genome, ("chr1", 200))
    lower = variants.assign(ref=variants["ref"].str.lower(), alt=variants["alt"].str.lower())
    upper, other = (locus_sequences(frame, genome, 64, SNV) for frame in (variants, lower))
    assert np.array_equal(upper.alternative(np.array([0])), other.alternative(np.array([0])))


def test_bases_that_the_genome_does_not_know(genome):
    """N or an IUPAC code in the FASTA contradicts no allele, but there is nothing to compare with."""
    variants = variants_at(genome, ("chr2", 250, "A", "C"), ("chr2", 301, "AC", "A"))
    assert list(locus_sequences(variants, genome, 64, SNV).status) == [UNKNOWN_BASE, UNKNOWN_BASE]


@pytest.mark.parametrize("pos", [0, LENGTH + 1, LENGTH])
def test_beyond_the_contig(genome, pos):
    variants = variants_at(genome, ("chr1", 10), ("chr1", pos, "AC", "A"))
    with pytest.raises(InputError, match=rf"1 of 2 variants lie beyond .* chr1:{pos}:AC:A \('chr1' has {LENGTH} bp"):
        locus_sequences(variants, genome, 64, SNV)


def test_contig_missing(genome):
    with pytest.raises(InputError, match="no contig 'chr9'; there are chr1, chr2"):
        locus_sequences(variants_at(genome, ("chr1", 10)).assign(chrom="chr9"), genome, 64, SNV)


def test_settings_that_leave_too_little(genome):
    with pytest.raises(InputError, match=r"max_indel_length 50 .* more than a quarter of a window of 64 bp"):
        locus_sequences(variants_at(genome, ("chr1", 10)), genome, 64)


def test_exchanged_alleles(genome):
    ref, other, third = base(genome, "chr1", 200), *[x for x in "ACGT" if x != base(genome, "chr1", 200)][:2]
    settings = WindowSettings(max_indel_length=3, reference_mismatch="swap")
    variants = variants_at(genome, ("chr1", 200, other, ref), ("chr1", 200, ref, other))
    sequences = locus_sequences(variants, genome, 64, settings)
    assert sequences.swapped.tolist() == [True, False]
    assert np.array_equal(*sequences.alternative(np.arange(2)))
    with pytest.raises(InputError, match="1 of 3 variants"):
        locus_sequences(variants_at(genome, ("chr1", 200, other, third), ("chr1", 200, other, ref), ("chr1", 9)),
                        genome, 64, settings)  # fmt: skip


def test_windows_on_a_grid_are_shared_and_do_not_depend_on_other_variants(genome):
    settings = WindowSettings(max_indel_length=3, max_offset=8)
    variants = variants_at(genome, *(("chr1", pos) for pos in range(180, 240)))
    sequences = locus_sequences(variants, genome, 64, settings)
    starts = sequences.offset + sequences.origin
    assert len(np.unique(starts)) <= 5
    assert (starts % 16 == 0).all()
    assert (np.abs(sequences.site - sequences.offset - 32) <= 8).all()
    alone = locus_sequences(variants.iloc[[7]], genome, 64, settings)
    assert alone.offset[0] + alone.origin[0] == starts[7]
    changed = sequences.reference(np.arange(60)) != sequences.alternative(np.arange(60))
    assert np.array_equal(changed.argmax(1) + starts, variants["pos"].to_numpy() - 1)


def test_a_moved_window(genome):
    settings = WindowSettings(max_indel_length=3, shift=2)
    sequences = locus_sequences(variants_at(genome, ("chr1", 200)), genome, 64, settings)
    row = np.array([0])
    assert np.array_equal(sequences.moved(2).reference(row)[0], genome.codes("chr1", 165, 229))
    assert np.array_equal(sequences.moved(-2).alternative(row)[0, :60], sequences.alternative(row)[0, 2:62])


@pytest.mark.parametrize(
    ("site", "removed", "inserted", "left"),
    [(33, 0, "CC", 5), (35, 0, "CC", 5), (36, 0, "CC", 4), (31, 0, "C", 3), (31, 2, "", 4), (35, 2, "", 5)],
)
def test_bins_of_the_two_anchors(site, removed, inserted, left):
    """Bins of 8 bp: of the variant's own (4 from base 32) an insertion is read whole, a deletion in the larger part."""
    assert bare(site, removed, inserted).left_bins(np.array([0]), 8)[0] == left


def bare(site, removed=1, inserted="A", context_length=64):
    fields = {"sequence": np.zeros(200, np.uint8), "variant_id": np.array(["v"]), "status": np.array([SCORED]),
              "swapped": np.array([False]), "offset": np.array([0]), "origin": np.array([0]), "site": np.array([site]),
              "removed": np.array([removed]), "inserted": np.array([inserted])}  # fmt: skip
    return LocusSequences(**fields, context_length=context_length)


@pytest.mark.parametrize(
    ("site", "centre_bins", "first"),
    [(32, 2, 2), (33, 2, 2), (32, 4, 1), (32 + 8, 2, 3), (32 - 8, 2, 1), (32 + 3, 2, 2), (63, 2, 4), (0, 2, 0)],
)
def test_bins_that_are_read_follow_the_variant(site, centre_bins, first):
    """8 bins of 8 bp, of which the 6 in the middle are targets."""
    assert bare(site).first_bin(np.array([0]), 8, 6, centre_bins)[0] == first


@pytest.mark.parametrize("centre_bins", [1, 2, 3, 4])
def test_bins_that_are_read_are_the_nearest_wherever_the_variant_is(centre_bins):
    """No other target bins have their middle nearer to the variant, if that is not in the middle of its window."""
    bin_size, target_bins, crop = 8, 6, 1
    middles = bin_size * (crop + np.arange(target_bins - centre_bins + 1) + centre_bins / 2)
    for site in [*range(29), *range(36, 64)]:
        first = int(bare(site).first_bin(np.array([0]), bin_size, target_bins, centre_bins)[0])
        distance = np.abs(middles - (site + 0.5))
        assert distance[first] == distance.min(), site


def test_a_window_of_n_alone_is_not_scored(genome):
    sequences = locus_sequences(variants_at(genome, ("chr2", 301), ("chr1", 301)), genome, 64, SNV)
    assert list(sequences.status) == [ALL_N, SCORED]


def test_wrong_reference_alleles_are_counted_and_ten_are_shown(genome):
    places = [("chr1", pos, "ACGT"["CGTA".index(base(genome, "chr1", pos))], "T") for pos in range(100, 112)]
    variants = variants_at(genome, *places, ("chr1", 50))
    with pytest.raises(InputError, match="12 of 13 variants") as caught:
        locus_sequences(variants, genome, 64, SNV)
    assert f"chr1:100:{places[0][2]}:T has {base(genome, 'chr1', 100)}" in str(caught.value)
    assert "chr1:109:" in str(caught.value)
    assert "chr1:110:" not in str(caught.value)


def test_a_deletion_of_other_bases_than_the_genome_has_is_wrong(genome):
    wrong = base(genome, "chr1", 200) + "ACGT"["CGTA".index(base(genome, "chr1", 201))]
    with pytest.raises(InputError, match="1 of 1 variants"):
        locus_sequences(variants_at(genome, ("chr1", 200, wrong, wrong[0])), genome, 64, SNV)


def test_a_variant_in_two_loci_occurs_once(genome):
    twice = pd.concat([variants_at(genome, ("chr1", 10), locus="a"), variants_at(genome, ("chr1", 10), locus="b")])
    assert len(locus_sequences(twice, genome, 64, SNV).variant_id) == 1


@pytest.mark.parametrize("empty", [False, True])
def test_round_trip_with_the_same_bytes(genome, tmp_path, empty):
    variants = LOCUS_VARIANTS.empty() if empty else variants_at(genome, ("chr1", 10), ("chr2", 301))
    sequences = locus_sequences(variants, genome, 64, SNV)
    for name in ("one", "two"):
        write_sequences(sequences, tmp_path / f"{name}.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = read_sequences(tmp_path / "one.npz")
    for name, value in vars(sequences).items():
        assert np.array_equal(getattr(again, name), value), name
    rows = np.arange(len(variants))
    assert np.array_equal(again.alternative(rows), sequences.alternative(rows))


def test_real_variants_indels_and_all(shared_data):
    """A real panel whose files do not say which allele is the reference: each variant has one, or says why not."""
    folder = shared_data / "panel_chr20"
    panel = PlinkPanel(next(folder.glob("*.bed")).with_suffix(""))
    variants = panel.variants.rename(columns={"a1": "alt", "a2": "ref"})
    variants["variant_id"] = (
        variants["chrom"].astype(str).str.cat([variants["pos"].astype(str), variants["ref"], variants["alt"]], sep=":")
    )
    variants["locus"] = "L"
    settings = WindowSettings(reference_mismatch="swap", max_offset=64)
    with Genome(next(folder.glob("*.fa"))) as genome:
        sequences = locus_sequences(variants, genome, 2048, settings)
    length = np.maximum(variants["ref"].str.len(), variants["alt"].str.len()).to_numpy()
    scored = sequences.status == SCORED
    assert scored[length <= 50].mean() > 0.99
    assert (scored & (length > 1)).sum() > 100
    rows = np.flatnonzero(scored)
    assert (sequences.net(rows) != 0).sum() > 100
    for row in rows[::50]:
        chosen = np.array([row])
        changed = sequences.alternative(chosen)[0] != sequences.reference(chosen)[0]
        assert changed.any()
        assert changed.argmax() >= sequences.site[row] - sequences.offset[row]
