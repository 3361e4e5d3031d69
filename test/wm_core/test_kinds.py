import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint

import pytest

from wm_core import kinds
from wm_core.config import from_dict, from_layers
from wm_core.errors import BundleError, ConfigError
from wm_core.kinds import Kinds

#: A package of kinds as one stands in the tree, and one that another package brings.
FILES = {
    "zoo/__init__.py": "from wm_core.kinds import Kinds\nANIMALS = Kinds('animal', 'zoo.animals')\n",
    "zoo/animals/__init__.py": "",
    "zoo/animals/base.py": """
from dataclasses import dataclass
from typing import ClassVar
from zoo import ANIMALS

@dataclass(frozen=True)
class AnimalConfig:
    KINDS: ClassVar = ANIMALS
    kind: str = 'cat'
    legs: int = 4
""",
    "zoo/animals/_helper.py": "",
    "zoo/animals/cat.py": """
from dataclasses import dataclass
from zoo.animals.base import AnimalConfig

@dataclass(frozen=True)
class Cat(AnimalConfig):
    lives: int = 9

KIND = Cat
""",
    "zoo/animals/bird.py": """
from dataclasses import dataclass
from zoo.animals.base import AnimalConfig

@dataclass(frozen=True)
class Bird(AnimalConfig):
    kind: str = 'bird'
    wings: int = 2

KIND = Bird
""",
    "zoo/animals/ghost.py": "import nothing_of_that_name\n",
    "zoo/animals/whale.py": "import torch.nothing\n",
    "lab.py": """
from dataclasses import dataclass
from zoo.animals.base import AnimalConfig

@dataclass(frozen=True)
class Fish(AnimalConfig):
    kind: str = 'fish'
    legs: int = 0
    fins: int = 3
""",
    "lab-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n",
    "lab-1.0.dist-info/entry_points.txt": "[wm_bringup.animals]\nfish = lab:Fish\n",
}


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    kinds._entry_points.cache_clear()
    yield tmp_path
    kinds._entry_points.cache_clear()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("zoo", "lab"):
            del sys.modules[name]


@pytest.fixture
def cage(zoo):
    from zoo.animals.base import AnimalConfig

    @dataclass(frozen=True)
    class Cage:
        animal: AnimalConfig = field(default_factory=lambda: AnimalConfig.KINDS.load("cat")())
        others: dict[str, AnimalConfig] = field(default_factory=dict)

    # Annotations of a class within a function are text that names what only the function knows.
    Cage.__annotations__ |= {"animal": AnimalConfig, "others": dict[str, AnimalConfig]}
    return Cage


def test_the_files_and_the_entry_points_are_the_kinds(zoo) -> None:
    animals = Kinds("animal", "zoo.animals")
    assert list(animals) == ["bird", "cat", "fish", "ghost", "whale"]
    assert "zoo.animals.bird" not in sys.modules  # listing imports nothing
    assert animals.load("bird")().wings == 2 and animals.load("fish")().fins == 3
    assert Kinds("animal", "zoo.animals", None).load("cat").__name__ == "zoo.animals.cat"


def test_an_unknown_kind_is_refused_with_the_known_ones(zoo) -> None:
    with pytest.raises(ConfigError, match=r"no animal 'brid' \(did you mean 'bird'\?\); there are: bird, cat, fish"):
        Kinds("animal", "zoo.animals").load("brid")
    for name in ("base", "_helper"):
        with pytest.raises(BundleError, match="there is no animal"):
            Kinds("animal", "zoo.animals", error=BundleError).load(name)


def test_a_kind_that_cannot_be_imported_says_why(zoo) -> None:
    animals = Kinds("animal", "zoo.animals")
    with pytest.raises(ConfigError, match=r"'ghost' cannot be loaded \(No module named 'nothing_of_that_name'\)$"):
        animals.load("ghost")
    with pytest.raises(ConfigError, match=r"cannot be loaded .*torch.*; install it: .*\[train\]"):
        animals.load("whale")


def test_a_kind_that_two_packages_bring_is_refused(zoo, monkeypatch) -> None:
    points = [EntryPoint(name, f"lab:{name}", "") for name in ("fish", "fish", "cat")]
    monkeypatch.setattr(kinds, "entry_points", lambda group: points)
    kinds._entry_points.cache_clear()
    for name, says in (("fish", "exists more than once; keep one of"), ("cat", "is one of wm's own; rename that of")):
        with pytest.raises(ConfigError, match=rf"'{name}' {says} the entry points lab:{name}"):
            Kinds("animal", "zoo.animals").load(name)


def test_a_section_is_read_by_the_kind_that_it_names(cage) -> None:
    assert from_dict(cage, {}).animal.lives == 9
    made = from_dict(cage, {"animal": {"kind": "fish", "fins": 5}})
    assert asdict(made)["animal"] == {"kind": "fish", "legs": 0, "fins": 5}
    assert from_dict(cage, {"animal": {"lives": 8}}).animal.lives == 8


@pytest.mark.parametrize(
    ("animal", "words"),
    [
        ({"kind": "bird", "lives": 9}, "configuration: animal has an unknown key 'lives'"),
        ({"wings": 2}, "configuration: animal has an unknown key 'wings'"),
        ({"kind": "brid"}, "configuration: animal: there is no animal 'brid' .*did you mean 'bird'"),
        ({"kind": 3}, "configuration: animal: kind must be of type str, not 3"),
        ({"kind": "bird", "wings": "two"}, "configuration: animal: wings must be of type int"),
        ("bird", "configuration: animal must be a mapping"),
    ],
)
def test_what_the_kind_does_not_know_is_refused(cage, animal, words) -> None:
    with pytest.raises(ConfigError, match=words):
        from_dict(cage, {"animal": animal})
    with pytest.raises(ConfigError, match=words.replace("configuration", r"configuration \(below\)")):
        from_layers(cage, [("below", {"animal": animal})], "configuration")


def test_a_layer_may_choose_another_kind_and_keeps_what_that_knows(cage) -> None:
    below = {"animal": {"lives": 7, "legs": 3}}
    made = from_layers(cage, [("below", below), ("above", {"animal": {"kind": "bird"}})], "it").animal
    assert asdict(made) == {"kind": "bird", "legs": 3, "wings": 2}
    with pytest.raises(ConfigError, match=r"it \(above\): animal has an unknown key 'lives'"):
        from_layers(cage, [("below", below), ("above", {"animal": {"kind": "bird", "lives": 1}})], "it")
    back = [("a", below), ("b", {"animal": {"kind": "bird", "wings": 4}}), ("c", {"animal": {"kind": "cat"}})]
    assert asdict(from_layers(cage, back, "it").animal) == {"kind": "cat", "legs": 3, "lives": 9}


def test_a_mapping_of_kinds_names_them_by_its_keys(cage) -> None:
    layers = [
        ("a", {"others": {"cat": {"lives": 3}, "tweety": {"kind": "bird"}, "fish": {}}}),
        ("b", {"others": {"cat": {"legs": 2}, "fish": None, "tweety": {"wings": 1}}}),
    ]
    others = from_layers(cage, layers, "it").others
    assert {name: asdict(other) for name, other in others.items()} == {
        "cat": {"kind": "cat", "legs": 2, "lives": 3},
        "tweety": {"kind": "bird", "legs": 4, "wings": 1},
    }
    for values, words in (
        ({"dog": {}}, r"it \(b\): others.dog: there is no animal 'dog'"),
        ({"tweety": {"lives": 1}}, r"it \(b\): others.tweety has an unknown key 'lives'"),
        ({"cat": 3}, r"it \(b\): others.cat must be a mapping"),
    ):
        with pytest.raises(ConfigError, match=words):
            from_layers(cage, [layers[0], ("b", {"others": values})], "it")


def test_the_advice_names_the_extra() -> None:
    from wm_core.install import advice

    assert "[sim]" in advice(ImportError(name="mujoco.egl"))
    assert "onnxruntime" in advice(ImportError(name="onnxruntime"))
    assert advice(ImportError()) == advice(OSError()) == ""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("lab:Fish", ""),
        ("json:loads", "is no AnimalConfig: <function loads"),
        ("decimal:MAX_PREC", "is no AnimalConfig: "),
        ("wm_core.limits:Limits", "is no AnimalConfig: <class 'wm_core.limits.Limits'>"),
        ("antigravity_of_none:X", "cannot be loaded"),
    ],
)
def test_what_another_package_brings_is_looked_at(cage, monkeypatch, value, says) -> None:
    monkeypatch.setattr(kinds, "entry_points", lambda group: [EntryPoint("eel", value, group)])
    kinds._entry_points.cache_clear()
    if not says:
        assert from_dict(cage, {"animal": {"kind": "eel"}}).animal.fins == 3
        return
    with pytest.raises(ConfigError, match=says) as error:
        from_dict(cage, {"animal": {"kind": "eel"}})
    assert "'eel'" in str(error.value) and str(error.value).startswith("configuration: animal")


def test_a_key_of_a_mapping_has_the_type_that_it_should(cage) -> None:
    with pytest.raises(ConfigError, match=r"others has the key 1, which must be of type str"):
        from_dict(cage, {"others": {1: {"kind": "cat"}}})
