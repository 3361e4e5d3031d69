"""A model bundle: one folder that holds all that a stack has to know about a world model.

``bundle.yaml`` (a :class:`BundleSpec`), ``encoder.onnx``, ``predictor.onnx``, optional further files, and ``CARD.md``
(what the model was trained on, how, and what it scored). Every file but the card is listed with its sha256. The weights
in ``<part>.safetensors`` are what the torch back end runs, and what graphs in another precision are exported from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wm_core import config
from wm_core.errors import BundleError, ConfigError
from wm_core.names import meant

from .onnx_file import external_files

FORMAT = 1
SPEC_NAME = "bundle.yaml"
CARD_NAME = "CARD.md"
#: What a bundle may say of the pictures that it was trained on: those of this repository's simulator alone, none at all
#: (random weights), or "", which says nothing. With the first two no real arm is moved.
SIMULATOR, NOTHING = "simulator", "nothing"
TRAINED_ON = (SIMULATOR, NOTHING, "")

Triple = tuple[float, float, float]
Seven = tuple[float, float, float, float, float, float, float]


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


@dataclass(frozen=True)
class LatentSpec:
    """Shape of a latent: ``tokens`` rows of ``channels`` numbers. A single vector is one token."""

    tokens: int
    channels: int

    def __post_init__(self) -> None:
        _require(self.tokens > 0 and self.channels > 0, f"latent {self.tokens} x {self.channels} must not be empty")


@dataclass(frozen=True)
class PreprocessSpec:
    """From a camera frame to the encoder's input; the steps are those of :func:`wm_models.preprocess.preprocess`.

    ``height`` and ``width`` are in pixels; the aspect limits are width / height; ``mean`` and ``std`` (red, green,
    blue) are on a 0..1 scale.
    """

    height: int
    width: int
    # The training crop of V-JEPA 2 (facebookresearch/vjepa2): random_resize_aspect_ratio 0.75..1.35.
    min_aspect: float = 0.75
    max_aspect: float = 1.35
    interpolation: str = "bilinear"
    # ImageNet statistics, the convention of most image encoders.
    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        _require(self.height > 0 and self.width > 0, f"image size {self.height} x {self.width} must be positive")
        _require(
            0.0 < self.min_aspect <= self.max_aspect < math.inf,
            f"aspect limits {self.min_aspect}..{self.max_aspect} must be positive, lower one first",
        )
        _require(
            self.interpolation in ("area", "bilinear"),
            f"interpolation must be 'area' or 'bilinear', not '{self.interpolation}'",
        )
        _require(all(map(math.isfinite, self.mean)), f"mean {list(self.mean)} must be finite")
        _require(all(0.0 < s < math.inf for s in self.std), f"std {list(self.std)} must be positive")


@dataclass(frozen=True)
class ActionSpec:
    """Range of the 7-D actions that the model was trained on, in m, rad and gripper closedness.

    ``low = high = 0`` pins a dimension. With ``gripper_levels`` the gripper's delta is one of these values.
    """

    low: Seven
    high: Seven
    gripper_levels: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _require(
            all(-math.inf < low <= high < math.inf for low, high in zip(self.low, self.high, strict=True)),
            f"action range {list(self.low)}..{list(self.high)} must be finite, lower end first",
        )
        if self.gripper_levels is not None:
            _require(
                len(self.gripper_levels) > 0 and all(self.low[6] <= g <= self.high[6] for g in self.gripper_levels),
                f"gripper_levels {list(self.gripper_levels)} must lie within {self.low[6]}..{self.high[6]}",
            )


@dataclass(frozen=True)
class BundleSpec:
    """The contents of ``bundle.yaml``. Raises ConfigError where a value makes no sense.

    ``pose_frame`` says which frame the model's states are poses of: the tool centre point or the flange.
    ``energy`` is the distance that the model is planned with: mean over tokens and channels of |d| or of d squared.
    ``history`` is the longest window of frames that the predictor looks back on: imagined frames fill it up, and then
    it slides. ``precision`` is that of the weights in the graphs, whose inputs and outputs are float32 in any case.
    ``trained_on`` is one of TRAINED_ON.
    ``planner`` is how this model is planned with: a preset of ``config/planner`` by name, or one of ``files`` that ends
    in ``.yaml``; "" where nothing is known.
    ``model`` is the ``Config`` of the architecture, from which :mod:`wm_models.architectures` builds it again.
    """

    name: str
    architecture: str
    licence: str
    step_period_s: float
    latent: LatentSpec
    preprocess: PreprocessSpec
    action: ActionSpec
    pose_frame: str = "tcp"
    energy: str = "l2"
    history: int = 1
    trained_on: str = ""
    planner: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    format: int = FORMAT
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(self.format == FORMAT, f"bundle format {self.format} is not known; this version reads {FORMAT}")
        _require(self.history >= 1, f"history {self.history} must be at least 1")
        _require(0.0 < self.step_period_s < math.inf, f"step_period_s = {self.step_period_s} must be positive")
        _require(self.pose_frame in ("tcp", "flange"), f"pose_frame must be 'tcp' or 'flange', not '{self.pose_frame}'")
        _require(self.energy in ("l1", "l2"), f"energy must be 'l1' or 'l2', not '{self.energy}'")
        _require(
            self.precision in ("float32", "float16", "bfloat16"),
            f"precision must be 'float32', 'float16' or 'bfloat16', not '{self.precision}'",
        )
        _require(
            self.trained_on in TRAINED_ON,
            f"trained_on must be '{SIMULATOR}', '{NOTHING}' or empty, not '{self.trained_on}'",
        )
        _require(
            not self.planner.endswith(".yaml") or self.planner in self.files or not self.files,
            f"planner = '{self.planner}' is not one of the files",
        )
        _require(Path(self.planner).name == self.planner, f"planner = '{self.planner}' must be a plain name")
        for name in self.files:
            _require(
                Path(name).name == name and name not in (SPEC_NAME, CARD_NAME),
                f"files: '{name}' must be the plain name of a model file",
            )


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been checked. ``path`` is its folder."""

    path: Path
    spec: BundleSpec

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read a bundle's folder and verify every listed file.

        Raises BundleError where the folder, ``bundle.yaml`` or a file is missing, a key is unknown or a value wrong,
        a file differs from its sha256, an ONNX file lies in the folder without being listed, or a listed one takes its
        weights from a file that is not.
        """
        path = Path(path)
        if not path.is_dir():
            beside = [spec.parent.name for spec in path.parent.glob(f"*/{SPEC_NAME}")]
            hint = meant(path.name, beside) or "; fetch it, or export one from a checkpoint"
            raise BundleError(f"there is no model bundle at {path}{hint}")
        if not (path / SPEC_NAME).is_file():
            raise BundleError(f"{path} is not a model bundle, it has no {SPEC_NAME}; fetch it again")
        try:
            spec = config.load(BundleSpec, path / SPEC_NAME)
        except ConfigError as error:
            sentence = str(error)
            raise BundleError(sentence if str(path) in sentence else f"{path / SPEC_NAME}: {sentence}") from None
        if not spec.files:
            raise BundleError(f"{path / SPEC_NAME} lists no files; export the bundle again")
        for name, expected in spec.files.items():
            if not (path / name).is_file():
                raise BundleError(f"{path / name} is missing; fetch the bundle again")
            if sha256(path / name) != expected:
                raise BundleError(
                    f"{path / name} is not the file that {SPEC_NAME} lists (its sha256 differs); "
                    "fetch the bundle again, or export it again if you changed the model"
                )
        for stray in sorted(path.glob("*.onnx*")):
            if stray.name not in spec.files:
                raise BundleError(f"{stray} is not listed in {SPEC_NAME}; remove it or export the bundle again")
        # A back end follows a graph to weights in other files, which must not escape the check above.
        for name in spec.files:
            for other in external_files(path / name) if name.endswith(".onnx") else ():
                if other not in spec.files:
                    raise BundleError(
                        f"{path / name} takes weights from '{other}', which {SPEC_NAME} does not list; "
                        "export the bundle again, with all its files in one folder"
                    )
        return cls(path, spec)

    def file(self, name: str) -> Path:
        """Path of a listed file. Raises BundleError if the bundle has no such file."""
        if name not in self.spec.files:
            raise BundleError(f"the bundle {self.path} has no {name}; export the bundle again with it")
        return self.path / name


def write_bundle(
    path: str | Path,
    spec: BundleSpec,
    files: Mapping[str, str | Path | Callable[[Path], object]],
    card: str | Callable[[], str],
) -> Bundle:
    """Write a bundle to the folder ``path`` and return it, checked.

    Args:
        path: the bundle's folder; a bundle that is already there is replaced.
        spec: all but ``files``, which is computed here.
        files: name in the bundle -> path of the file to copy, or a function that writes the file to the path it is
            given and may lay others beside it, such as the weights of a large graph.
        card: text of CARD.md, or a function that gives it once the files are written.

    The folder is written beside ``path`` and then renamed, so nobody ever sees half a bundle, and a failure leaves the
    old one as it was. Raises BundleError where ``path`` holds something else, or a file cannot be read or written, and
    ConfigError where a value of the spec has the wrong type.
    """
    path = Path(path)
    spec = config.from_dict(BundleSpec, dataclasses.asdict(spec), f"the spec of {path}")  # numpy's numbers to Python's
    if path.exists() and not (path / SPEC_NAME).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise BundleError(f"{path} exists and is not a model bundle; choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as workspace:
            new, old = Path(workspace, "new"), Path(workspace, "old")
            new.mkdir()
            for name, source in files.items():
                if callable(source):
                    source(new / name)
                else:
                    shutil.copyfile(source, new / name)
            text = card() if callable(card) else card
            spec = dataclasses.replace(spec, files={file.name: sha256(file) for file in sorted(new.iterdir())})
            listing = yaml.safe_dump(_plain(spec), sort_keys=False, default_flow_style=None, width=120)
            (new / SPEC_NAME).write_text(listing, encoding="utf-8")
            (new / CARD_NAME).write_text(text, encoding="utf-8")
            spec = Bundle.load(new).spec
            if path.exists():
                path.rename(old)
            try:
                new.rename(path)
            except OSError:
                if old.exists():
                    old.rename(path)
                raise
    except OSError as error:
        raise BundleError(f"cannot write the bundle {path}: {error.filename}: {error.strerror}") from None
    return Bundle(path, spec)


def _plain(value: Any) -> Any:
    """Dataclasses and tuples as what YAML can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def sha256(*paths: Path) -> str:
    """Of files, one after the other. Raises BundleError where one cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in paths:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise BundleError(f"cannot read {error.filename}: {error.strerror}; fetch the bundle again") from None
    return digest.hexdigest()
