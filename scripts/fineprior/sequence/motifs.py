"""Transcription factor motifs: position weight matrices, sites, expected number of bound sites per bin.

The same occupancy is the target of the shipped backbone's pretraining and the ground of the embedded study's
regulatory grammar. A site is bound with probability sigmoid(log odds - threshold), as in a two-state
thermodynamic model in which the threshold is the chemical potential (Granek & Clarke, Genome Biology 2005).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of

UNKNOWN = 4
"""Code of N; A, C, G, T are 0, 1, 2, 3."""
_WORD = 8
_STEP = 0.01
_BLOCK = 1 << 19


@dataclass(frozen=True)
class Motif(ReadOnly):
    """A motif as probabilities (width, 4) of A, C, G, T in each column of a site."""

    motif_id: str
    name: str
    probabilities: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Number of columns (bp)."""
        return len(self.probabilities)

    @property
    def log_odds(self) -> NDArray[np.float64]:
        """Natural-log odds (width, 4) against a uniform background of 0.25."""
        return np.log(self.probabilities / 0.25)

    @property
    def consensus(self) -> NDArray[np.uint8]:
        """Codes (width,) of the most likely base of each column."""
        consensus: NDArray[np.uint8] = self.probabilities.argmax(1).astype(np.uint8)
        return consensus


def read_motifs(path: str | Path) -> list[Motif]:
    """Read motifs from a MEME text file.

    Raises
    ------
    InputError
        If there is no motif, an alphabet other than ACGT, a matrix with the wrong number of rows or
        columns, a value that is not a probability above 0, a row that does not sum to 1, or a repeated id.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such motif file")
    with text_of(path, "a MEME motif file") as text:
        lines = text.read().splitlines()
    if not any(line.startswith("MEME version") for line in lines):
        raise InputError(f"{path}: not a MEME motif file, it has no line 'MEME version'")
    motifs: list[Motif] = []
    motif_id = name = ""
    for number, line in enumerate(lines, 1):
        words = line.split()
        if line.startswith("ALPHABET") and line.replace(" ", "") != "ALPHABET=ACGT":
            raise InputError(f"{path}, line {number}: '{line}' is not allowed, only 'ALPHABET= ACGT'")
        if line.startswith("MOTIF"):
            if len(words) < 2:
                raise InputError(f"{path}, line {number}: MOTIF without an id")
            motif_id, name = words[1], words[2] if len(words) > 2 else words[1]
            if motif_id in {motif.motif_id for motif in motifs}:
                raise InputError(f"{path}, line {number}: motif {motif_id} occurs twice")
        elif line.startswith("letter-probability matrix"):
            if not motif_id:
                raise InputError(f"{path}, line {number}: a matrix before the first MOTIF line")
            motifs.append(Motif(motif_id, name, _read_matrix(path, lines, number, motif_id)))
    if not motifs:
        raise InputError(f"{path}: no motif found")
    return motifs


def _read_matrix(path: Path, lines: Sequence[str], number: int, motif_id: str) -> NDArray[np.float64]:
    """Rows of probabilities after line `number`, the matrix header, whose w= says how many."""
    where = f"{path}, line {number}: motif {motif_id}"
    words = lines[number - 1].replace("=", "= ").split()
    with reading(where, "a matrix with w= and rows of four numbers"):
        width = int(words[words.index("w=") + 1])
        rows = [[float(word) for word in line.split()] for line in lines[number : number + width]]
    if width < 1 or len(rows) != width or any(len(row) != 4 for row in rows):
        raise InputError(f"{where}: the matrix needs w={width} rows of four numbers")
    matrix = np.array(rows)
    if not (np.isfinite(matrix).all() and (matrix > 0).all()):
        raise InputError(f"{where}: every probability must be above 0 (add a pseudocount)")
    if np.abs(matrix.sum(1) - 1).max() > 1e-3:
        raise InputError(f"{where}: row {int(np.abs(matrix.sum(1) - 1).argmax()) + 1} does not sum to 1")
    return matrix


def _words(codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Index (length,) of the 8-mer that starts at each base; what lies beyond the end reads as A."""
    padded = np.zeros(len(codes) + _WORD, dtype=np.int32)
    padded[: len(codes)] = codes & 3
    # Doubling: 2-mers from bases, 4-mers from 2-mers, 8-mers from 4-mers.
    for size in (1, 2, 4):
        padded[:-size] = (padded[:-size] << (2 * size)) | padded[size:]
    return padded[: len(codes)]


def _score_words(words: NDArray[np.int32], codes: NDArray[np.uint8], motif: Motif) -> NDArray[np.float32]:
    """Log odds (2, length), natural, of a site at each start position: row 0 forward, row 1 the reverse strand.

    Both are at the leftmost base of the site. Sites that leave the sequence or contain N have -inf.
    """
    length, starts = len(codes), len(codes) - motif.width + 1
    scores = np.full((2, length), -np.inf, dtype=np.float32)
    if starts < 1:
        return scores
    for strand, log_odds in enumerate((motif.log_odds, motif.log_odds[::-1, ::-1])):
        first, *others = _word_tables(log_odds.tobytes())
        total = first[words[:starts]]
        for part, table in enumerate(others, 1):
            total += table[words[part * _WORD : part * _WORD + starts]]
        scores[strand, :starts] = total
    unknown = np.concatenate([[0], np.cumsum(codes >= UNKNOWN)])
    scores[:, :starts][:, unknown[motif.width :] > unknown[: length - motif.width + 1]] = -np.inf
    return scores


@lru_cache(maxsize=256)
def _word_tables(log_odds_bytes: bytes) -> list[NDArray[np.float32]]:
    """For each 8 columns of a matrix the score of all 65,536 words."""
    log_odds = np.frombuffer(log_odds_bytes).reshape(-1, 4)
    tables = []
    for start in range(0, len(log_odds), _WORD):
        part = log_odds[start : start + _WORD]
        table = np.zeros(1)
        for column in [*part, *np.zeros((_WORD - len(part), 4))]:
            table = (table[:, None] + column).ravel()
        tables.append(table.astype(np.float32))
    return tables


def site_thresholds(motifs: Sequence[Motif], p_value: float = 1e-4) -> NDArray[np.float64]:
    """Log odds at which a site is bound half of the time, one per motif.

    The threshold is the score that a random site (uniform bases, one strand) reaches with probability
    `p_value`, from the exact score distribution on a grid of 0.01 (Staden 1989), but at least 0.5 and at most
    0.85 of the best possible score: otherwise one base could not unbind a site of a long motif, and the
    consensus of a short one would be unbound.
    """
    return np.array([_threshold(motif.log_odds, p_value) for motif in motifs])


def _threshold(log_odds: NDArray[np.float64], p_value: float) -> float:
    lowest = log_odds.min(1)
    steps = np.round((log_odds - lowest[:, None]) / _STEP).astype(np.int64)
    distribution = np.ones(1)
    for column in steps:
        wider = np.zeros(len(distribution) + int(column.max()))
        for step in column:
            wider[step : step + len(distribution)] += distribution / 4
        distribution = wider
    tail = np.cumsum(distribution[::-1])[::-1]
    reached = np.flatnonzero(tail <= p_value)
    best = float(log_odds.max(1).sum())
    quantile = float(lowest.sum()) + _STEP * int(reached[0]) if len(reached) else best
    return min(max(quantile, 0.5 * best), 0.85 * best)


def occupancy(
    codes: NDArray[np.uint8],
    motifs: Sequence[Motif],
    bin_size: int = 128,
    thresholds: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Expected number of bound sites of each motif in each bin.

    The sum over sites and strands of sigmoid(log odds - threshold). A site belongs to the bin of its centre,
    which is base width // 2 counted along the motif's own strand: reversing and complementing a sequence of
    whole bins reverses the bins.

    Parameters
    ----------
    codes
        Bases (length,) as 0-3 for A, C, G, T and 4 for N.
    motifs, thresholds
        Motifs and the log odds of half occupancy (`site_thresholds` by default).
    bin_size
        Width of a bin (bp); a last bin that is not whole counts.

    Returns
    -------
    occupancy
        (bins, motifs) expected counts, bins = ceil(length / bin_size).
    """
    if thresholds is None:
        thresholds = site_thresholds(motifs)
    bins = -(-len(codes) // bin_size)
    result = np.zeros((bins, len(motifs)), dtype=np.float64)
    overlap = max((motif.width for motif in motifs), default=1) - 1
    block = max(1, _BLOCK // bin_size) * bin_size
    for start in range(0, len(codes), block):
        piece = codes[start : start + block + overlap]
        words = _words(piece)
        for column, motif in enumerate(motifs):
            scores = _score_words(words, piece, motif)[:, :block]
            bound = _sigmoid(scores - np.float32(thresholds[column]))
            for strand, centre in enumerate((motif.width // 2, (motif.width - 1) // 2)):
                # Sites that start in this block may have their centre in the first bin of the next.
                shifted = np.zeros(-(-(bound.shape[1] + centre) // bin_size) * bin_size, dtype=np.float32)
                shifted[centre : centre + bound.shape[1]] = bound[strand]
                sums = shifted.reshape(-1, bin_size).sum(1, dtype=np.float64)
                first = start // bin_size
                kept = min(len(sums), bins - first)
                result[first : first + kept, column] += sums[:kept]
    return result.astype(np.float32)


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logistic function, in place; -inf gives 0."""
    np.negative(values, out=values)
    with np.errstate(over="ignore"):
        np.exp(values, out=values)
    values += 1
    return np.reciprocal(values, out=values)
