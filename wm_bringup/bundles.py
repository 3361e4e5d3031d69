"""Which model bundle a graph runs: the shipped one in simulation, and on a real arm the one that a person names."""

from __future__ import annotations

from collections.abc import Callable

from wm_core.errors import BundleError, ConfigError
from wm_models.bundle import NOTHING, SIMULATOR, Bundle

from . import paths

#: What is known against a model where a real arm is to be moved, by what it was trained on.
_UNFIT = {
    SIMULATOR: "was trained on the simulator's camera alone",
    NOTHING: "has random weights",
}


def chosen(
    name: str | None, mode: str, dry_run: bool = False, warn: Callable[[str], object] = lambda _: None
) -> Bundle:
    """The bundle that ``name`` is, checked file by file.

    Args:
        name: below ``models/``, or a folder; None or "" for the shipped one, which a real arm does not get: it must not
            be driven by a model of the simulator because somebody forgot an argument.
        mode: one of :data:`wm_bringup.graph.MODES`.
        dry_run: nothing moves, so that a model which is not for real arms may be looked at.
        warn: is told then, in one sentence, that it is none.
    Raises:
        ConfigError: mode real, and no model is named.
        BundleError: there is no such bundle, it is damaged, or says of itself that it is not for a real arm.
    """
    real = mode == "real"
    if real and not name:
        raise ConfigError(
            f"mode real has no model of its own, since the shipped '{paths.DEFAULT_BUNDLE}' knows the simulator's "
            "camera alone; name one that was trained for yours: model:=BUNDLE (wm: --model BUNDLE)"
        )
    bundle = Bundle.load(paths.bundle_folder(name or paths.DEFAULT_BUNDLE))
    if real and (why := _UNFIT.get(bundle.spec.trained_on)):
        said = f"the model {bundle.path} {why}"
        if not dry_run:
            raise BundleError(
                f"{said}, so it moves no real arm; name one that was trained for your camera, or only look at its "
                "plans, with ros2 launch and dry_run:=true beside what you gave"
            )
        warn(f"{said}: what it plans here says nothing of a real scene, and without dry_run:=true it is refused")
    return bundle
