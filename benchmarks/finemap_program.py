"""FINEMAP 1.4 (Benner et al. 2016, doi:10.1093/bioinformatics/btw018), run on one locus. It is not shipped."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np


def run_finemap(
    program: str, z: np.ndarray, R: np.ndarray, n: int, prior: np.ndarray, *, most: int = 5
) -> tuple[np.ndarray, list[np.ndarray], dict[str, float]]:
    """PIPs (p,) of FINEMAP's stochastic search; no credible sets, which it makes for a fixed number of variants."""
    p = len(z)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        weights = "" if np.ptp(prior) == 0 else " prob"
        rows = [f"rsid chromosome position allele1 allele2 maf beta se{weights}"]
        for j in range(p):
            weight = "" if not weights else f" {prior[j] / prior.sum():.8g}"
            rows.append(f"v{j} 1 {j + 1} A C 0.5 {z[j] / np.sqrt(n):.10g} {1 / np.sqrt(n):.10g}{weight}")
        (here / "data.z").write_text("\n".join(rows) + "\n")
        np.savetxt(here / "data.ld", R, fmt="%.8f")
        names = "z;ld;snp;config;cred;log;n_samples"
        (here / "master").write_text(
            f"{names}\n" + ";".join(f"{here}/data.{end}" for end in names.split(";")[:-1]) + f";{n}\n"
        )
        command = [
            str(Path(program).resolve()),
            "--sss",
            "--in-files",
            str(here / "master"),
            "--n-causal-snps",
            str(most),
        ]
        done = subprocess.run(
            command + (["--prior-snps"] if weights else []), capture_output=True, text=True, check=False
        )
        if done.returncode or not (here / "data.snp").is_file():
            raise SystemExit(f"FINEMAP ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
        pip = np.zeros(p)
        lines = (here / "data.snp").read_text().splitlines()
        columns = lines[0].split()
        for line in lines[1:]:
            row = dict(zip(columns, line.split(), strict=True))
            pip[int(row["rsid"][1:])] = float(row["prob"])
    return pip, [], {}
