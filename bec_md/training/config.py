"""What a training run is told: one YAML file, checked before anything heavy is loaded."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bec_md.errors import UsageError
from bec_md.evaluation.metrics import MAX_SUM_RULE_E
from bec_md.files import expanded, is_file, read_text, require_file
from bec_md.network.config import ReadoutConfig
from bec_md.structure.names import IndexOrder


def unknown_key_message(key: str, allowed: list[str], where: str) -> str:
    """Return a sentence that names the unknown key, its place and the nearest known one."""
    close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(allowed))}"
    return f"unknown key {key!r} in {where}: {hint}"


#: What pydantic calls by the names of Python.
_IN_YAML = {
    "tuple_type": "it is a list: [ … ], or one item a line, each behind a '- '",
    **dict.fromkeys(
        ("dict_type", "model_type"), "it is a section: lines 'key: value' below its name, or { … }"
    ),
}


class Section(BaseModel):
    """A block of the configuration: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _suggest(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    where = f"the section {cls.__name__!r}"
                    raise ValueError(unknown_key_message(str(key), list(cls.model_fields), where))
        return data


def _number_or_name(value: Any) -> Any:
    """Return a number that YAML leaves as text (``1e-1``) as one."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class Source(Section):
    """One labelled file: where it is, at which level of theory, and what is held back of it."""

    path: str
    level: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0.0)
    """Factor of every loss term of this file."""
    repeat: float = Field(default=1.0, gt=0.0, le=1000.0)
    """How often a frame is seen in one epoch; below 1, a fresh random part of the frames each epoch."""
    validation: Annotated[float | str | None, BeforeValidator(_number_or_name)] = None
    """Fraction held back, or the path of a file of its own, or nothing."""
    split: Literal["composition", "block"] = "composition"
    """Hold back whole compositions (crystals) or one stretch of time at the end (trajectories)."""
    fold: tuple[int, int] | None = None
    """Number (from 0) and count of folds: hold back this part instead of the last one (cross-validation)."""
    charges_key: str | None = None
    """Column of the tensors; found under its usual names when not given."""
    index_order: IndexOrder | None = None
    """Order of the stored tensors; what the file says, else polarization first: Z[i,a,b] = ∂M_a/∂u_ib."""
    total_charge: float | None = None
    """Net charge of every cell (e) when the file does not carry it."""
    limit: int | None = Field(default=None, ge=1)
    """Take only this many training frames (drawn with the seed): for learning curves."""
    teacher: str | tuple[str, ...] | None = None
    """Models (bundled name or path) whose mean tensors are the labels of this file, in place of its own if it
    has any. Frames that `validation` holds back are left out altogether."""
    displace_ang: float = Field(default=0.0, ge=0.0)
    """Displace each copy for the teacher by Gaussian numbers whose width is drawn between 0 and this."""
    mix: bool = False
    """Make each copy of two frames of the same atoms, x̄ + cos θ (x₁ − x̄) + sin θ (x₂ − x̄), θ at random: for
    harmonic motion these are new frames of the same temperature."""
    substitute: bool = False
    """Exchange one element in each copy for another of its column of the periodic table (both in 20 or more
    structures of the file), and make the cell as large as atomic volumes that fit the file ask for. No
    composition that is held back, or is in a test that the card names, is made."""
    agree_e: float | None = Field(default=None, gt=0.0)
    """Leave out copies on which two teachers differ by more than this (e; r.m.s. of the components)."""
    copies: int = Field(default=1, ge=1, le=10_000)
    """Displaced, mixed or exchanged copies of each frame, labelled by the teacher."""

    @property
    def teachers(self) -> tuple[str, ...]:
        """Names or paths of the teachers, none for a file with labels of its own."""
        return (self.teacher,) if isinstance(self.teacher, str) else self.teacher or ()

    @property
    def name(self) -> str:
        """Short name in the log: the file's stem without compression."""
        return Path(self.path).name.split(".")[0]

    @model_validator(mode="after")
    def _check(self) -> Source:
        if isinstance(self.validation, float) and not 0.0 <= self.validation < 1.0:
            raise ValueError(f"validation {self.validation} of {self.path}: a fraction lies in [0, 1)")
        if self.fold is not None and not (
            isinstance(self.validation, float) and self.validation and 0 <= self.fold[0] < self.fold[1] > 1
        ):
            raise ValueError(
                f"fold {list(self.fold)} of {self.path}: a number from 0 and a count above it of 2 or more, "
                "beside validation as a fraction"
            )
        if self.teachers and isinstance(self.validation, str):
            raise ValueError(
                f"validation {self.validation} of {self.path}, which a teacher labels: give a part"
            )
        if self.mix and self.substitute:
            raise ValueError(
                f"copies of {self.path}: mix takes frames of the same atoms, substitute makes others"
            )
        if self.agree_e is not None and len(self.teachers) < 2:
            raise ValueError(f"agree_e of {self.path}: it compares two teachers, name them in a list")
        changed = self.displace_ang > 0.0 or self.mix or self.substitute
        if not self.teachers and (changed or self.copies > 1):
            raise ValueError(f"changed copies of {self.path} have no labels: name a teacher")
        if self.copies > 1 and not changed:
            raise ValueError(
                f"{self.copies} equal copies of {self.path}: change them (displace_ang), or use repeat"
            )
        return self


class Labels(Section):
    """Checks of the labels before training."""

    max_sum_rule_e: float = Field(default=MAX_SUM_RULE_E, gt=0.0)
    """Drop frames whose largest |Σ_i Z_i − Q·1| component per √N atoms is above this (e)."""
    max_charge_e: float = Field(default=30.0, gt=0.0)
    """Drop frames with a larger tensor component (e): near-metals whose perturbation theory diverged."""
    max_eps_inf: float = Field(default=100.0, gt=1.0)
    """Ignore ε_∞ labels with a larger component."""
    remove_residual: bool = True
    """Subtract the mean residual of the acoustic sum rule from the labels, as the network obeys it."""


class Optimizer(Section):
    """AdamW with warm-up and cosine decay."""

    learning_rate: float = Field(default=5e-3, gt=0.0)
    final_ratio: float = Field(default=0.01, ge=0.0, le=1.0)
    warmup: float = Field(default=0.02, ge=0.0, lt=1.0)
    """Part of the schedule over which the rate rises linearly."""
    weight_decay: float = Field(default=1e-3, ge=0.0)
    """Decoupled decay of the weight matrices (biases and other vectors are left alone)."""
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.99, ge=0.0, lt=1.0)
    gradient_clip: float | None = Field(default=10.0, gt=0.0)
    """Largest norm of the gradient."""
    ema_decay: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Decay of the averaged weights, which are the ones evaluated and shipped; 0 turns averaging off."""


class Schedule(Section):
    """How long. With a time budget the learning rate follows the clock; by epochs it is deterministic."""

    epochs: int | None = Field(default=None, ge=1)
    max_minutes: float | None = Field(default=None, gt=0.0)
    validate_minutes: float = Field(default=0.0, ge=0.0)
    """Least time between two validations; 0 validates after every epoch."""
    checkpoint_minutes: float = Field(default=5.0, gt=0.0)
    early_stopping: int | None = Field(default=None, ge=1)
    """Stop after this many validations without a better one."""

    @model_validator(mode="after")
    def _bounded(self) -> Schedule:
        if self.epochs is None and self.max_minutes is None:
            raise ValueError("the section 'Schedule' needs epochs, max_minutes or both")
        return self


class Batch(Section):
    """Batches hold about the same number of edges, whatever the size of the cells."""

    max_edges: int = Field(default=20_000, ge=1)
    validation_edges: int | None = Field(default=None, ge=1)


class Loss(Section):
    """Weights of the terms of the loss."""

    kind: Literal["huber", "mse"] = "huber"
    delta_e: float = Field(default=0.1, gt=0.0)
    """Residual norm (e) above which the Huber loss is linear."""
    trace: float = Field(default=1.0, ge=0.0)
    antisymmetric: float = Field(default=1.0, ge=0.0)
    traceless: float = Field(default=1.0, ge=0.0)
    per: Literal["atom", "frame", "root"] = "root"
    """A frame counts by its atoms, as one, or by √N."""
    element_power: float = Field(default=0.0, ge=0.0, le=1.0)
    """Weight atoms of an element by (its number)^−power, so that rare elements are not drowned."""
    eps_inf: float = Field(default=0.1, ge=0.0)
    """Weight of the relative error of ε_∞."""
    eps_delta: float = Field(default=0.1, gt=0.0)
    ensemble: float = Field(default=0.0, ge=0.0)
    ensemble_score: Literal["nll", "crps"] = "nll"
    ensemble_floor_e: float = Field(default=0.005, gt=0.0)
    """Least standard deviation of the ensemble (e), added in quadrature."""
    ensemble_detach: bool = True
    """Let the score shape only the spread of the members, not their mean."""


class Finetune(Section):
    """Start from a trained network instead of from random weights."""

    model: str
    """Name of a bundled model or path of a model file."""
    freeze: tuple[str, ...] = ()
    """Patterns of parameter names that stay as they are, e.g. ``element`` or ``layers.0.*``."""
    replay: tuple[Source, ...] = ()
    """Earlier data, mixed in so that it is not forgotten."""
    replay_fraction: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Part of the atoms of an epoch that comes from the replayed files."""
    readouts: tuple[ReadoutConfig, ...] | None = None
    """Read-outs of the new network; one that the model does not have starts from random weights."""
    level_like: str | None = None
    """Level of the earlier network from which a new level starts; the first one when not given."""


def _as_path_text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


class TrainingConfig(Section):
    """Everything that decides the result of a run, and nothing about the machine."""

    name: str = "model"
    """Of the trained model."""
    data: tuple[Source, ...] = Field(min_length=1)
    """Labeled files, and what part of each is held back."""
    network: dict[str, Any] = {}
    """Fields of :class:`bec_md.network.NetworkConfig`; elements and levels default to the data's."""
    labels: Labels = Labels()
    """Which labels are refused."""
    optimizer: Optimizer = Optimizer()
    """AdamW and the average of its weights."""
    schedule: Schedule
    """Length of the run."""
    batch: Batch = Batch()
    """Size of a batch, in edges of the graph."""
    loss: Loss = Loss()
    """What is minimized."""
    finetune: Finetune | None = None
    """Network to start from; random weights when not given."""
    selection: Literal["rmse", "mae"] = "mae"
    """Validation error that the best weights minimize, averaged over the held-back files."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the weights, the order of the data and what is held back."""
    dtype: Literal["float32", "float64"] = "float32"
    """Arithmetic of the training."""
    device: str = "cpu"
    """Where PyTorch computes."""
    threads: int = Field(default=1, ge=1)
    """Of PyTorch."""
    output: Annotated[str, BeforeValidator(_as_path_text)] = "run"
    """Folder of the results."""
    card: dict[str, Any] = {}
    """Free text for the model card: licence and citation of the data, remarks."""


def parse_config(data: Any, *, source: str = "configuration") -> TrainingConfig:
    """Check a mapping against :class:`TrainingConfig`.

    Raises
    ------
    UsageError
        With every offending key, where it is and, for a misspelt one, the nearest known key.
    """
    if isinstance(data, dict):  # a section of which all is commented out
        known = TrainingConfig.model_fields
        data = {key: value for key, value in data.items() if value is not None or key not in known}
    try:
        return TrainingConfig.model_validate(data)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            if item["type"] == "too_short" and item["input"]:
                continue  # those that are wrong by themselves are not counted
            place = ".".join(str(part) for part in item["loc"])
            said = _IN_YAML.get(item["type"], item["msg"].removeprefix("Value error, "))
            lines.append(f"{place}: {said}" if place else said)
        raise UsageError(
            f"{source}: {'; '.join(lines)}",
            "a key that is ignored silently would train another network than the one described",
            "correct the file; every key is described in bec_md/training/config.py and docs",
        ) from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once: of two values PyYAML would take the last without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Read a mapping, into which nothing is merged yet."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return node


def load_config(path: str | Path) -> TrainingConfig:
    """Read a YAML file into a :class:`TrainingConfig`.

    Raises
    ------
    UsageError
        If the file is missing, is not YAML, or holds unknown or wrong entries.
    """
    file = require_file(Path(path), "training needs a configuration")
    try:
        data = yaml.load(read_text(file), Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{file}: {reason}", "the file is not valid YAML", "correct the syntax") from None
    return parse_config(data, source=str(file))


def find_data_file(path: str, *, config_folder: Path, data_root: Path | None) -> Path:
    """Return where a relative data path is: below `data_root`, else below the configuration's folder.

    Raises
    ------
    UsageError
        If it is in neither.
    """
    given = expanded(path)
    places = (
        [given] if given.is_absolute() else [r / given for r in (data_root, config_folder) if r is not None]
    )
    for place in places:
        if is_file(place):
            return place
    raise UsageError(
        f"data file {path!r} not found (looked at {', '.join(str(p) for p in places)})",
        "relative paths start at `data_root`, else at the folder of the configuration",
        "give `data_root=DIR`, the folder that holds the data",
    )
