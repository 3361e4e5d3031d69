"""Configuration: one frozen dataclass per node, read from YAML in layers.

What cannot be meant is refused by name: unknown keys, wrong types, a key that stands twice, and a key that nobody reads
because of the value of another one. A dataclass declares the last in its class variable ``READ_IF``, which maps a key
to another key and the values of that one for which it is read: ``{"final_weight": ("mode", ("cumulative",))}``.

A section of which there are kinds is a dataclass with a field ``kind`` and a class variable ``KINDS``, a table of
:mod:`wm_core.kinds`: a file's ``kind:`` says which kind's own dataclass is built. In a mapping of such sections the key
names the kind where no ``kind:`` does, and null leaves one out that a lower layer has.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import re
import reprlib
import types
import typing
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from .errors import ConfigError, quoted, shown
from .names import meant, unknown
from .share import share

T = TypeVar("T")

#: A YAML reader tells of two places in a text, and what stands there.
MOST_SAID = 400


# --- from text to values ----------------------------------------------------------------------------------------------
if typing.TYPE_CHECKING:
    from yaml import SafeLoader
else:
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, if it is there, is ten times as fast


class _Loader(SafeLoader):
    """YAML 1.1 as PyYAML's safe loader reads it, but a key may stand only once, and nothing may contain itself."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        del deep  # deep construction is what finds a node that contains itself
        return super().construct_object(node, deep=True)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value: int = super().construct_yaml_int(node)
        if not -(2**63) <= value < 2**63:  # as ROS's; one of thousands of hex digits cannot even be shown
            raise _refused("a whole number takes more than 64 bits", node)
        self._refuse_surprise(node, value)
        return value

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value: float = super().construct_yaml_float(node)
        self._refuse_surprise(node, value)
        return value

    def _refuse_surprise(self, node: yaml.ScalarNode, value: float) -> None:
        """Numbers that YAML 1.1 reads as few people mean them: 010 is 8, and 1:30 is 90."""
        if ":" in node.value or _OCTAL.fullmatch(node.value):
            raise _refused(f"{node.value[:20]} means {value} in YAML 1.1; write {value}, or the number you mean", node)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Called before the merge of `<<`, whose keys those beside it may replace, and for merged mappings as well.
        if not hasattr(node, "checked"):
            self._refuse_duplicates(node)
            node.checked = True  # type: ignore[attr-defined]
        super().flatten_mapping(node)

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            merges = key_node.tag == "tag:yaml.org,2002:merge"
            key, line = "<<" if merges else self.construct_object(key_node), key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                continue  # for PyYAML to refuse
            if key in lines:
                where = f"in line {line}" if lines[key] == line else f"in the lines {lines[key]} and {line}"
                raise _DuplicateKey(f"has the key {quoted(key)} twice, {where}; remove one of them")
            lines[key] = line


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
_OCTAL = re.compile(r"[-+]?0[0-9_]+")


def _refused(why: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)


class _DuplicateKey(Exception):
    pass


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text. Raises ConfigError, which begins with ``where``, if it is none or has a key twice."""
    try:
        return yaml.load(text, _Loader)
    except _DuplicateKey as error:
        raise ConfigError(f"{where} {error}") from None
    except RecursionError:
        raise ConfigError(f"{where} is not valid YAML: it is nested too deeply") from None
    except yaml.YAMLError as error:
        why = "it is nested too deeply" if "nesting depth" in str(error) else _line(error)  # libyaml's RecursionError
        raise ConfigError(f"{where} is not valid YAML: {why}") from None
    except Exception as error:  # PyYAML's constructors let through whatever happens to them
        why = f"a date, or the value of a tag (!!int, ...), makes no sense ({_line(error)})"
        raise ConfigError(f"{where} is not valid YAML: {why}") from None


def _line(error: Exception) -> str:
    """What an error says, on one line of at most MOST_SAID characters: it may quote anything."""
    text = str(error)[: 2 * MOST_SAID] or type(error).__name__
    said = " ".join(shown(text, " ").split())
    return said if len(said) <= MOST_SAID else f"{said[: MOST_SAID - 3]}..."


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ConfigError if the file is missing, unreadable, not a mapping, or has a key twice."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path that no file can have
        raise ConfigError(f"cannot read {path}: {error.strerror if isinstance(error, OSError) else error}") from None
    values = parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values")
    return values


#: The key of a node's file that names what the file is layered over.
BASE = "base"


def read_layers(path: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """A node's file and below it what it is based on, the lowest first, each with its path.

    ``base`` is a shipped preset, by its place in config/ such as ``arms/fr3_crisp``, or a YAML file, relative to the
    one that names it. Raises ConfigError as :func:`read_yaml`, and where there is no such base.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    file: Path | None = Path(path)
    while file is not None:
        if str(file) in [place for place, _ in layers]:
            raise ConfigError(f"{path} is based on itself, by way of {layers[0][0]}; remove '{BASE}' from one of them")
        values = read_yaml(file)
        name = values.pop(BASE, None)
        layers.insert(0, (str(file), values))
        file = None if name is None else _base(file, name)
    return layers


def _base(file: Path, name: object) -> Path:
    if isinstance(name, str) and name.endswith((".yaml", ".yml")):
        return (file.parent / name).resolve()
    presets = share() / "config"
    known = {str(found.relative_to(presets).with_suffix("")): found for found in presets.rglob("*.yaml")}
    if not isinstance(name, str) or name not in known:
        raise ConfigError(f"{file}: {BASE}: {unknown('preset', name, known)}; or give a file, such as ./mine.yaml")
    return known[name]


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over`` in their place, mapping by mapping."""
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        out[key] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return out


def assignment(word: str, within: str = "") -> tuple[str, Any]:
    """``"KEY=VALUE"`` as its key and its value, which is YAML. ``within``: where the word stands, for a sentence.

    Raises ConfigError, which begins with the word.
    """
    where = f"'{word}'{within and f' in {within}'}"
    key, equals, text = word.partition("=")
    if not (key.strip() and equals):
        raise ConfigError(f"{where} is not of the form KEY=VALUE")
    return key.strip(), parse_yaml(text, where)


def within(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Raises ConfigError, which begins with ``name``, unless ``value`` is a number within ``low``..``high``."""
    if not low <= value <= high:  # so put, it is no for NaN
        raise ConfigError(f"{name} = {value} is outside {low:g}..{high:g}{unit and f' {unit}'}")


# --- from values to a dataclass ---------------------------------------------------------------------------------------
def load(cls: type[T], path: str | Path) -> T:
    """Read ``path`` into the dataclass ``cls``. See :func:`from_dict` for what is refused."""
    return from_dict(cls, read_yaml(path), str(path))


def from_dict(cls: type[T], values: dict[str, Any], where: str = "configuration") -> T:
    """Build a dataclass from a mapping, recursively.

    Raises ConfigError, naming ``where`` and the key, on an unknown key, a missing key, a value of another type, or a
    key that nobody reads.
    """
    return from_layers(cls, [("", values)], where)


def from_layers(cls: type[T], layers: Sequence[tuple[str, dict[str, Any]]], where: str) -> T:
    """Build a dataclass from mappings, the later ones layered over the earlier, mapping by mapping.

    Each layer has the place where it stands, such as a file; "" for what was set without one. A sentence on what is
    wrong begins with ``where`` and the place; if it is wrong only in several layers together, with theirs. What an
    upper layer leaves unread in a lower one, by choosing another kind, is no fault. Raises ConfigError as
    :func:`from_dict`.
    """
    merged = _merged(cls, [values for _, values in layers])
    for index, (place, values) in enumerate(layers):
        upto = _merged(cls, [below for _, below in layers[: index + 1]])
        _check(cls, values, upto, merged, [above for _, above in layers[index + 1 :]], _placed(where, [place]))
    try:
        return _build(cls, merged, where)
    except ConfigError as error:
        said = str(error)
    raise ConfigError(_placed(where, _at_fault(cls, layers, where, said)) + said.removeprefix(where))


@dataclasses.dataclass(frozen=True)
class Setting:
    """One effective value, its ``key`` such as ``limits.step_m``, and the place that says it; "" for a default."""

    key: str
    value: Any
    place: str


def explain(built: Any, layers: Sequence[tuple[str, dict[str, Any]]]) -> list[Setting]:
    """Each value of a configuration that :func:`from_layers` built from ``layers``, and where it comes from."""
    return [
        Setting(".".join(path), value, next((place for place, said in reversed(layers) if _says(said, path)), ""))
        for path, value in _leaves(dataclasses.asdict(built), ())
    ]


def _leaves(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _says(values: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _at_fault(cls: Any, layers: Sequence[tuple[str, dict[str, Any]]], where: str, said: str) -> list[str]:
    """The places of the layers without any of which the sentence ``said`` would not be said.

    The lowest is left out first: of two that say the same, it is the upper one that counts. None is at fault where the
    code's defaults do not go without a value that nobody gave; one with a required key is always named.
    """
    some = list(layers)
    for layer in layers:
        rest = [other for other in some if other is not layer]
        try:
            _build(cls, _merged(cls, [values for _, values in rest]), where)
        except ConfigError as error:
            some = rest if str(error) == said else some
    return [place for place, _ in some]


def _merged(cls: Any, layers: Sequence[Any]) -> dict[str, Any]:
    """All layers in one, as ``cls`` reads it: where one chooses another kind, what that kind does not know is gone."""
    merged: dict[str, Any] = {}
    for values in layers:
        merged = _over(cls, merged, values) if isinstance(values, dict) else merged
    return merged


def _over(cls: Any, base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    out = {**base, **values}
    kind = _kind(cls, out)
    if kind is None:
        return out  # to be refused
    if kind is not _kind(cls, base):
        known = {"kind", *(f.name for f in dataclasses.fields(kind) if f.init)}
        out = {key: value for key, value in out.items() if key in values or key in known}
    hints = _hints(kind)
    for key, value in values.items():
        below = base.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            section = _section(hints[key])[0] if key in hints else None
            each = _each(hints[key]) if key in hints else None
            if section is not None:
                out[key] = _over(section, below, value)
            elif each is not None:
                out[key] = {**below, **{k: _entry_over(each, k, below.get(k), v) for k, v in value.items()}}
            else:
                out[key] = merge(below, value)
    return out


def _entry_over(cls: Any, name: str, below: Any, value: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(value, dict)):
        return value
    return _over(cls, _entry(name, below), value)


def _entry(name: str, values: Any) -> Any:
    """A section in a mapping of kinds, whose key names the kind if it does not."""
    return {"kind": name, **values} if isinstance(values, dict) else values


def _kind(cls: Any, values: Mapping[str, Any]) -> Any:
    """The dataclass that reads a section; None where it asks for a kind that cannot be had."""
    try:
        return _chosen(cls, values, "")
    except ConfigError:
        return None


def _chosen(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    """The dataclass that reads a section: ``cls``, or where there are kinds of it the one that it names.

    Raises ConfigError, which begins with ``where``, where that cannot be had.
    """
    kinds = vars(cls).get("KINDS")
    if kinds is None:
        return cls
    default = next(f.default for f in dataclasses.fields(cls) if f.name == "kind")
    name = values.get("kind", default)
    if name is dataclasses.MISSING:
        raise ConfigError(f"{where} lacks the key 'kind', one of: {', '.join(kinds)}")
    if not isinstance(name, str):
        raise ConfigError(f"{where}: kind must be of type str, not {_said(name)}")
    try:
        chosen = kinds.load(name)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    if not (isinstance(chosen, type) and issubclass(chosen, cls) and dataclasses.is_dataclass(chosen)):
        raise ConfigError(f"{where}: what is installed as the {kinds.what} '{name}' is no {cls.__name__}: {chosen!r}")
    if inspect.isabstract(chosen):
        raise ConfigError(f"{where}: the {kinds.what} '{name}' lacks {', '.join(sorted(chosen.__abstractmethods__))}")
    return chosen


def _each(hint: Any) -> Any:
    """The dataclass of each value of a mapping of sections of which there are kinds; None for any other hint."""
    args = typing.get_args(hint)
    each = args[1] if typing.get_origin(hint) is dict else None
    return each if dataclasses.is_dataclass(each) and "KINDS" in vars(each) else None


def _placed(where: str, places: Sequence[str]) -> str:
    """``where`` with the places that a sentence is about."""
    named = [place for place in places if place]
    besides = " and what was set besides" if len(named) < len(places) else ""
    return f"{where} ({', '.join(named)}{besides})" if named else where


def _check(
    cls: Any, values: Any, upto: Mapping[str, Any], merged: Mapping[str, Any], above: Sequence[Any], where: str
) -> None:
    """Raise ConfigError on what is wrong in this one layer.

    ``upto`` are the layers up to this one, ``merged`` all of them, and ``above`` those over it.
    """
    if not isinstance(values, dict):
        kinds = vars(cls).get("KINDS", ())
        which = f" with a kind ({', '.join(kinds)})" if kinds else ""
        raise ConfigError(f"{where} must be a mapping of keys to values{which}, not {_shown(values)}")
    final, cls = _kind(cls, merged), _chosen(cls, upto, where)
    in_force = merged if final is cls else upto  # a layer above may choose another kind, which reads other keys
    hints, known = _hints(cls), {f.name: f for f in dataclasses.fields(cls) if f.init}
    above = [layer for layer in above if isinstance(layer, dict)]
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where} has an unknown key {quoted(key)}{_advice(cls, key, value)}")
        if key in (read_if := getattr(cls, "READ_IF", {})):
            other, wanted = read_if[key]
            found = in_force.get(other, known[other].default)
            if found not in wanted and not any(other in layer for layer in above):
                need = " or ".join(str(kind) for kind in wanted)
                raise ConfigError(
                    f"{where}: nobody reads '{key}' unless '{other}' is {need}, and it is {_said(found)}; "
                    f"remove '{key}', or set '{other}' to {need}"
                )
        inner, optional = _section(hints[key])
        below, whole = _mapping(upto.get(key)), _mapping(merged.get(key))
        if inner is not None:
            if not (optional and value is None):
                _check(inner, value, below, whole, [layer[key] for layer in above if key in layer], f"{where}: {key}")
        elif (each := _each(hints[key])) is not None and isinstance(value, dict):
            for name, entry in value.items():
                if entry is not None:
                    over = [layer[key][name] for layer in above if name in _mapping(layer.get(key))]
                    under, all_of_it = (_mapping(_entry(name, view.get(name))) for view in (below, whole))
                    _check(each, entry, under, all_of_it, over, f"{where}: {key}.{quoted(name)[1:-1]}")
        else:
            _convert(hints[key], value, f"{where}: {key}")


def _mapping(value: Any) -> Mapping[str, Any]:
    """What stands in a place of a mapping, empty where a layer above puts something else there."""
    return value if isinstance(value, dict) else {}


def _advice(cls: Any, key: object, value: object = None) -> str:
    """What to do about a key that ``cls`` does not know, for the end of the sentence."""
    if isinstance(value, dict) and "ros__parameters" in value:
        return "; these files are one node's each: leave out the node's name and ros__parameters"
    known = {f.name: _section(_hints(cls)[f.name])[0] for f in dataclasses.fields(cls) if f.init}
    if advice := meant(key, known):
        return advice
    for name, section in known.items():
        section = section and (_kind(section, {}) or section)  # of several kinds, the one that there is by default
        if section is not None and key in {f.name for f in dataclasses.fields(section) if f.init}:
            return f"; did you mean '{name}.{key}'?"
    if str(key).isdecimal():
        return "; decimals are written with a point, 0.25"
    return f"; remove it, there are: {', '.join(sorted(known))}"


def _section(hint: Any) -> tuple[Any, bool]:
    """The dataclass that a hint asks for, None if it asks for something else; and whether null will do, too."""
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    return next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None), type(None) in kinds


_hints: Callable[[Any], dict[str, Any]] = functools.cache(typing.get_type_hints)


def _build(cls: type[T], values: dict[str, Any], where: str) -> T:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be a mapping of keys to values, not {_shown(values)}")
    cls = _chosen(cls, values, where)
    hints = _hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise ConfigError(f"{where} has an unknown key {quoted(key)}{_advice(cls, key)}")
    for name in _required(cls):
        if name not in values:
            raise ConfigError(f"{where} lacks the key '{name}'")
    converted = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return cls(**converted)
    except ConfigError as error:  # it knows the values, and not where they come from
        raise ConfigError(f"{where}: {error}") from None


def _required(cls: Any) -> list[str]:
    """The keys of a dataclass that have no default."""
    missing = dataclasses.MISSING
    fields = (f for f in dataclasses.fields(cls) if f.init)
    return [f.name for f in fields if f.default is missing and f.default_factory is missing]


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _convert(next(a for a in args if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} must be a list, not {_shown(value)}")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_convert(args[0], v, where) for v in value)
        if len(value) != len(args):
            raise ConfigError(f"{where} must have {len(args)} entries, not {len(value)}")
        return tuple(_convert(a, v, where) for a, v in zip(args, value, strict=True))
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a mapping, not {_shown(value)}")
        for key in value:
            if not isinstance(key, args[0]):
                raise ConfigError(f"{where} has the key {_shown(key)}, which must be of type {args[0].__name__}")
        if _each(hint) is not None:
            value = {k: _entry(k, v) for k, v in value.items() if v is not None}
        return {k: _convert(args[1], v, f"{where}.{quoted(k)[1:-1]}") for k, v in value.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError:
            raise ConfigError(f"{where} must be one of {', '.join(map(str, hint))}, not {_shown(value)}") from None
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{where} must be of type float, and {_shown(value)} is too large for one") from None
    if hint is Any or (isinstance(value, hint) and not (hint is int and isinstance(value, bool))):
        return value
    raise ConfigError(f"{where} must be of type {hint.__name__}, not {_shown(value)}")


#: How a value stands in a sentence: whole if it is short, and never longer than a line.
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80
_REPR.maxlevel = 2


def _shown(value: Any) -> str:
    return _REPR.repr(value)


def _said(value: Any) -> str:
    return "null" if value is None else _shown(value)
