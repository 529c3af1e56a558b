import numpy as np
import pandas as pd
import pyBigWig
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.project.settings import TrackSettings
from fineprior.sequence import target_parts
from fineprior.sequence.target_parts import region_files
from fineprior.sequence.tracks import bin_starts, read_targets

LENGTH, WIDTH, BIN, BINS = 20_000, 1000, 50, 8


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Genome with N at 3,600-3,800, two tracks, 15 regions; parts of four regions."""
    rng = np.random.default_rng(1)
    bases = rng.choice(list("ACGT"), LENGTH)
    bases[3600:3800] = "N"
    (tmp_path / "genome.fa").write_text(">chr1\n" + "".join(bases) + "\n")
    paths = []
    for name in ("one", "two"):
        paths.append(str(tmp_path / f"{name}.bw"))
        with pyBigWig.open(paths[-1], "w") as track:
            track.addHeader([("chr1", LENGTH)])
            track.addEntries("chr1", 0, values=rng.gamma(1, 2, LENGTH).tolist(), span=1, step=1)
    starts = np.arange(15) * WIDTH + 200
    regions = pd.DataFrame({"chrom": "chr1", "start": starts, "end": starts + WIDTH, "split": ["train"] * 15})
    monkeypatch.setattr(target_parts, "PART_BYTES", 4 * BINS * 2 * 4)
    return tmp_path, paths, regions


PLAIN = (TrackSettings(), TrackSettings())


def read(files, each=PLAIN):
    folder, paths, regions = files
    with Genome(folder / "genome.fa") as genome:
        found = region_files(genome, regions, paths, list(each), BIN, BINS, folder / "store")
        return found, found.codes[np.array([3, 0])]


def test_parts_hold_what_reading_at_once_gives(files):
    folder, paths, regions = files
    found, codes = read(files)
    starts = bin_starts(regions, BIN, BINS)
    whole = read_targets(paths, np.full(starts.size, "chr1"), starts.ravel(), BIN, TrackSettings()).reshape(15, BINS, 2)
    rows = np.array([14, 0, 5, 5])
    assert np.array_equal(found.targets[rows], whole[rows])
    assert len(list((folder / "store" / found.identity).glob("part-*.npy"))) == 4
    with Genome(folder / "genome.fa") as genome:
        assert np.array_equal(codes, [genome.codes("chr1", 3200, 4200), genome.codes("chr1", 200, 1200)])


def test_a_killed_reading_goes_on_behind_its_last_part(files, monkeypatch):
    read_of = []
    original = target_parts.read_targets

    def counted(*arguments):
        read_of.append(1)
        if len(read_of) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(target_parts, "read_targets", counted)
    with pytest.raises(KeyboardInterrupt):
        read(files)
    found, _ = read(files)
    assert len(read_of) == 3 + 2
    assert np.isfinite(found.targets[np.arange(15)]).all()


def test_bins_of_unknown_bases_are_left_out_and_counted(files, caplog):
    caplog.set_level("INFO")
    own = TrackSettings(max_n=0.5)
    found, _ = read(files, (own, own))
    unusable = ~np.isfinite(found.targets[np.arange(15)])
    starts = bin_starts(files[2], BIN, BINS)
    assert np.array_equal(unusable[..., 0], (starts >= 3600) & (starts < 3800))
    assert unusable[..., 0].sum() > 0
    assert "bins are excluded: unknown bases" in caplog.text


def test_other_settings_have_another_folder(files):
    assert read(files)[0].identity != read(files, (PLAIN[0], TrackSettings(scale=2.0)))[0].identity


def turned(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        turned,
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.with_name("part-00001.npy").read_bytes()),
    ],
    ids=["a turned bit", "cut", "empty", "another part"],
)
def test_a_damaged_part_is_named_and_read_again(files, spoil, caplog):
    found, _ = read(files)
    before = found.targets[np.arange(15)]
    part = files[0] / "store" / found.identity / "part-00002.npy"
    spoil(part)
    again, _ = read(files)
    assert f"{part}: damaged" in caplog.text
    assert np.array_equal(again.targets[np.arange(15)], before, equal_nan=True)


def test_a_part_that_is_damaged_later_is_one_line(files):
    found, _ = read(files)
    turned(files[0] / "store" / found.identity / "part-00002.npy")
    with pytest.raises(InputError, match=r"part-00002\.npy: damaged"):
        found.targets[np.arange(15)]


def test_a_part_that_is_gone_later_is_one_line(files):
    found, _ = read(files)
    min(files[0].rglob("part-*.npy")).unlink()
    with pytest.raises(InputError, match=r"part-00000\.npy: no such file"):
        found.targets[np.arange(4)]
