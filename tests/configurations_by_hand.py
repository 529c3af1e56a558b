"""A locus, and the weight of a configuration from its definition, for tests of the search."""

import math

import numpy as np


def locus(seed, p=50, causal=2, chi2=40.0, correlation=0.9):
    """z (p,) and R (p, p) of neighbours that are correlated, with causal variants at random places."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, p))
    for j in range(1, p):
        x[:, j] = correlation * x[:, j - 1] + math.sqrt(1 - correlation**2) * x[:, j]
    R = np.corrcoef(x.T)
    b = np.zeros(p)
    b[rng.choice(p, causal, replace=False)] = rng.normal(0, math.sqrt(chi2), causal)
    values, vectors = np.linalg.eigh(R)
    return R @ b + vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(p)), R


def log_weight(z, R, W, prior, members):
    """Log of prior times Bayes factor of one configuration, from its definition."""
    members = list(members)
    if not members:
        return 0.0
    own = np.eye(len(members)) + W * R[np.ix_(members, members)]
    inside = R[np.ix_(members, members)] + np.eye(len(members)) / W
    quadratic = z[members] @ np.linalg.solve(inside, z[members])
    return quadratic / 2 - np.linalg.slogdet(own)[1] / 2 + np.log(prior[members]).sum()
