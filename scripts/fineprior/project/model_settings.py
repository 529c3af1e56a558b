"""Settings of the sequence model: backbone, windows, targets, heads, scores. Others are in `project.settings`."""

from dataclasses import dataclass

from fineprior.project.schemas import setting

POOLING = {
    "mean": "the mean of the bases",
    "sum": "their sum",
    "max": "their maximum",
    "sum_sqrt": "sqrt(1 + sum) - 1",
    "mean_sqrt": "sqrt(1 + mean) - 1",
}
"""Ways to summarise the bases of a bin."""
TUNING_MODES = ("last_blocks", "lora", "full", "guided")
"""Modes of training a head that change the backbone."""
FEWEST_FOLDS = 4
"""Of a nested cross-validation: one each for the outer and the inner test, for stopping, and to train on."""


@dataclass(frozen=True)
class BackboneSettings:
    """The sequence model."""

    weights: str = setting(
        "", "Folder with config.json and weights in the hub's format, or a name on the hub.", required=True
    )
    revision: str = setting("", "Commit of the weights. A name on the hub requires it; for a folder it has no meaning.")
    sha256: str = setting("", "SHA-256 of the weights file. When given, other weights stop the run.",
                          pattern="^([0-9a-f]{64})?$")  # fmt: skip
    context_length: int = setting(196_608, "Length of sequence that the model sees.", unit="bp", at_least=128)
    target_bins: int = setting(896, "Number of central bins that are used. The others are context.", at_least=1)
    use_tf_gamma: bool = setting(
        False,
        "Compute positions of the relative encoding as in the original Enformer weights (true for "
        "EleutherAI/enformer-official-rough). It needs a context of 1,536 bins.",
    )
    precision: str = setting(
        "float32",
        "Arithmetic of the backbone. The convolutions always stay in float32.",
        choices={
            "float32": "precise enough to subtract the predictions of both alleles",
            "tf32": "faster on a GPU, with the transformer's differences between alleles in this precision",
            "bf16": "as tf32, in bfloat16",
        },
    )
    training_regions: str = setting(
        "",
        "BED file of the windows that the backbone was trained on, with a fourth column train, valid or test. A "
        "warning names test regions of yours that overlap one of train.",
    )


@dataclass(frozen=True)
class WindowSettings:
    """The window around a variant."""

    centre_bins: int = setting(
        4, "Number of central bins that a variant's score is read from. It is at most backbone.target_bins.", at_least=1
    )
    reverse_complement: bool = setting(True, "Average the predictions of both strands.")
    shift: int = setting(
        0,
        "Distance by which windows are moved to average the predictions at -shift, 0 and +shift. 0 uses one window.",
        unit="bp",
        at_least=0,
    )
    max_offset: int = setting(
        0,
        "Largest distance of a variant from the middle of its window, so that neighbours share one window. It is a "
        "multiple of half a bin. 0 centres each window on its variant.",
        unit="bp",
        at_least=0,
    )
    max_indel_length: int = setting(
        50, "Longest insertion, deletion or substitution of several bases that is scored.", unit="bp", at_least=0
    )
    indels: str = setting(
        "stitch",
        "Windows of insertions and deletions.",
        choices={
            "stitch": "bins left of the variant are read from a window that keeps the left in place, the others from "
            "one that keeps the right in place",
            "left": "all bins are read from the first of these",
        },
    )
    reference_mismatch: str = setting(
        "error",
        "Treatment of variants whose reference allele differs from the FASTA.",
        choices={
            "error": "the run stops",
            "swap": "the variant is scored with exchanged alleles where the FASTA has the alternative one, and its "
            "effect still counts the alternative allele",
        },
    )
    screen: float = setting(
        1.0,
        "Share of the variants of a locus that are scored: those with the largest effects by an approximation. The "
        "others get the status screened and the score 0. 1 scores all. A lower share saves time where many variants "
        "share windows (max_offset).",
        above=0,
        at_most=1,
    )


@dataclass(frozen=True)
class TrackSettings:
    """How bigWig signal becomes training targets. The columns of tracks.tsv can set other values for a track."""

    clip: float = setting(32.0, "Largest value of a bin, before scaling.", above=0)
    clip_soft: float = setting(
        0.0,
        "Value of a bin above which only the square root of the excess is added, before `clip`. 0 turns this off.",
        at_least=0,
    )
    pooling: str = setting("mean", "Value of a bin, from its bases.", choices=POOLING)
    scale: float = setting(1.0, "Factor that the pooled signal is multiplied by.", above=0)
    missing: str = setting(
        "zero", "Value of bases without signal.", choices={"zero": "0", "baseline": "the median of their region"}
    )
    blacklist: str = setting(
        "", "BED file of stretches where signal is artefact. It is cut down to the median of its region there."
    )
    unmappable: str = setting("", "BED file of stretches where reads cannot be placed.")
    max_unmappable: float = setting(
        0.5,
        "Largest share of unmappable bases in a bin. Bins above it are excluded from training and evaluation.",
        at_least=0,
        at_most=1,
    )
    max_n: float = setting(
        1.0,
        "Largest share of unknown bases (N) in a bin. Bins above it are excluded from training and evaluation. 1 keeps "
        "all.",
        at_least=0,
        at_most=1,
    )


@dataclass(frozen=True)
class HeadSettings:
    """Training of the head, alone or together with parts of the backbone."""

    mode: str = setting(
        "linear",
        "What is trained.",
        choices={
            "linear": "a linear head on the frozen backbone",
            "mlp": "a head with a hidden layer on the frozen backbone",
            "last_blocks": "the head, the last transformer blocks and the final pointwise block",
            "lora": "the head, and low-rank changes of all attention layers",
            "full": "the head and the whole backbone",
            "guided": "as full, with each weight's steps scaled by how far scouts moved it",
        },
    )
    loss: str = setting(
        "poisson",
        "Loss.",
        choices={
            "poisson": "Poisson of each bin",
            "poisson_multinomial": "multinomial of a region's bins and, with weight 0.2, Poisson of their sum",
        },
    )
    epochs: int = setting(30, "Largest number of passes over the training regions.", at_least=1)
    learning_rate: float = setting(
        0.01, "Learning rate of Adam for the head. It is a tenth of this once the backbone is trained too.", above=0
    )
    l2: float = setting(1e-4, "Penalty on the squared weights of the head (of whitened embeddings).", at_least=0)
    patience: int = setting(5, "Epochs without a better validation loss before training stops.", at_least=1)
    batch_bins: int = setting(1024, "Number of bins in one step, while the backbone is frozen.", at_least=1)
    hidden: int = setting(64, "Number of hidden units of the mode mlp.", at_least=1)
    dropout: float = setting(
        0.0,
        "Share of activations dropped in training: of the hidden units of mlp, or of the blocks that are trained.",
        at_least=0,
        below=1,
    )
    freeze_epochs: int = setting(
        30,
        "Largest number of passes in which the head alone is trained, as in mode linear, before parts of the backbone "
        "are trained too.",
        at_least=0,
    )
    unfreeze_blocks: int = setting(
        2,
        "Number of last transformer blocks that mode last_blocks trains, besides the final pointwise block.",
        at_least=0,
    )
    rank: int = setting(8, "Rank of the changes of mode lora.", at_least=1)
    scouts: int = setting(
        6,
        "Number of scouts of mode guided. A scout is the backbone, trained for one pass on one track and the regions "
        "of one chromosome.",
        at_least=1,
    )
    trunk_learning_rate: float = setting(3e-5, "Learning rate of Adam for the trained parts of the backbone.", above=0)
    warmup: int = setting(
        100, "Number of steps over which learning rates rise from 0, once the backbone is trained.", at_least=0
    )
    clip_norm: float = setting(
        0.2, "Largest norm of the gradient, once the backbone is trained. 0 sets no limit.", at_least=0
    )
    batch_regions: int = setting(4, "Number of regions in one forward pass, once the backbone is trained.", at_least=1)
    accumulate: int = setting(1, "Number of forward passes whose gradients make one step.", at_least=1)
    augment_rc: bool = setting(
        True, "Turn a window to the other strand with a chance of one half, once the backbone is trained."
    )
    augment_shift: int = setting(
        3, "Largest random move of a window, once the backbone is trained.", unit="bp", at_least=0, at_most=64
    )
    checkpointing: bool = setting(
        False, "Compute activations again for the gradient in place of keeping them. It saves memory and takes time."
    )
    precision: str = setting(
        "float32",
        "Arithmetic of training.",
        choices={"float32": "single precision throughout", "bf16": "PyTorch's autocast to bfloat16"},
    )


@dataclass(frozen=True)
class EvaluationSettings:
    """How a head is judged. Nothing here changes the head."""

    min_r: float = setting(
        0.3,
        "Smallest Pearson r over the bins of held-out regions of a track that enters a prior. Tracks below it keep "
        "their signed scores. -1 accepts all.",
        at_least=-1,
        at_most=1,
    )
    curve_sizes: int = setting(
        5,
        "Number of points of the learning curve. Each has half of the training regions of the next. 0 draws no curve.",
        at_least=0,
    )
    folds: int = setting(
        0, "Number of folds of the nested cross-validation of modes and penalties, at least 4. 0 runs none.", at_least=0
    )
    tensorboard: bool = setting(False, "Write event files for TensorBoard.")


@dataclass(frozen=True)
class ScoreSettings:
    """How the predictions of both alleles become scores."""

    magnitude: str = setting(
        "l2",
        "Track score whose L2 norm over tracks is the column score that priors use (docs/outputs.md).",
        choices=("l2", "sad", "log_sum", "central", "max"),
    )
    central_bins: int = setting(
        2,
        "Number of central bins of the mean difference. It is at most windows.centre_bins, and both are odd or both "
        "even.",
        at_least=1,
    )
    components: int = setting(
        5,
        "Number of principal components of the tracks' signed scores. They are fitted on common variants of the "
        "training chromosomes.",
        at_least=0,
    )
    background_maf: float = setting(
        0.05,
        "Smallest minor allele frequency of the common variants that quantiles refer to. It is that in the panel, or "
        "in the GWAS where LD files have no frequencies.",
        at_least=0,
        at_most=0.5,
    )


@dataclass(frozen=True)
class LabelSettings:
    """Labelled variants that a head of their own is trained on.

    It predicts results/{study}/causal_probabilities.tsv.gz for the prior source supervised.
    """

    variants: str = setting(
        "", "TSV file with variant_id (chrom:pos:ref:alt) and label, 1 for causal and 0 for control."
    )
    calibration: str = setting(
        "platt",
        "Method that turns log odds into probabilities.",
        choices={"platt": "a logistic curve", "isotonic": "a step function, which needs some hundred causal variants"},
    )


@dataclass(frozen=True)
class MaskedSettings:
    """Pretraining of a backbone from scratch on the sequence of the training regions, where there is no pretrained one.

    Its target is results/pretrain/masked/config.json. Nothing of a study depends on it.
    """

    dim: int = setting(96, "Width of the transformer. Embeddings are twice as long.", at_least=8)
    depth: int = setting(2, "Number of transformer blocks.", at_least=1)
    heads: int = setting(4, "Number of attention heads. dim / heads must be a multiple of 6.", at_least=1)
    attn_dim_key: int = setting(24, "Length of an attention head's keys.", at_least=1)
    dim_divisible_by: int = setting(8, "Number that widths of the convolutional tower are multiples of.", at_least=1)
    num_downsamples: int = setting(7, "Number of halvings of the sequence. 7 make bins of 2^7 = 128 bp.", at_least=2)
    steps: int = setting(2000, "Number of training steps.", at_least=1)
    batch_regions: int = setting(16, "Number of regions in one step.", at_least=1)
    learning_rate: float = setting(1e-3, "Largest learning rate of AdamW.", above=0)
    mask_share: float = setting(0.15, "Share of the bases that are hidden.", above=0, below=1)
    mask_span: int = setting(
        6,
        "Number of bases that are hidden in a row. A single hidden base could be guessed from its neighbours.",
        unit="bp",
        at_least=1,
    )
