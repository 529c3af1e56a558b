import bz2
import gzip
import lzma
import tracemalloc

import pysam
import pytest

from fineprior.files import reading as module
from fineprior.files.errors import InputError
from fineprior.files.reading import text_lines

LINES = ["chr1\t1\t2", "", "chr2\t3\t4"]


def read(path):
    return list(text_lines(path, "a BED file"))


@pytest.mark.parametrize("name", ["a.bed", "a.bed.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_compression_marks_and_line_ends_make_no_difference(tmp_path, name, end, mark, pack):
    (tmp_path / name).write_bytes(pack((mark + end.join(LINES)).encode()))
    assert read(tmp_path / name) == list(enumerate(LINES, 1))


def test_bgzip_is_read_and_one_that_is_cut_at_a_block_is_named(tmp_path):
    text = "".join(f"chr1\t{i}\t{i + 1}\n" for i in range(20_000))
    (tmp_path / "a.bed").write_text(text)
    pysam.tabix_compress(str(tmp_path / "a.bed"), str(tmp_path / "b.bed"))
    assert [line for _, line in read(tmp_path / "b.bed")] == text.splitlines()
    whole = (tmp_path / "b.bed").read_bytes()
    (tmp_path / "b.bed").write_bytes(whole[: int.from_bytes(whole[16:18], "little") + 1])
    with pytest.raises(InputError, match=r"b\.bed: cut off: the last block of a file of bgzip is not there"):
        read(tmp_path / "b.bed")


def test_files_joined_by_cat_keep_no_mark_within_them(tmp_path):
    (tmp_path / "a.bed").write_bytes(2 * "\ufeffchr1\t1\t2\n".encode())
    assert read(tmp_path / "a.bed") == [(1, LINES[0]), (2, LINES[0])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a.bed: no such file"),
        ("chr1\n".encode("utf-16"), "a.bed: text in UTF-16: save it as UTF-8"),
        ("chr1\n".encode("utf-16-le"), r"a.bed, line 1: not text in UTF-8 \(a byte is 0\)"),
        (b"chr1\t\xe9\n", r"a.bed: not a text file in UTF-8 \(invalid continuation byte\)"),
        (gzip.compress(b"chr1\t1\t2\n" * 999)[:-9], "a.bed: not a BED file, or damaged .*is the file whole"),
        (gzip.compress(b"chr1\t1\t2\n") + b"more", "a.bed: not a BED file, or damaged .*is the file whole"),
        (bz2.compress(b"chr1\n"), "a.bed: compressed by bzip2: unpack it"),
        (lzma.compress(b"chr1\n"), "a.bed: compressed by xz: unpack it"),
        (b"\x28\xb5\x2f\xfd123", "a.bed: compressed by zstd: unpack it"),
        (b"PK\x03\x04123", "a.bed: a zip archive or an Excel file"),
        (gzip.compress(lzma.compress(b"chr1\n")), "a.bed: compressed by xz: unpack it"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.bed").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.bed")


@pytest.mark.slow
def test_one_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    (tmp_path / "a.bed").write_bytes(gzip.compress(b"chr1\t1\t2\n" + b"A" * (1 << 26)))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a.bed, line 2: longer than 1,048,576 characters; is it a BED file\?"):
        read(tmp_path / "a.bed")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_lines_are_read_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_LINE", 100)
    (tmp_path / "a.bed").write_text("".join(f"{line}\n" for line in LINES) + "A" * 200)
    lines = text_lines(tmp_path / "a.bed", "a BED file")
    assert [next(lines)[1] for _ in LINES] == LINES
