"""Who publishes what, with real nodes; then what is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.node import Node
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger

from wm_ros import voices
from wm_ros.voices import UNKNOWN, Voices

pytestmark = pytest.mark.live


class Cell:
    """Nodes as if each had a process of its own; discovery runs in threads, so nothing needs to be spun."""

    def __init__(self) -> None:
        self._nodes: list[tuple[str, Node]] = []

    def node(self, name: str, namespace: str = "/cell", *arguments: str) -> Node:
        context = rclpy.context.Context()
        rclpy.init(context=context)
        cli = ["--ros-args", *arguments] if arguments else None
        made = rclpy.create_node(name, namespace=namespace, context=context, cli_args=cli)
        self._nodes.append((f"{namespace}/{name}", made))
        return made

    def destroy(self, name: str) -> None:
        dict(self._nodes)[name].destroy_node()

    def close(self) -> None:
        for _, made in self._nodes:
            made.destroy_node()
            made.context.try_shutdown()


@pytest.fixture
def cell() -> Iterator[Cell]:
    made = Cell()
    yield made
    made.close()


def until(there: Callable[[], bool], what: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 10.0
    while not there():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


def test_a_second_publisher_is_named_and_forgotten(cell: Cell) -> None:
    heard = Voices(cell.node("controller"))
    heard.watch("planner/plan", "planner")
    cell.node("planner").create_publisher(String, "planner/plan", 1)
    until(lambda: heard.sole("planner/plan"))
    first = heard.identity("planner/plan")
    assert first and heard.trouble() == ""
    cell.node("stray", "/desk").create_publisher(String, "/cell/planner/plan", 1)
    until(lambda: heard.trouble(at_once=True) == "the node 'desk/stray' also publishes /cell/planner/plan; end it")
    assert not heard.sole("planner/plan") and heard.identity("planner/plan") is None
    cell.destroy("/desk/stray")
    until(lambda: heard.trouble() == "" and heard.sole("planner/plan"))
    assert heard.identity("planner/plan") == first


def test_another_type_and_another_node_of_the_same_name_count(cell: Cell) -> None:
    heard = Voices(cell.node("controller"))
    heard.watch("planner/plan", "planner")
    for kind in (String, Float64):
        cell.node("planner").create_publisher(kind, "planner/plan", 1)
    said = "the node 'cell/planner' also publishes /cell/planner/plan; end it"
    until(lambda: heard.trouble() == f"{said} (one that was killed is forgotten within 20 s)", heard.trouble)


def test_a_stranger_in_the_place_of_the_declared_node(cell: Cell) -> None:
    heard = Voices(cell.node("controller"))
    heard.watch("planner/status", "planner")
    cell.node("planner", "/other").create_publisher(String, "/cell/planner/status", 1)
    said = "the node 'other/planner' publishes /cell/planner/status in place of 'cell/planner'; end it"
    until(lambda: heard.trouble() == said, heard.trouble)
    assert not heard.sole("planner/status")


def test_any_node_may_be_the_one_but_not_two(cell: Cell) -> None:
    """A driver's node has a name of its own."""
    heard = Voices(cell.node("controller"))
    heard.watch("arm/current_pose", None)
    heard.watch("joint_states", None, shared=True)
    for name in ("arm", "replay"):
        assert heard.trouble() == ""
        made = cell.node(name)
        made.create_publisher(String, "arm/current_pose", 1)
        made.create_publisher(String, "joint_states", 1)
    said = "the nodes 'cell/arm' and 'cell/replay' publish /cell/arm/current_pose; end all but one"
    until(lambda: heard.trouble() == said, heard.trouble)


def test_own_topics_are_a_matter_of_their_own(cell: Cell) -> None:
    node = cell.node("controller", "/cell", "-r", "arm/target_pose:=real/target_pose")
    node.create_publisher(String, "arm/target_pose", 1)
    heard = Voices(node)
    heard.watch("arm/target_pose", own=True)
    until(lambda: heard.sole("arm/target_pose"))
    cell.node("controller").create_publisher(String, "real/target_pose", 1)
    until(
        lambda: heard.rival().startswith("the node 'cell/controller' also publishes /cell/real/target_pose; end it (")
    )
    assert heard.trouble() == ""


def test_who_else_answers_a_service_is_named_and_forgotten(cell: Cell) -> None:
    node, stray = cell.node("controller"), cell.node("stray")
    heard = Voices(node)
    node.create_service(Trigger, "stop", lambda _, answer: answer)
    heard.watch_service("stop")
    assert heard.rival() == ""
    stray.create_service(Trigger, "/cell/stop", lambda _, answer: answer)
    until(lambda: heard.rival() == "the node 'cell/stray' also answers /cell/stop; end it", heard.rival)
    assert heard.trouble() == ""
    cell.destroy("/cell/stray")
    until(lambda: heard.rival() == "")


class Graph:
    """A node that is only asked what is known of others."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.looks = self.counts = 0

    def get_name(self) -> str:
        return "controller"

    def get_namespace(self) -> str:
        return "/"

    def resolve_topic_name(self, topic: str) -> str:
        return f"/{topic}"

    def count_publishers(self, topic: str) -> int:
        self.counts += 1
        return len(self.names)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Graph:
    made = Graph()

    def speakers(_: object, topic: str) -> list[tuple[str, bytes]]:
        made.looks += 1
        return [(name, bytes([k])) for k, name in enumerate(made.names)]

    monkeypatch.setattr(voices, "speakers", speakers)
    return made


@pytest.mark.parametrize(
    ("declared", "names", "sole", "says"),
    [
        ("planner", [], False, ""),
        ("planner", ["/planner"], True, ""),
        ("planner", [UNKNOWN], False, ""),
        ("planner", ["/planner", UNKNOWN], False, "a node that is not known by name yet also publishes /t; end it"),
        ("planner", [UNKNOWN, UNKNOWN], False, "not known by name yet publish /t in place of 'planner'; end"),
        ("planner", ["/stray", "/planner", "/stray"], False, "2 nodes of the name 'stray' also publish /t; end it"),
        ("/a/planner", ["/planner"], False, "the node 'planner' publishes /t in place of 'a/planner'; end it"),
        (None, ["/x"], True, ""),
        (None, [UNKNOWN], True, ""),
        (None, ["/x", UNKNOWN], False, "the nodes 'x' and one that is not known by name yet publish /t; end all"),
        (None, ["/x", "/x"], False, "2 nodes of the name 'x' publish /t; end all but one"),
    ],
)
def test_sentences(graph: Graph, declared: str | None, names: list[str], sole: bool, says: str) -> None:
    heard = Voices(graph)  # type: ignore[arg-type]
    heard.watch("t", declared)
    graph.names = names
    assert heard.sole("t") is sole
    assert says in heard.trouble() and bool(heard.trouble()) is bool(says)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], ""),
        (["/cell/me"], ""),
        (["/lab"], ""),
        (["/cell/me", "/lab"], ""),
        (["/lab", "/cell/me", "/stray"], "the nodes 'lab' and 'stray' publish /cell/goal/image; end all but one"),
        (["/cell/me", "/cell/me", "/lab"], "the nodes 'cell/me' and 'lab' publish /cell/goal/image; end all but one"),
        (["/cell/me", UNKNOWN, "/lab"], "one that is not known by name yet"),
    ],
)
def test_besides_this_node_one_may_publish(
    cell: Cell, monkeypatch: pytest.MonkeyPatch, names: list[str], says: str
) -> None:
    heard = Voices(cell.node("me"))
    heard.watch("goal/image", beside=True)
    monkeypatch.setattr(voices, "speakers", lambda *_: [(name, b"") for name in names])
    said = heard.trouble(at_once=True)
    assert says in said and bool(said) is bool(says)


def test_the_graph_is_looked_into_ten_times_a_second_or_when_asked(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "clock_gettime", lambda _: now[0])
    heard = Voices(graph)  # type: ignore[arg-type]
    heard.watch("t", "planner")
    heard.watch("u", "planner")
    for _ in range(5):
        heard.trouble()
    assert (graph.counts, graph.looks) == (1, 1), "one is counted, and one, whose turn it is, listed"
    heard.trouble(at_once=True)
    now[0] += 0.11
    heard.trouble()
    assert (graph.counts, graph.looks) == (3, 3)


def test_who_is_more_or_has_no_name_yet_is_listed_at_once_and_who_takes_a_place_in_turn(graph: Graph) -> None:
    heard = Voices(graph)  # type: ignore[arg-type]
    for topic in "abcd":
        heard.watch(topic, "planner")
    graph.names = [UNKNOWN, UNKNOWN]
    assert "in place of 'planner'" in heard.trouble(at_once=True) and graph.looks == 4
    graph.names = ["/planner"]
    assert heard.trouble(at_once=True) == "" and graph.looks == 8
    graph.names = ["/stray"]
    assert not heard.sole("a"), "who is asked about is listed"
    for _ in range(4):
        heard.trouble(at_once=True)
    assert graph.looks == 13 and not any(t.sole() for t in heard._topics.values())


def test_a_name_of_a_megabyte_is_cut(graph: Graph) -> None:
    heard = Voices(graph)  # type: ignore[arg-type]
    heard.watch("t", "planner")
    graph.names = ["/planner", "/" + "x" * 1_000_000]
    assert len(heard.trouble()) < 200
