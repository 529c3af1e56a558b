import gzip
import lzma
from pathlib import Path

import pysam
import pytest

from fineprior.files import reading as module
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of


def test_any_exception_becomes_one_line_with_its_cause():
    with pytest.raises(InputError) as caught, reading("a.bw", "a bigWig file", "make it again"):
        raise RuntimeError("bad magic\nsecond line")
    assert str(caught.value) == "a.bw: not a bigWig file, or damaged (bad magic); make it again"
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_exception_without_words_is_named_by_its_kind():
    with pytest.raises(InputError, match=r"\(AssertionError\)$"), reading("a.bw", "a bigWig file"):
        raise AssertionError


def test_advice_to_load_a_file_in_a_way_that_may_run_code_is_not_passed_on(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"made": Path(tmp_path)}, tmp_path / "a.pt")
    with pytest.raises(InputError) as caught, reading(tmp_path / "a.pt", "a checkpoint", "remove it"):
        torch.load(tmp_path / "a.pt", weights_only=True)
    assert str(caught.value).endswith("a.pt: not a checkpoint, or damaged (it does not hold tensors alone); remove it")


def test_a_sentence_that_is_there_already_passes():
    with pytest.raises(InputError, match=r"^line 3$"), reading("a.bw", "a bigWig file"):
        raise InputError("line 3")


def test_too_little_memory_is_said():
    with pytest.raises(InputError, match="claims more than it holds"), reading("a.npz", "an .npz file"):
        raise MemoryError


def test_an_interruption_is_not_a_fault_of_the_file():
    with pytest.raises(KeyboardInterrupt), reading("a.npz", "an .npz file"):
        raise KeyboardInterrupt


def test_what_cannot_be_printed_and_what_is_long_is_shortened():
    with pytest.raises(InputError) as caught, reading("a.npz", "an .npz file"):
        raise ValueError("\x00\x1b[31m" + 5000 * "x")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_files_that_are_absent_or_folders_are_said(tmp_path):
    with pytest.raises(InputError, match=r"no: no such file$"), reading(tmp_path / "no", "a table"):
        (tmp_path / "no").read_bytes()
    with pytest.raises(InputError, match="a folder, not a file"), reading(tmp_path, "a table"):
        tmp_path.read_bytes()


TEXT = "a\tb\n1\tä\n"
SAVED = {
    "plain": TEXT.encode(), "Windows": ("\ufeff" + TEXT.replace("\n", "\r\n")).encode(),
    "old Mac": TEXT.replace("\n", "\r").encode(), "gzip": gzip.compress(TEXT.encode()),
    "two members": gzip.compress(TEXT[:3].encode()) + gzip.compress(TEXT[3:].encode()),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
def test_text_is_read_however_it_was_saved(tmp_path, name):
    (tmp_path / "a").write_bytes(SAVED[name])
    with text_of(tmp_path / "a", "a table") as text:
        assert text.read() == TEXT


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode("utf-16"), "text in UTF-16: save it as UTF-8"),
        (b"BZh91AY", "compressed by bzip2: unpack it"),
        (b"PK\x03\x04....", "a zip archive or an Excel file: unpack it"),
        (b"caf\xe9\n", r"not a text file in UTF-8 \(invalid continuation byte\); is it a table\?"),
        (gzip.compress(TEXT.encode())[:-9], "not a table, or damaged .*ended before"),
        (gzip.compress(TEXT.encode())[:-8] + bytes(8), "not a table, or damaged .*CRC"),
        (gzip.compress(bytes(range(256)))[:14] + b"\xff" * 20, "not a table, or damaged "),
    ],
)
def test_text_that_cannot_be_read_is_named(tmp_path, content, words):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=words), text_of(tmp_path / "a", "a table") as text:
        text.read()


@pytest.mark.parametrize(
    ("inside", "words"),
    [(TEXT.encode("utf-16"), "text in UTF-16"), (lzma.compress(TEXT.encode()), "compressed by xz: unpack it")],
)
def test_what_is_packed_within_gzip_is_named_too(tmp_path, inside, words):
    (tmp_path / "a.gz").write_bytes(gzip.compress(inside))
    with pytest.raises(InputError, match=words), text_of(tmp_path / "a.gz", "a table"):
        pass


def test_a_file_of_bgzip_that_ends_between_two_blocks_is_cut_off(tmp_path):
    (tmp_path / "a").write_text("1\t2\n" * 50_000)
    pysam.tabix_compress(str(tmp_path / "a"), str(tmp_path / "a.gz"))
    whole = (tmp_path / "a.gz").read_bytes()
    with text_of(tmp_path / "a.gz", "a table") as text:
        assert text.read() == (tmp_path / "a").read_text()
    (tmp_path / "a.gz").write_bytes(whole[: int.from_bytes(whole[16:18], "little") + 1])
    with pytest.raises(InputError, match=r"a\.gz: cut off"), text_of(tmp_path / "a.gz", "a table"):
        pass


def parts(path):
    with text_of(path, "a table") as text:
        yield from iter(lambda: text.read(1 << 16), "")


def test_a_bomb_is_not_unpacked_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BOMB_BYTES", 1 << 18)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(1 << 22)))
    done = []
    with pytest.raises(InputError, match="unpacks to more than 200 times its size"):
        done.extend(map(len, parts(tmp_path / "a.gz")))
    assert 1 << 17 < sum(done) < 1 << 21
    monkeypatch.setattr(module, "_BOMB_BYTES", 1 << 28)
    with text_of(tmp_path / "a.gz", "a table") as text:
        assert len(text.read()) == 1 << 22
