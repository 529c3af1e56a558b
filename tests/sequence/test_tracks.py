import numpy as np
import pandas as pd
import pyBigWig
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.project.settings import TrackSettings
from fineprior.sequence.tracks import bin_starts, check_intervals, check_splits, read_regions, read_targets, usable_bins

LENGTH, BIN = 10_000, 128
START = np.arange(0, LENGTH - BIN, BIN)
CHROM = np.full(len(START), "chr1")


@pytest.fixture
def signal():
    values = np.random.default_rng(1).gamma(0.5, 4, LENGTH).round(3)
    values[2000:2600] = np.nan
    return values


@pytest.fixture
def bigwig(tmp_path, signal):
    return write(tmp_path / "track.bw", signal)


def write(path, values, name="chr1"):
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([(name, len(values))])
        at = np.flatnonzero(~np.isnan(values))
        track.addEntries([name] * len(at), at.tolist(), ends=(at + 1).tolist(), values=values[at].tolist())
    return str(path)


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_pooling_over_bins_with_missing_bases_as_zero(bigwig, signal, pooling):
    settings = TrackSettings(clip=1e9, pooling=pooling)
    found = read_targets([bigwig], CHROM, START, BIN, settings)[:, 0]
    filled = np.nan_to_num(signal).astype(np.float32)
    expected = [getattr(np, pooling)(filled[start : start + BIN]) for start in START]
    assert np.allclose(found, expected, rtol=1e-5)
    assert found[17] == 0


def test_clip_comes_before_scale(bigwig):
    plain = read_targets([bigwig], CHROM, START, BIN, TrackSettings(clip=1e9))
    clipped = read_targets([bigwig], CHROM, START, BIN, TrackSettings(clip=2.0, scale=3.0))
    assert np.allclose(clipped, 3 * np.minimum(plain, 2))
    assert (plain > 2).any()


def test_bins_in_any_order_and_number_read_the_same(bigwig):
    whole = read_targets([bigwig], CHROM, START, BIN, TrackSettings())
    order = np.random.default_rng(2).permutation(len(START))[:20]
    assert np.array_equal(read_targets([bigwig], CHROM[order], START[order], BIN, TrackSettings()), whole[order])


def test_tracks_are_columns_and_chromosomes_may_lack_chr(tmp_path, bigwig, signal):
    plain = write(tmp_path / "plain.bw", 2 * signal, name="1")
    found = read_targets([bigwig, plain], CHROM, START, BIN, TrackSettings(clip=1e9))
    assert np.allclose(found[:, 1], 2 * found[:, 0], rtol=1e-4)


def test_two_chromosomes_that_join_in_number_are_not_read_as_one(tmp_path):
    path = tmp_path / "two.bw"
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([("chr1", 256), ("chr2", 256)])
        for number in (1, 2):
            track.addEntries([f"chr{number}"], [0], ends=[256], values=[float(number)])
    found = read_targets([str(path)], np.array(["chr1", "chr2"]), np.array([0, 128]), BIN, TrackSettings())
    assert found[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("chrom", "start", "settings", "message"),
    [
        ("chr7", 0, {}, "no chromosome 'chr7'; this bigWig has chr1"),
        ("chr1", LENGTH - 100, {}, "lies beyond the chromosome, which has 10000 bp"),
        ("chr1", -128, {}, "beyond the chromosome"),
        ("chr1", 0, {"pooling": "median"}, "pooling: 'median' is not allowed; allowed: mean, sum, max"),
    ],
)
def test_wrong_bins_and_settings(bigwig, chrom, start, settings, message):
    with pytest.raises(InputError, match=message):
        read_targets([bigwig], np.array([chrom]), np.array([start]), BIN, TrackSettings(**settings))


def test_wrong_files(tmp_path, signal):
    text = tmp_path / "text.bw"
    text.write_text("chr1\t0\t10\t1\n")
    negative = write(tmp_path / "negative.bw", np.where(np.isnan(signal), signal, -1.0))
    for path, message in [
        (text, "not a bigWig file"),
        (tmp_path / "absent.bw", "no such bigWig file"),
        (negative, "negative signal"),
    ]:
        with pytest.raises(InputError, match=message):
            read_targets([str(path)], CHROM, START, BIN, TrackSettings())


def test_regions_and_their_bins(tmp_path):
    path = tmp_path / "regions.bed"
    path.write_text("chr1\t0\t2048\ttrain\nchr2\t1536\t3584\ttest\n")
    regions = read_regions(path, 2048)
    assert regions["split"].tolist() == ["train", "test"]
    starts = bin_starts(regions, 128, 12)
    assert starts[0].tolist() == list(range(256, 256 + 12 * 128, 128))
    assert starts[1, 0] == 1536 + 256


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t0\t2048\tholdout", "line 2: split 'holdout' is not allowed; allowed: train, valid, test"),
        ("chr1\t0\t2000\ttrain", "line 2: chr1:0-2000 is 2000 bp long.*context_length, 2048"),
        ("chr1\t0\t2048", "line 2: .* must be chrom, start, end, split"),
        ("chr1\t0\t2048\t\ttrain", "line 2: .* must be chrom, start, end, split"),
        ("chr1\tzero\t2048\ttrain", "line 2: .* is not chromosome, start"),
        ("chr1\t2048\t0\ttrain", "line 2: 2048-0 must have start < end"),
    ],
)
def test_wrong_regions(tmp_path, line, message):
    path = tmp_path / "regions.bed"
    path.write_text(f"chr1\t0\t2048\ttrain\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_regions(path, 2048)


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_no_regions(tmp_path, text):
    path = tmp_path / "regions.bed"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"no such file|no interval"):
        read_regions(path, 2048)


@pytest.mark.slow
def test_real_dnase_signal_is_what_the_bigwig_library_reports(shared_data):
    paths = sorted((shared_data / "dnase_chr1").glob("*.b*w*"))
    if not paths:
        pytest.skip("no bigWig among the real data")
    with pyBigWig.open(str(paths[0])) as track:
        chrom, length = next(iter(track.chroms().items()))
        first, covered = next((start, end) for start, end, _ in track.intervals(chrom))
        begin = max(0, first // BIN * BIN)
        starts = begin + BIN * np.arange(min(2000, (length - begin) // BIN))
        mean = track.stats(chrom, int(starts[0]), int(starts[-1]) + BIN, nBins=len(starts), exact=True, type="mean")
        breadth = track.stats(chrom, int(starts[0]), int(starts[-1]) + BIN, nBins=len(starts), exact=True,
                              type="coverage")  # fmt: skip
    expected = [m * c if m else 0.0 for m, c in zip(mean, breadth, strict=True)]
    found = read_targets([str(paths[0])], np.full(len(starts), chrom), starts, BIN, TrackSettings(clip=1e9))
    assert covered > first
    assert np.allclose(found[:, 0], expected, rtol=1e-3, atol=1e-5)
    assert pd.Series(found[:, 0]).std() > 0


def test_target_bins_in_two_splits_are_an_error(caplog):
    regions = pd.DataFrame(
        {"chrom": ["1", "1", "2"], "start": [0, 256, 0], "end": [512, 768, 512], "split": ["train", "test", "valid"]}
    )
    check_splits(regions, bin_starts(regions, 128, 2), 128, "regions.bed")
    assert "splits share a chromosome" in caplog.text
    with pytest.raises(InputError, match=r"regions.bed: target bins at 1:256-768 are in splits train and test"):
        check_splits(regions, bin_starts(regions, 128, 4), 128, "regions.bed")
    called = regions.assign(chrom=["1", "chr1", "2"])
    with pytest.raises(InputError, match=r"regions.bed: target bins at 1:256-768 are in splits train and test"):
        check_splits(called, bin_starts(called, 128, 4), 128, "regions.bed")
    caplog.clear()
    apart = regions.assign(chrom=["1", "2", "3"])
    check_splits(apart, bin_starts(apart, 128, 4), 128, "regions.bed")
    assert not caplog.text


@pytest.mark.parametrize(("pooling", "plain"), [("sum_sqrt", "sum"), ("mean_sqrt", "mean")])
def test_square_roots_of_pooled_signal(bigwig, pooling, plain):
    found, pooled = (read_targets([bigwig], CHROM, START, BIN, TrackSettings(clip=1e9, pooling=kind))
                     for kind in (pooling, plain))  # fmt: skip
    assert np.allclose(found, np.sqrt(1 + pooled) - 1, rtol=1e-5)


def test_soft_clip_goes_on_as_a_square_root(bigwig):
    plain = read_targets([bigwig], CHROM, START, BIN, TrackSettings(clip=1e9))
    soft = read_targets([bigwig], CHROM, START, BIN, TrackSettings(clip=1e9, clip_soft=2.0))
    assert np.allclose(soft, np.where(plain > 2, 1 + np.sqrt(np.maximum(plain - 1, 0)), plain), rtol=1e-5)
    both = read_targets([bigwig], CHROM, START, BIN, TrackSettings(clip=2.1, clip_soft=2.0))
    assert both.max() == pytest.approx(2.1)


def test_missing_bases_as_the_baseline_of_their_region(bigwig, signal):
    settings = TrackSettings(clip=1e9, missing="baseline")
    region_bins = 13
    chrom, start = CHROM[:65], START[:65]
    found = read_targets([bigwig], chrom, start, BIN, settings, region_bins)[:, 0].reshape(5, -1)
    for number, of_region in enumerate(found):
        values = signal[number * region_bins * BIN : (number + 1) * region_bins * BIN].astype(np.float32)
        values[np.isnan(values)] = np.nanmedian(values)
        assert np.allclose(of_region, values.reshape(-1, BIN).mean(1), rtol=1e-4)


def test_blacklisted_signal_is_cut_to_the_baseline(bigwig, signal, tmp_path):
    black = tmp_path / "black.bed"
    black.write_text("1\t4020\t4980\n")
    settings = TrackSettings(clip=1e9, blacklist=str(black))
    found = read_targets([bigwig], CHROM, START, BIN, settings)[:, 0]
    filled = signal[: START[-1] + BIN].astype(np.float32)
    baseline = np.nanmedian(filled)
    filled = np.nan_to_num(filled)
    filled[4000:5000] = np.minimum(filled[4000:5000], baseline)
    assert np.allclose(found, filled.reshape(-1, BIN).mean(1), rtol=1e-4)


def test_regions_lie_within_the_genome(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 1000}\n")
    path = tmp_path / "regions.bed"
    with Genome(tmp_path / "g.fa") as genome:
        path.write_text("\ufefftrack name=x\r\n1\t1952\t4000\ttrain\r\n")
        assert read_regions(path, 2048, genome).to_numpy().tolist() == [["1", 1952, 4000, "train"]]
        path.write_text("chr1\t1953\t4001\ttrain\n")
        with pytest.raises(
            InputError, match=r"line 1: chr1:1953-4001 reaches beyond the end of chr1, which has 4000 bp"
        ):
            read_regions(path, 2048, genome)
        path.write_text("chr2\t0\t2048\ttrain\n")
        with pytest.raises(InputError, match=r"g.fa: no contig 'chr2'; there are chr1"):
            read_regions(path, 2048, genome)


def spiked(path, contigs):
    """A bigWig with a contig of 1000 bases for each name and value."""
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([(name, 1000) for name in contigs])
        for name, value in contigs.items():
            track.addEntries([name], [0], ends=[1000], values=[float(value)])
    return str(path)


@pytest.mark.parametrize("names", [("chrX", "X"), ("X", "chrX")])
def test_the_very_name_of_a_contig_goes_before_the_plain_one(tmp_path, names):
    path = spiked(tmp_path / "a.bw", {name: {"chrX": 5, "X": 50}[name] for name in names})
    settings = TrackSettings(clip=1e9)
    for name, value in (("chrX", 5), ("X", 50)):
        found = read_targets([path], np.full(3, name), BIN * np.arange(3), BIN, settings)
        assert found.ravel().tolist() == [value] * 3
    with pytest.raises(InputError, match=f"a.bw: '23' may mean '{names[0]}' or '{names[1]}'"):
        read_targets([path], np.full(3, "23"), BIN * np.arange(3), BIN, settings)


@pytest.mark.parametrize("kind", ["bigWig", "peaks"])
def test_a_chromosome_without_signal_is_0_and_named_once(tmp_path, caplog, kind):
    path = spiked(tmp_path / "a.bw", {"chr1": 5})
    if kind == "peaks":
        path = str(tmp_path / "a.bed")
        (tmp_path / "a.bed").write_text("chr1\t0\t1000\n")
    chrom, start, told = np.array(["1", "Y", "Y"]), np.array([0, 0, 128]), set()
    for rows in (slice(0, 3), slice(1, 3)):
        settings = TrackSettings(clip=1e9, missing="baseline")
        found = read_targets([path], chrom[rows], start[rows], BIN, settings, 0, ["1", "Y"], told)
        assert (found[:, 0] > 0).tolist() == (chrom[rows] == "1").tolist()
    assert caplog.text.count("no chromosome 'Y'; its signal is 0 there") == 1
    with pytest.raises(InputError, match=r"no chromosome 'Y'; this .* has chr1, none of the 1 that regions lie on"):
        read_targets([path], chrom[1:], start[1:], BIN, TrackSettings())


def test_peaks_and_masks_are_held_against_the_genome(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 1000}\n")
    (tmp_path / "black.bed").write_text("NC_000001.11\t0\t9\n")
    (tmp_path / "fine.bed").write_text("1\t0\t9\n")
    fine, black = str(tmp_path / "fine.bed"), str(tmp_path / "black.bed")
    with Genome(tmp_path / "g.fa") as genome:
        check_intervals(["a.bw", fine], [TrackSettings(blacklist=fine, unmappable=fine)], genome)
        for files, settings in (
            ([black], TrackSettings()),
            (["a.bw"], TrackSettings(blacklist=black)),
            (["a.bw"], TrackSettings(unmappable=black)),
        ):
            with pytest.raises(InputError, match=r"black.bed: none of its chromosomes \(NC_000001.11\) is in .*g.fa"):
                check_intervals(files, [settings], genome)


def test_peaks_are_tracks_of_0_and_1(tmp_path):
    path = tmp_path / "peaks.narrowPeak"
    path.write_text("chr1\t200\t300\tpeak1\t1000\t.\t5\t3\t2\t50\nchr1\t1280\t1281\tpeak2\n")
    found = read_targets([str(path)], CHROM, START, BIN, TrackSettings())[:, 0]
    assert np.flatnonzero(found).tolist() == [1, 2, 10]
    assert set(found) == {0, 1}


def test_each_track_has_settings_of_its_own(bigwig):
    found = read_targets([bigwig, bigwig], CHROM, START, BIN, [TrackSettings(clip=1e9), TrackSettings(clip=1.0)])
    assert np.array_equal(found[:, 1], np.minimum(found[:, 0], 1))


def test_unmappable_bins_are_left_out_and_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "unmappable.bed").write_text("chr1\t0\t200\nchr1\t1000\t1090\n")
    settings = TrackSettings(unmappable=str(tmp_path / "unmappable.bed"))
    usable = usable_bins(CHROM, START, BIN, settings)
    assert np.flatnonzero(~usable).tolist() == [0, 1, 8]
    assert f"{(~usable).sum()} of {len(START)} bins are excluded: unmappable" in caplog.text
