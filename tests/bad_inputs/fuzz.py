"""Fuzzing of the readers of users' files: one server, a child for each reader, an outcome for each spoiled input.

    python tests/bad_inputs/fuzz.py [READER ...]      prints the outcomes of these readers, or of all

A file is spoiled by flipping bits, by cutting it, by blanking a stretch of it, or by false claims (large, negative or
odd numbers in place of others). The reader works in a child, so that a signal or a hang is an outcome like others.
"""

import hashlib
import json
import logging
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import is_dataclass
from pathlib import Path

import numpy as np

SEEDS = int(os.environ.get("FUZZ_SEEDS", "200"))
SECONDS = 20
"""For one spoiled input."""
MEMORY = 1 << 30
"""Bytes by which a reader may grow while it reads what is a few kilobytes."""
REFUSED, SAME, OTHER = "refused", "same value", "other value"
_INTEGERS = [0, 1, 2**7, 2**15 - 1, 2**16 - 1, 2**30, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
_WORDS = ["0", "-1", "-9", "1e400", "nan", "inf", "99999999999999999999", "2147483648", "1e9", "\u00b2", "", "x",
          "4.5", "0x10", "1_0", "9" * 400, "\0", "\ud800", '"', "\ufeff"]  # fmt: skip


def spoiled(content, seed):
    """The bytes with something wrong."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    way = ("flip", "flips", "cut", "blank", "integer", "word", "twice", "gone")[seed % 8]
    if not data:
        return b"\xff"
    # Half of the damage to the first or last bytes, where headers and indices are.
    edge = int(rng.integers(min(len(data), 256)))
    at = int(rng.choice([rng.integers(len(data)), edge, len(data) - 1 - edge], p=[0.5, 0.3, 0.2]))
    length = int(rng.integers(1, 64))
    if way in {"flip", "flips"}:
        for place in [at, *rng.integers(len(data), size=7 if way == "flips" else 0).tolist()]:
            data[place] ^= 1 << int(rng.integers(8))
    elif way == "cut":
        del data[at:]
    elif way == "blank":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif way == "integer":
        size = int(rng.choice([1, 2, 4, 8]))
        value = int(rng.choice(np.array(_INTEGERS, object))) % 256**size
        data[at : at + size] = value.to_bytes(size, str(rng.choice(["little", "big"])))[: len(data[at : at + size])]
    elif way == "word":
        found = list(re.finditer(rb"-?[0-9][0-9.e+-]*|\w+", bytes(data)))
        word = _WORDS[int(rng.integers(len(_WORDS)))].encode(errors="surrogatepass")
        match = found[int(rng.integers(len(found)))] if found else None
        data[slice(*match.span()) if match else slice(at, at + 1)] = word
    elif way == "twice":
        data[at:at] = data[at : at + length]
    else:
        del data[at : at + length]
    return bytes(data)


def digest(value):
    """A name of a value: equal for equal values."""
    found = hashlib.sha256()

    def add(one):
        found.update(type(one).__name__.encode() + b"|")
        if hasattr(one, "detach"):
            one = one.detach().numpy()
        if hasattr(one, "to_numpy"):
            add(list(getattr(one, "columns", [])))
            for column in one.columns if hasattr(one, "columns") else [None]:
                values = (one if column is None else one[column]).to_numpy()
                add(values.tolist() if values.dtype.kind not in "fiub" else values)
        elif isinstance(one, np.ndarray):
            found.update(f"{one.dtype}{one.shape}".encode())
            found.update(
                repr(one.tolist()).encode() if one.dtype.kind in "OUS" else np.ascontiguousarray(one).tobytes()
            )
        elif isinstance(one, dict):
            for key in one:
                add(key)
                add(one[key])
        elif isinstance(one, list | tuple):
            for each in one:
                add(each)
        elif is_dataclass(one):
            add(vars(one))
        else:
            found.update(repr(one).encode())

    add(value)
    return found.hexdigest()


def _in_child(reader, folder, seeds, out):
    """Read one spoiled input after another; a line before and one after each."""
    from fineprior.files.errors import InputError

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    sound = {name: (folder / name).read_bytes() for name in reader.files}
    expected = digest(reader.read(folder))
    limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 4 * MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for seed in seeds:
        name = reader.files[(seed // 8) % len(reader.files)]
        (folder / name).write_bytes(spoiled(sound[name], seed))
        out.write(json.dumps({"seed": seed, "file": name}) + "\n")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        said = ""
        try:
            outcome = SAME if digest(reader.read(folder)) == expected else OTHER
        except InputError as error:
            outcome, said = REFUSED, str(error)
            if "\n" in said or len(said) > 1000:
                outcome = "fault: not one line"
        except BaseException as error:
            outcome = f"fault: {type(error).__name__}"
            said = "".join(traceback.format_exception(error)[-4:])
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        outcome = f"fault: took {grown >> 20} MB" if grown > MEMORY else outcome
        out.write(json.dumps({"seed": seed, "outcome": outcome, "said": said}) + "\n")
        for path in folder.iterdir():  # an index that was made for the spoiled file, say
            if path.name not in reader.there:
                path.unlink() if path.is_file() else shutil.rmtree(path)
        for each in {name, *reader.made}:
            (folder / each).write_bytes(sound[each] if each in sound else reader.made[each])


def _followed(child, receive, found):
    """Take up what a child says until it ends; what it was at, and whether it hung there."""
    begun, text = {}, ""
    with os.fdopen(receive, "rb", buffering=0) as lines:
        while True:
            if not select.select([lines], [], [], SECONDS)[0]:
                os.kill(child, signal.SIGKILL)
                return begun, True
            data = lines.read(1 << 16)
            if not data:
                return begun, False
            text += data.decode()
            *whole, text = text.split("\n")
            for line in map(json.loads, whole):
                if "outcome" in line:
                    found.append(begun | line)
                begun = {} if "outcome" in line else line


def run(reader, folder, seeds=range(SEEDS)):
    """Outcomes of a reader: rows of seed, file, outcome and what was said."""
    reader.build(folder)
    reader.there = {path.name for path in folder.iterdir()}
    reader.made = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    found, waiting = [], list(seeds)
    while waiting:
        for name, content in reader.made.items():
            (folder / name).write_bytes(content)
        receive, send = os.pipe()
        child = os.fork()
        if not child:
            code = 1
            try:
                os.close(receive)
                with os.fdopen(send, "w", buffering=1) as out:
                    _in_child(reader, folder, waiting, out)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(send)
        begun, hang = _followed(child, receive, found)
        status = os.waitpid(child, 0)[1]
        if begun:
            why = "fault: hang" if hang else f"fault: signal {os.WTERMSIG(status)}"
            found.append(begun | {"outcome": why, "said": ""})
        elif status:
            raise RuntimeError(f"{reader.name}: the sound input cannot be read (status {status})")
        done = {row["seed"] for row in found}
        waiting = [seed for seed in waiting if seed not in done]
    return found


def serve():
    """Names of readers in, their outcomes out, a line each."""
    from bad_inputs.fuzz_readers import READERS

    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        try:
            out.write(json.dumps(run(READERS[line.strip()], folder)) + "\n")
        except BaseException as error:
            out.write(json.dumps({"failed": "".join(traceback.format_exception(error))}) + "\n")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A process of its own, which has no threads when it forks."""

    def __init__(self):
        tests = Path(__file__).parents[1]
        path = os.pathsep.join(map(str, [tests, tests.parent / "scripts"]))
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen([sys.executable, __file__, "--serve"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1, env=environment)  # fmt: skip

    def __call__(self, name):
        self._process.stdin.write(name + "\n")
        answer = json.loads(self._process.stdout.readline())
        if isinstance(answer, dict):
            raise RuntimeError(answer["failed"])
        return answer

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait(60)


def main(names):
    """Print the outcomes of readers."""
    from bad_inputs.fuzz_readers import READERS

    server = Server()
    for name in names or READERS:
        begin = time.monotonic()
        try:
            rows = server(name)
        except RuntimeError as error:
            sys.stdout.write(f"{name}: {error}\n")
            continue
        counts = Counter(row["outcome"] for row in rows)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        sys.stdout.write(f"{name} ({time.monotonic() - begin:.1f} s): {told}\n")
        shown = set()
        for row in rows:
            bad = row["outcome"].startswith("fault") or (row["outcome"] == OTHER and not READERS[name].no_checksum)
            if bad and row["outcome"] + row["said"][-100:] not in shown and len(shown) < 6:
                shown.add(row["outcome"] + row["said"][-100:])
                sys.stdout.write(f"    seed {row['seed']} {row['file']} {row['outcome']} {row['said'][-700:]}\n")
        sys.stdout.flush()
    server.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "scripts")]
        main(sys.argv[1:])
