"""Tables of summary statistics on disk, read in pieces: text (plain, gzip, bgzip, zstd) and parquet.

pyarrow reads the text, in blocks, so that memory does not grow with the file, and a line without an end is an error.
"""

import csv
import re
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from fineprior.files.errors import InputError
from fineprior.files.reading import SPELLINGS, is_zstd, reading, unpacked

BLOCK_BYTES = 1 << 24
"""Text that is parsed at a time; about the length that a line can have."""
_HEADER_BYTES = 1 << 20
_WHAT = "a file of summary statistics"
_REMEDY = "is the file whole?"
_BYTE_ORDER_MARK = "\ufeff".encode()
PARQUET, VCF, TEXT = "parquet", "vcf", "text"

Piece = tuple[int, dict[str, pa.Array]]
"""Number of the first row in the source, and the columns by what they are."""


def kind_of(path: Path) -> str:
    """What a file is, by its first bytes: `PARQUET`, `VCF` (or BCF) or `TEXT`.

    Raises
    ------
    InputError
        There is no such file, or it is one that is not read (zip, xz, UTF-16).
    """
    with _stream(path) as stream:
        start = stream.read(32).removeprefix(_BYTE_ORDER_MARK)
    if start.startswith(b"PAR1"):
        return PARQUET
    return VCF if start.startswith((b"##fileformat=VCF", b"BCF\x02")) else TEXT


@contextmanager
def _stream(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked, within `reading`."""
    with (
        reading(path, _WHAT, _REMEDY),
        pa.input_stream(str(path), compression="zstd") if is_zstd(path) else unpacked(path) as stream,
    ):
        yield stream


@dataclass(frozen=True)
class TextTable:
    """A text table: names of its columns, and how its lines are to be read.

    skipped: lines up to the header and with it; delimiter: None where columns are set apart by any number of blanks;
    quoted: whether the header has quotation marks; spare: columns without a name at the end, which lines may lack.
    """

    path: Path
    columns: list[str]
    skipped: int
    delimiter: str | None
    quoted: bool
    spare: int = 0

    def pieces(self, places: Mapping[str, int]) -> Iterator[Piece]:
        """Columns as text, missing values as null; the number of the first row is that of its line.

        Parameters
        ----------
        places
            What is wanted -> number of the column.

        Raises
        ------
        InputError
            The file is damaged, lines differ in their number of columns, or one has no end.
        """
        line = self.skipped + 1
        with _stream(self.path) as stream, closing(self._blocks(stream)) as blocks:
            for block in blocks:
                for batch in self._read(block, line, sorted(set(places.values()))):
                    yield line, {key: batch.column(f"c{place}") for key, place in places.items()}
                    line += batch.num_rows

    def _blocks(self, stream: IO[bytes]) -> Generator[bytes, None, None]:
        """Whole lines after the header, about `BLOCK_BYTES` at a time; the next block is read meanwhile.

        All of them end in a line feed, whatever the file's end in.
        """
        rest, to_skip, lines, carried = b"", self.skipped, 0, b""
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(stream.read, BLOCK_BYTES)
            while data := reading.result():
                reading = reader.submit(stream.read, BLOCK_BYTES)
                if carried or b"\r" in data:
                    data, carried = _line_feeds(carried + data)
                end = data.rfind(b"\n") + 1
                if not end and len(rest) + len(data) > BLOCK_BYTES:
                    raise self._too_long(lines + 1)
                block, rest = (rest + data[:end], data[end:]) if end else (b"", rest + data)
                lines += block.count(b"\n")
                while to_skip and block:
                    block, to_skip = block[block.index(b"\n") + 1 :], to_skip - 1
                if block:
                    yield block
        rest += b"\n" if carried else b""
        for _ in range(to_skip):
            rest = rest.partition(b"\n")[2]
        if rest:
            yield rest

    def _read(self, block: bytes, line: int, columns: list[int]) -> list[pa.RecordBatch]:
        """A block of which the first line is `line`; what can be read in another way is."""
        text = block if self.delimiter else _squeezed(block)
        quoted = b'"' in text
        try:
            return self._parsed(text, line, columns, quoted)
        except _RaggedError as error:
            evened = self._evened(text)
            if evened is not None:
                try:
                    return self._parsed(evened, line, columns, quoted)
                except _RaggedError:
                    pass
            if quoted and not self.quoted:
                try:  # a quotation mark can be a sign like others
                    return self._parsed(text, line, columns, quoted=False)
                except _RaggedError:
                    pass
            raise InputError(str(error)) from None

    def _parsed(self, text: bytes, line: int, columns: list[int], quoted: bool) -> list[pa.RecordBatch]:
        ragged: list[pa.csv.InvalidRow] = []

        def stop(row: pa.csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        wanted = [f"c{place}" for place in columns]
        try:
            table = pa.csv.read_csv(
                pa.BufferReader(text),
                read_options=pa.csv.ReadOptions(
                    block_size=max(len(text) // 4, 1 << 20), column_names=[f"c{i}" for i in range(len(self.columns))]
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self.delimiter or " ", quote_char='"' if quoted else False,
                    ignore_empty_lines=False, invalid_row_handler=stop,
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted,
                    null_values=SPELLINGS, strings_can_be_null=True,
                ),
            )  # fmt: skip
        except pa.ArrowInvalid as error:
            lines = text.split(b"\n")
            if ragged:
                found = [(lines.index(text), row) for row in ragged if (text := row.text.encode()) in lines]
                if not found:  # one row in quotation marks over several lines
                    raise self._open_quote(lines, line) from None
                number, row = min(found, key=itemgetter(0))
                raise _RaggedError(self._why_ragged(row, line + number)) from None
            if "straddling" in str(error):
                raise self._too_long(line + max(range(len(lines)), key=lambda i: len(lines[i]))) from None
            wrong = next((i for i, one in enumerate(lines) if not _is_utf8(one)), None)
            if wrong is None:
                raise InputError(f"{self.path}, from line {line}: {' '.join(str(error).split())}") from None
            raise InputError(f"{self.path}, line {line + wrong}: not text in UTF-8") from None
        if quoted and table.num_rows != text.count(b"\n") + (not text.endswith(b"\n")):
            raise self._open_quote(text.split(b"\n"), line)
        return table.to_batches()

    def _evened(self, text: bytes) -> bytes | None:
        """Lines with as many columns as the header; None where a line has more or fewer that are not empty.

        Spreadsheets leave columns without a name behind, which some lines have and some have not, and lines of nothing
        but delimiters.
        """
        if not self.delimiter:
            return None
        sign, width = self.delimiter.encode(), len(self.columns)
        lines = text.split(b"\n")
        for number, one in enumerate(lines):
            cells = one.count(sign) + 1
            if b'"' in one:
                cells = len(_split(one.decode(errors="replace"), self.delimiter))
            if not one or cells == width:
                continue
            if cells > width and one.endswith(sign * (cells - width)):
                lines[number] = one[: -(cells - width)]
            elif cells < width and (width - cells <= self.spare or not one.strip(sign + b" ")):
                lines[number] = one + sign * (width - cells)
            else:
                return None
        return b"\n".join(lines)

    def _too_long(self, line: int) -> InputError:
        return InputError(f"{self.path}, line {line}: megabytes long; is it a table with one variant a line?")

    def _open_quote(self, lines: list[bytes], line: int) -> "_RaggedError":
        number = next((i for i, one in enumerate(lines) if one.count(b'"') % 2), 0)
        return _RaggedError(f"{self.path}, line {line + number}: a quotation mark that is not closed in its line")

    def _why_ragged(self, row: pa.csv.InvalidRow, line: int) -> str:
        hint = ""
        if row.actual_columns == 1 and row.expected_columns > 1:
            hint = "; is it cut off, or set apart by another sign than the header?"
        elif row.text.startswith("#"):
            hint = "; is it a comment? These stand before the header"
        elif row.actual_columns < row.expected_columns:
            hint = "; is the file cut off there?"
        elif row.actual_columns == row.expected_columns + 1:
            hint = "; a column of row names needs a name in the header"
        return (
            f"{self.path}, line {line}: {row.actual_columns} columns, but the header has {row.expected_columns}{hint}"
        )


class _RaggedError(Exception):
    """A line of a block has another number of columns than the header, or its quotation marks do not close."""


def _line_feeds(data: bytes) -> tuple[bytes, bytes]:
    """Line ends of any kind as line feeds; and a carriage return at the end, of which the next piece tells the kind."""
    carried = data[len(data.rstrip(b"\r")) :]
    data = data[: len(data) - len(carried)]
    return data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n"), carried


def _squeezed(block: bytes) -> bytes:
    """Each run of blanks as one blank, and none at the ends of lines; the lines stay as many."""
    block = block.replace(b"\t", b" ")
    while b"  " in block:
        block = block.replace(b"  ", b" ")
    return block.replace(b"\n ", b"\n").replace(b" \n", b"\n").strip(b" ")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def open_text(path: Path) -> TextTable:
    """Find the header of a text table, and what sets its columns apart (tab, comma or blanks).

    Lines before the header that begin with `#` are comments; the header itself may begin with it.

    Raises
    ------
    InputError
        The file is empty, not text, has a header of one column, or one that does not end.
    """
    with _stream(path) as stream:
        start = stream.read(_HEADER_BYTES)
    whole = len(start) < _HEADER_BYTES
    if not start.strip():
        raise InputError(f"{path}: the file is empty")
    if b"\0" in start:
        number = start[: start.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path}, line {number}: not a text file in UTF-8 (there is a byte of 0)")
    try:
        text = start.decode("utf-8-sig", errors="strict" if whole else "ignore")
    except UnicodeDecodeError as error:
        number = start[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {number}: not text in UTF-8") from None
    lines = _line_feeds(text.encode())[0].decode().split("\n")
    if len(lines) == 1 and not whole:
        raise InputError(f"{path}, line 1: megabytes long; is it a table with one variant a line?")
    lines = lines if whole else lines[:-1]
    skipped = _header_line(lines)
    header = lines[skipped] if skipped < len(lines) else ""
    if not header.strip():
        raise InputError(f"{path}: the file is empty, or its first line is")
    sign: str | None = _delimiter(header)
    if len(_split(header, sign)) == 1:
        other = next((sign for sign in ";|:" if sign in header), None)
        found = f"'{other}' in the header is not one of these" if other else f"the header is '{header[:50]}'"
        raise InputError(f"{path}: one column; columns must be separated by tabs, commas or spaces ({found})")
    if sign == " " and any("  " in line or line.startswith(" ") or line.rstrip("\r\n") != line.rstrip()
                           for line in lines[skipped:] if line):  # fmt: skip
        sign = None
    columns = [name.strip().strip('"').strip() for name in _split(header, sign)]
    spare = next((i for i, name in enumerate(reversed(columns)) if name), 0)
    return TextTable(path, columns, skipped + 1, sign, '"' in header, spare)


def _header_line(lines: list[str]) -> int:
    """Index of the header: past comments, which begin with `#` and are not a header of what follows.

    A first line like `sep=,` is a spreadsheet's.
    """
    for i, line in enumerate(lines):
        if i == 0 and re.fullmatch(r'"?sep=.?"?', line):
            continue
        if not line.startswith("#"):
            return i
        following = lines[i + 1] if i + 1 < len(lines) else ""
        sign, columns = _delimiter(line), _split(line, _delimiter(line))
        if line.startswith("##") or following.startswith("#") or len(columns) == 1:
            continue
        if len(_split(following, sign)) in (0, len(columns)):
            return i
    return len(lines)


def _delimiter(header: str) -> str:
    return next((sign for sign in "\t," if sign in header), " ")


def _split(line: str, sign: str | None) -> list[str]:
    if not line.strip():
        return []
    if '"' in line:
        blanks = sign in (None, " ")
        fields = csv.reader([line.strip() if blanks else line], delimiter=sign or " ", skipinitialspace=blanks)
        return [field for field in next(fields) if field or not blanks]
    return line.split() if sign in (None, " ") else line.split(sign)


@dataclass(frozen=True)
class ParquetTable:
    """A parquet table; rows are counted from 1."""

    path: Path
    columns: list[str]

    def pieces(self, places: Mapping[str, int]) -> Iterator[Piece]:
        """As `TextTable.pieces`, with columns of the types that the file has."""
        names = {self.columns[place] for place in places.values()}
        row = 1
        with reading(self.path, _WHAT, _REMEDY), pa.parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=1 << 18, columns=sorted(names)):
                yield row, {key: self._plain(batch, self.columns[place]) for key, place in places.items()}
                row += batch.num_rows

    def _plain(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        """A column of numbers or text; some writers leave text as bytes."""
        column, types = batch.column(name), pa.types
        kind = column.type.value_type if types.is_dictionary(column.type) else column.type
        if types.is_binary(kind) or types.is_large_binary(kind):
            return pa.compute.cast(column, pa.string())
        if not any(check(kind) for check in (types.is_integer, types.is_floating, types.is_decimal, types.is_string,
                                             types.is_large_string, types.is_null)):  # fmt: skip
            raise InputError(f"{self.path}: column '{name}' holds {kind}; numbers or text are needed")
        return column


def open_parquet(path: Path) -> ParquetTable:
    """Open a parquet table.

    Raises
    ------
    InputError
        The file is damaged.
    """
    with reading(path, _WHAT, _REMEDY):
        return ParquetTable(path, list(pa.parquet.read_schema(path).names))
