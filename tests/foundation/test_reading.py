import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.reading import reading


def test_any_exception_becomes_one_line_with_its_cause():
    with pytest.raises(InputError) as caught, reading("a.bw", "a bigWig file", "make it again"):
        raise RuntimeError("bad magic\nsecond line")
    assert str(caught.value) == "a.bw: not a bigWig file, or damaged (bad magic); make it again"
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_exception_without_words_is_named_by_its_kind():
    with pytest.raises(InputError, match=r"\(AssertionError\)$"), reading("a.bw", "a bigWig file"):
        raise AssertionError


def test_a_sentence_that_is_there_already_passes():
    with pytest.raises(InputError, match=r"^line 3$"), reading("a.bw", "a bigWig file"):
        raise InputError("line 3")


def test_too_little_memory_is_said():
    with pytest.raises(InputError, match="claims more than it holds"), reading("a.npz", "an .npz file"):
        raise MemoryError


def test_an_interruption_is_not_a_fault_of_the_file():
    with pytest.raises(KeyboardInterrupt), reading("a.npz", "an .npz file"):
        raise KeyboardInterrupt
