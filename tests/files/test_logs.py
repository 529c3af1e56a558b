"""A driver's log: one line for a user's mistake, a traceback for ours, both in the log file."""

import errno
import logging

import pytest

from fineprior.files import logs
from fineprior.files.errors import InputError
from fineprior.files.logs import Progress, log_to
from fineprior.files.reading import reading


def test_a_mistake_is_one_line_and_exit_code_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, log_to(tmp_path / "logs/a.log", "finemap trait"):
        raise InputError("gwas.tsv: row 3: p = 1.2")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "[finemap trait] error: gwas.tsv: row 3: p = 1.2\n"
    assert (tmp_path / "logs/a.log").read_text().endswith("ERROR error: gwas.tsv: row 3: p = 1.2\n")


def test_a_mistake_found_by_another_exception_leaves_the_traceback_in_the_log_only(tmp_path, capsys):
    with pytest.raises(SystemExit), log_to(tmp_path / "a.log", "x"), reading("a.bw", "a bigWig file"):
        raise OSError("cut")
    assert capsys.readouterr().err == "[x] error: a.bw: not a bigWig file, or damaged (cut)\n"
    assert "OSError: cut" in (tmp_path / "a.log").read_text()


def test_our_own_error_leaves_its_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), log_to(tmp_path / "a.log", "x"):
        1 / 0  # noqa: B018
    assert "Traceback" in (tmp_path / "a.log").read_text()


def test_progress_of_the_library_is_shown_and_that_of_others_is_not(tmp_path, capsys):
    with log_to(tmp_path / "a.log", "x"):
        logging.getLogger("fineprior.model").info("50 of 100")
        logging.getLogger("msprime").info("noise")
    assert capsys.readouterr().err == "[x] 50 of 100\n"


def test_logging_is_afterwards_as_before(tmp_path, caplog):
    loggers = logging.getLogger(), logging.getLogger("fineprior")
    before = [(one.level, list(one.handlers)) for one in loggers]
    with log_to(tmp_path / "a.log", "x"):
        logging.getLogger("fineprior.model").info("half done")
    assert [(one.level, one.handlers) for one in loggers] == before
    assert "half done" in caplog.text


def test_progress_tells_rate_and_time_left(caplog, monkeypatch):
    clock = iter([0, 6, 12, 18, 11_000, 12_000])
    monkeypatch.setattr(logs.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, logger="fineprior"):
        progress = Progress(22, "variants")
        for number in (3, 3, 3, 1):
            progress.advance(number)
        progress.leave_out(2)
        progress.finish()
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "6 of 22 variants, 0.5 per second, 32 s left",
        "10 of 22 variants, 0.000909 per second, 3.7 h left",
        "20 variants in 12000.0 s",
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EFBIG, "File too large"),
            "too large to be written (File too large); raise the limit (ulimit -f)",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left to write it (No space left on device); make"),
        (PermissionError(errno.EACCES, "Permission denied", "out/a.tsv"), "out/a.tsv: Permission denied"),
    ],
)
def test_what_cannot_be_written_is_one_line_whoever_writes_it(tmp_path, capsys, error, words):
    with pytest.raises(SystemExit), log_to(tmp_path / "a.log", "x"):
        raise error
    said = capsys.readouterr().err
    assert said.startswith(f"[x] error: {words}")
    assert said.count("\n") == 1
    assert "Traceback" in (tmp_path / "a.log").read_text()
