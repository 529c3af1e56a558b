"""Tables of heads: their training, how good they are, and whether they hold on what they score."""

import pandas as pd

from fineprior.foundation.table import define

HEAD_METRICS = define(
    "head_metrics",
    "Quality of a head by split: test regions had no part in its training, validation regions decided when it stops.",
    """
    track | text | track
    split | text | train, valid or test
    bins | integer | bins
    pearson_r | number | Pearson correlation of predicted and observed signal over bins
    poisson_loss | number | mean Poisson negative log likelihood
    regions | integer | regions
    pearson_r_regions | number | Pearson correlation over regions (means of their bins)
    r2 | number | 1 - squared error / variance over bins; below 0 where the observed mean is nearer
    auroc | number | area under the ROC curve; this and what follows: NA unless the track has two values, 0 and another
    auprc | number | average precision; a track that says nothing has the share of positive bins
    threshold | number | signal from which on a bin is called positive: the largest F1 on the validation regions
    precision | number | share of called bins that are positive
    recall | number | share of positive bins that are called
    f1 | number | harmonic mean of the two
    true_positive | number | positive bins that are called
    false_positive | number | other bins that are called
    false_negative | number | positive bins that are not called
    true_negative | number | other bins that are not called""",
)

VARIANT_HEAD_METRICS = define(
    "variant_head_metrics",
    "A head trained on labelled variants, on chromosomes that neither model nor calibration had seen.",
    """
    measure | text | variants, causal, chromosomes, base_rate, auroc, auprc, log_loss, log_loss_base_rate, brier, ...
    value | number | its value""",
)

CAUSAL_PROBABILITIES = define(
    "causal_probabilities",
    "What a head trained on labelled variants says of a study's variants; priors read it as a supervised source.",
    """
    locus | text | name of the locus
    variant_id | text | chrom:pos:ref:alt
    probability | number | calibrated probability of being causal, at the training rate; NA when not scored
    training_rate | number | share of causal variants among the labelled ones""",
)

HEAD_HISTORY = define(
    "head_history",
    "The course of training.",
    """
    epoch | integer | epoch, from 1
    train_loss | number | mean Poisson loss on the training regions
    valid_loss | number | on the validation regions
    valid_pearson_r | number | mean over tracks, validation regions
    best | flag | epoch whose weights were kept""",
)

HEAD_BASELINES = define(
    "head_baselines",
    "A head beside simpler models, on the test regions.",
    """
    model | text | transfer (the head), scratch (small network, random start), kmer_ridge, own_track (of the backbone)
    track | text | track
    pearson_r | number | Pearson correlation over bins of the test regions
    parameters | integer | trained parameters
    pearson_r_regions | number | Pearson correlation over regions (means of their bins)
    r2 | number | as in head_metrics; the backbone's own track is not brought to the scale of the target
    auroc | number | as in head_metrics
    auprc | number | as in head_metrics
    note | text | for own_track: which track matched best on training and validation regions, or why there is none""",
)

LEARNING_CURVE = define(
    "learning_curve",
    "What more training regions are worth: the same training on fewer of them, on the same test regions.",
    """
    mode | text | mode of training
    regions | integer | training regions; smaller sets are within the larger ones, the last is all
    track | text | track
    pearson_r | number | Pearson correlation over bins of the test regions; NA where so few regions do not do""",
)

HEAD_FOLDS = define(
    "head_folds",
    "Nested cross-validation of modes and penalties; without rows unless `evaluation.folds` asks for it.",
    """
    fold | integer | outer test fold, from 0
    mode | text | mode of training
    l2 | number | penalty
    inner_r | number | mean r (Pearson, over bins, mean over tracks) on the other folds, each held out in turn
    chosen | flag | largest inner_r of the fold
    outer_r | number | of the chosen one, r on the outer test fold, which had no say in the choice; NA for others""",
)

HEAD_SCATTER = define(
    "head_scatter",
    "Observed and predicted signal of some bins of the test regions, drawn at random.",
    """
    track | text | track
    observed | number | observed signal of a bin
    predicted | number | predicted signal""",
)

SHIFT = define(
    "shift",
    "Whether what the head was trained on is like what it scores, in plain words.",
    """
    kind | text | covariate (other sequences), prior (other base rate), concept (the score means something else)
    measure | text | what is compared
    training | number | its value in the training regions, or where the label says so; NA when there is none
    scored | number | its value in the windows of the scored variants
    difference | number | what tells the two apart: see the sentence
    verdict | text | fine, shifted, unknown (cannot be computed), or not applicable
    sentence | text | what that means""",
)


def low_tracks(metrics: pd.DataFrame, min_r: float) -> dict[str, float]:
    """Tracks of HEAD_METRICS that are predicted too badly to be trusted, with their r.

    r is Pearson's over the bins of the test regions (of the validation regions, where there are none for testing); one
    that cannot be computed counts as too low.
    """
    split = "test" if (metrics["split"] == "test").any() else "valid"
    held_out = metrics[metrics["split"] == split].set_index("track")["pearson_r"]
    return {str(track): float(r) for track, r in held_out.items() if not r >= min_r}
