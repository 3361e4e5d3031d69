"""Kinds: whatever comes in several variants, one per file, found by name; other packages add theirs by entry points.

A package such as ``wm_planner.costs`` holds one kind in each of its modules, but for ``base`` and those whose names
begin with an underscore. The module's name is the kind's, and its ``KIND`` is what a table gives for it. Nothing is
imported before it is asked for, so that a table can be listed where a library of one of its kinds is missing.

Another package adds a kind in its pyproject.toml, without a change here::

    [project.entry-points."wm_bringup.costs"]
    reach = "my_lab.reach:KIND"

Where kinds are configured, ``KIND`` is a frozen dataclass with the field ``kind``, a subclass of one that has the table
as its class variable ``KINDS``; :mod:`wm_core.config` then builds whichever a file asks for.
"""

from __future__ import annotations

import functools
import importlib.util
import pkgutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar, cast

from . import install
from .errors import ConfigError, WmError, one_line
from .names import unknown

T = TypeVar("T")

#: Entry points are in groups that begin with this, then have the last part of the package's name.
GROUP = "wm_bringup."


class Kinds(Generic[T]):
    """A table of kinds; in a ``for`` it gives their names, in order.

    Args:
        what: what one is called in a sentence, such as "cost".
        package: the package whose modules are the kinds.
        attribute: what a module gives for its kind; None: the module itself.
        error: what :meth:`load` raises.
    """

    def __init__(
        self, what: str, package: str, attribute: str | None = "KIND", error: type[WmError] = ConfigError
    ) -> None:
        self.what, self.package, self.group = what, package, GROUP + package.rpartition(".")[2]
        self._attribute, self._error = attribute, error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._modules, *self._added}))

    def __contains__(self, name: object) -> bool:
        return name in self._modules or name in self._added

    def check(self, name: object) -> None:
        """Raises the table's error if there is no kind of that name. Imports nothing."""
        if name not in self:
            raise self._error(unknown(self.what, name, tuple(self)))

    def load(self, name: str) -> T:
        """The kind of that name. Raises the table's error if there is none, or if it cannot be imported."""
        self.check(name)
        if (name in self._modules and name in self._added) or len(self._added.get(name, ())) > 1:
            values = ", ".join(point.value for point in self._added[name])
            what = (
                "is one of wm's own; rename that of" if name in self._modules else "exists more than once; keep one of"
            )
            raise self._error(f"the {self.what} '{name}' {what} the entry points {values}")
        try:
            if name in self._added:
                return cast(T, self._added[name][0].load())
            module = importlib.import_module(f"{self.package}.{name}")
        except Exception as error:  # whatever a package of somebody else's may do at its import
            raise self._error(
                f"the {self.what} '{name}' cannot be loaded ({one_line(error)}){install.advice(error)}"
            ) from None
        return cast(T, module if self._attribute is None else getattr(module, self._attribute))

    @functools.cached_property
    def _modules(self) -> frozenset[str]:
        # Looked for beside the file of the package, which need not be imported for it.
        spec = importlib.util.find_spec(self.package)
        found = pkgutil.iter_modules([str(Path(p)) for p in (spec.submodule_search_locations if spec else None) or ()])
        return frozenset(m.name for m in found if m.name != "base" and not m.name.startswith("_") and not m.ispkg)

    @property
    def _added(self) -> dict[str, tuple[EntryPoint, ...]]:
        return _entry_points(self.group)


@functools.cache
def _entry_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Those of all packages that are installed, by name."""
    out: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        out[point.name] = (*out.get(point.name, ()), point)
    return out
