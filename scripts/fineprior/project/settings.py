"""Settings of each stage, as frozen dataclasses: the typed form of config.yaml.

Snakemake compares parameters by their `repr`, so what enters a rule is `as_params(<one of these>)`: a dict of plain
values in a fixed order, with defaults filled in and floats coerced. Each field is described, with its unit and range,
in workflow/schemas/config.schema.yaml; a test holds the two together.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, get_origin, get_type_hints

from fineprior.files.errors import InputError


@dataclass(frozen=True)
class GenomeSettings:
    """Reference genome of all studies."""

    fasta: str = ""
    build: str = "GRCh38"


@dataclass(frozen=True)
class HarmoniseSettings:
    """How summary statistics are brought to the alleles of the FASTA and the panel."""

    palindromic: str = "frequency"
    palindromic_max_maf: float = 0.42
    min_maf: float = 0.01
    min_info: float = 0.6


@dataclass(frozen=True)
class LociSettings:
    """How loci are found."""

    p_threshold: float = 5e-8
    flank: int = 250_000
    max_width: int = 2_000_000
    exclude: str = "mhc"
    exclude_bed: str = ""
    x: str = "keep"
    blocks: str = ""
    batches: int = 2


@dataclass(frozen=True)
class LdSettings:
    """How much memory LD may take."""

    max_memory_mb: int = 4000


@dataclass(frozen=True)
class BackboneSettings:
    """The sequence model: a local directory in the hub's format, or a hub name."""

    weights: str = ""
    revision: str = ""
    sha256: str = ""
    context_length: int = 196_608
    target_bins: int = 896
    use_tf_gamma: bool = False
    precision: str = "float32"
    training_regions: str = ""


@dataclass(frozen=True)
class WindowSettings:
    """The sequence window around a variant and the bins of it that are read."""

    centre_bins: int = 4
    reverse_complement: bool = True
    shift: int = 0
    max_offset: int = 0
    max_indel_length: int = 50
    indels: str = "stitch"
    reference_mismatch: str = "error"
    screen: float = 1.0


@dataclass(frozen=True)
class TrackSettings:
    """How bigWig signal becomes training targets (field conventions of Basenji)."""

    clip: float = 32.0
    clip_soft: float = 0.0
    pooling: str = "mean"
    scale: float = 1.0
    missing: str = "zero"
    blacklist: str = ""
    unmappable: str = ""
    max_unmappable: float = 0.5
    max_n: float = 1.0


TUNING_MODES = ("last_blocks", "lora", "full", "guided")
"""Modes of training a head that change the backbone."""


@dataclass(frozen=True)
class HeadSettings:
    """Training of a head, alone or together with parts of the backbone."""

    mode: str = "linear"
    loss: str = "poisson"
    epochs: int = 30
    learning_rate: float = 0.01
    l2: float = 1e-4
    patience: int = 5
    batch_bins: int = 1024
    hidden: int = 64
    dropout: float = 0.0
    freeze_epochs: int = 30
    unfreeze_blocks: int = 2
    rank: int = 8
    scouts: int = 6
    trunk_learning_rate: float = 3e-5
    warmup: int = 100
    clip_norm: float = 0.2
    batch_regions: int = 4
    accumulate: int = 1
    augment_rc: bool = True
    augment_shift: int = 3
    checkpointing: bool = False
    precision: str = "float32"


FEWEST_FOLDS = 4
"""Of a nested cross-validation: one each for the outer and the inner test, for stopping, and to train on."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How a head is judged; nothing here changes the head."""

    min_r: float = 0.3
    curve_sizes: int = 5
    folds: int = 0
    tensorboard: bool = False


@dataclass(frozen=True)
class ScoreSettings:
    """How the predictions of both alleles become scores."""

    magnitude: str = "l2"
    central_bins: int = 2
    components: int = 5
    background_maf: float = 0.05


@dataclass(frozen=True)
class PriorSettings:
    """Where the functional prior comes from, and how strong it may be."""

    source: str = "enrichment"
    scores: str = "score"
    annotations: str = ""
    controls: list[str] = field(default_factory=list)
    given: str = ""
    given_column: str = ""
    given_as: str = "prior"
    supervised: str = ""
    training_rate: float = 0.0
    heritability_annotations: str = ""
    heritability_ld_scores: str = ""
    heritability_weights: str = ""
    heritability_bins: int = 20
    causal_per_locus: float = 1.8
    rounds: int = 2
    ridge: float = 0.0
    max_ratio: float = 100.0
    uniform_weight: float = 0.05
    effect_variance: float = 0.0


@dataclass(frozen=True)
class FinemapSettings:
    """SuSiE-RSS with susieR's defaults, and what is done about the LD of a reference panel."""

    max_effects: int = 10
    coverage: float = 0.95
    further_coverage: float = 0.99
    extend_r: float = 0.0
    min_purity: float = 0.5
    scaled_prior_variance: float = 0.2
    estimate_prior_variance: bool = True
    prior_variance_method: str = "optim"
    estimate_residual_variance: bool = False
    max_iterations: int = 100
    tolerance: float = 1e-4
    model: str = "susie"
    ld: str = "panel"
    panel_size: int = 0
    estimate_drift: bool = True
    allele_switches: str = "exclude"
    min_set_z: float = 2.0
    min_own_share: float = 0.5
    max_inconsistency: float = 0.5
    fallback: bool = True
    min_variants: int = 10
    min_fitted: float = 0.5
    min_density: float = 1.0
    max_empty: float = 0.1


@dataclass(frozen=True)
class CalibrateSettings:
    """What is simulated on a study's own LD and scores to see whether its prior's claims hold."""

    scenarios: list[str] = field(
        default_factory=lambda: ["enrichment_1", "enrichment_3", "enrichment_10", "enrichment_30", "inverted", "noise"]
    )
    replicates: int = 20
    heritability: float = 0.0
    max_causal: int = 3
    ld: str = "in_sample"


@dataclass(frozen=True)
class ReportSettings:
    """What the report shows."""

    max_locus_plots: int = 200


@dataclass(frozen=True)
class EmbeddedSettings:
    """The embedded study: what is simulated."""

    chromosomes: int = 4
    chromosome_length: int = 3_000_000
    panel_size: int = 500
    gwas_size: int = 12_000
    causal_loci: int = 52
    heritability: float = 0.5
    enrichment: float = 10.0
    disease_tracks: int = 3


@dataclass(frozen=True)
class LabelSettings:
    """Labelled variants that a head of their own is trained on."""

    variants: str = ""
    calibration: str = "platt"


@dataclass(frozen=True)
class MaskedSettings:
    """Pretraining of a backbone from scratch on unlabelled sequence; nothing of a study depends on it."""

    dim: int = 96
    depth: int = 2
    heads: int = 4
    attn_dim_key: int = 24
    dim_divisible_by: int = 8
    num_downsamples: int = 7
    steps: int = 2000
    batch_regions: int = 16
    learning_rate: float = 1e-3
    mask_share: float = 0.15
    mask_span: int = 6


@dataclass(frozen=True)
class Settings:
    """The whole of config.yaml."""

    studies: str = "config/studies.tsv"
    tracks: str = "config/tracks.tsv"
    regions: str = ""
    store: str = "results/store"
    seed: int = 1
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    exports: list[str] = field(default_factory=list)
    genome: GenomeSettings = field(default_factory=GenomeSettings)
    harmonise: HarmoniseSettings = field(default_factory=HarmoniseSettings)
    loci: LociSettings = field(default_factory=LociSettings)
    ld: LdSettings = field(default_factory=LdSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    targets: TrackSettings = field(default_factory=TrackSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    scores: ScoreSettings = field(default_factory=ScoreSettings)
    priors: PriorSettings = field(default_factory=PriorSettings)
    finemap: FinemapSettings = field(default_factory=FinemapSettings)
    calibrate: CalibrateSettings = field(default_factory=CalibrateSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    embedded: EmbeddedSettings = field(default_factory=EmbeddedSettings)
    labels: LabelSettings = field(default_factory=LabelSettings)
    masked: MaskedSettings = field(default_factory=MaskedSettings)


def from_dict(cls: type, values: dict[str, Any], where: str = "config") -> Any:
    """Build a settings dataclass from plain values; floats written as integers are coerced.

    Raises
    ------
    InputError
        An unknown key, or a value of another type.
    """
    types = get_type_hints(cls)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise InputError(f"{where}: unknown key '{unknown[0]}'; allowed: {', '.join(types)}")
    built = {}
    for name, value in values.items():
        kind = types[name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            built[name] = from_dict(kind, value or {}, f"{where}.{name}")
        elif kind is float and type(value) in (int, float):
            if not math.isfinite(value):
                raise InputError(f"{where}.{name}: {value} is not a finite number")
            built[name] = float(value)
        elif get_origin(kind) is dict and isinstance(value, dict):
            built[name] = {key: dict(inner) for key, inner in value.items()}
        elif type(value) is kind or (kind == list[str] and isinstance(value, list) and set(map(type, value)) <= {str}):
            built[name] = value
        else:
            raise InputError(f"{where}.{name}: {value!r} is not of type {getattr(kind, '__name__', kind)}")
    return cls(**built)


def as_params(settings: Any) -> dict[str, Any]:
    """A settings dataclass as the dict that a rule's `params` carries."""
    return dataclasses.asdict(settings)
