"""Who else speaks on a topic: a second publisher of something that safety depends on is seen and named.

A message does not tell who sent it, and two senders on one topic interleave without a sign. The graph does tell who
publishes. A process that was killed stays in it until its lease has run out.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

from rclpy.node import Node, NodeNameNonExistentError

from wm_core.errors import quoted

from .clock import steady_s

#: What rclpy calls a node whose publisher it knows, but not yet its name.
UNKNOWN = "_NODE_NAME_UNKNOWN_"
#: How often the graph is looked into: braking is to begin within 0.1 s.
LOOK_PERIOD_S = 0.1
#: Fast DDS's lease of a participant, which is the longest of those of ROS 2's middlewares (Cyclone DDS: 10 s).
LEASE_S = 20.0


def speakers(node: Node, topic: str) -> list[tuple[str, bytes]]:
    """Who publishes ``topic`` (a full name, after remapping): the node's full name and the publisher's id, each."""
    return [
        (_full(info.node_namespace, info.node_name), bytes(info.endpoint_gid))
        for info in node.get_publishers_info_by_topic(topic)
    ]


@dataclass
class _Watched:
    """One topic, and who was seen to publish it."""

    name: str
    publisher: str | None  # full name of the node that may publish it; None: any, if it is alone
    own: bool
    shared: bool
    beside: str = ""  # full name of the node that publishes it, too, and does not count
    seen: tuple[tuple[str, bytes], ...] = ()

    def sure(self) -> bool:
        return not any(_unnamed(name) for name, _ in self.seen)

    def sole(self) -> bool:
        return len(self.seen) == 1 and self.publisher in (None, self.seen[0][0])

    def trouble(self) -> str:
        names = [name for name, _ in self.seen]
        if self.beside in names:
            names.remove(self.beside)
        if self.shared or (self.publisher is None and len(names) < 2):
            return ""
        if self.publisher is None:
            return f"{_who(names)} {self.name}; end all but one"
        others = list(names)
        if present := self.publisher in names:
            others.remove(self.publisher)  # a second one by the same name stays
        if not others or (not present and all(_unnamed(name) for name in others) and len(others) == 1):
            return ""  # one without a name yet may be the right one; it is not relied upon before it has it
        if present or self.own:
            # One that was killed and started again is there twice for a while.
            lease = f" (one that was killed is forgotten within {LEASE_S:g} s)" if self.publisher in others else ""
            return f"{_who(others, 'also ')} {self.name}; end it{lease}"
        return f"{_who(others)} {self.name} in place of {_name(self.publisher)}; end it"


def servers(node: Node, service: str) -> list[str]:
    """The full names of the nodes that answer ``service`` (a full name, after remapping)."""
    found = []
    for name, namespace in node.get_node_names_and_namespaces():
        with contextlib.suppress(NodeNameNonExistentError):  # it ended in between
            if service in dict(node.get_service_names_and_types_by_node(name, namespace)):
                found.append(_full(namespace, name))
    return found


class Voices:
    """Watches who publishes the topics that ``node`` depends on, and those that only ``node`` may publish."""

    def __init__(self, node: Node) -> None:
        self._node, self._ours = node, _full(node.get_namespace(), node.get_name())
        self._topics: dict[str, _Watched] = {}
        self._services: dict[str, str] = {}  # by full name: who answers besides this node, as a sentence
        self._looked_s, self._turn = -math.inf, 0

    def watch(
        self, topic: str, node_name: str | None = None, own: bool = False, shared: bool = False, beside: bool = False
    ) -> None:
        """Watch ``topic``, which may have one publisher.

        Args:
            topic: a name as a publisher or subscription of the node takes it; remappings apply.
            node_name: the node that publishes it, in the namespace of this one unless it begins with "/"; None: any.
            own: only this node may publish it.
            shared: several nodes publish it on purpose: nothing is said of them.
            beside: this node publishes it as well, besides that one.
        """
        if own:
            node_name = self._ours
        elif node_name is not None and not node_name.startswith("/"):
            node_name = _full(self._node.get_namespace(), node_name)
        name = self._node.resolve_topic_name(topic)
        self._topics[name] = _Watched(name, node_name, own, shared, self._ours if beside else "")
        self._looked_s = -math.inf

    def watch_service(self, service: str) -> None:
        """Watch a service that only this node may answer: a call reaches all who do, and the first answer counts."""
        self._services[self._node.resolve_service_name(service)] = ""
        self._looked_s = -math.inf

    def trouble(self, at_once: bool = False) -> str:
        """The first input that someone publishes who should not, as a sentence; "" if there is none.

        ``at_once``: look into the graph now, even if that was done less than LOOK_PERIOD_S ago.
        """
        self._look(at_once)
        return next((said for t in self._topics.values() if not t.own and (said := t.trouble())), "")

    def rival(self, at_once: bool = False) -> str:
        """The same for the topics that only this node may publish, and the services that only it may answer."""
        self._look(at_once)
        said = (t.trouble() for t in self._topics.values() if t.own)
        return next((sentence for sentence in (*said, *self._services.values()) if sentence), "")

    def sole(self, topic: str) -> bool:
        """Whether a watched topic has exactly one publisher now, and that is the node that was named."""
        watched = self._of(topic)
        self._list(watched)
        return watched.sole()

    def identity(self, topic: str) -> bytes | None:
        """The id of the only publisher of a watched topic, as it was last seen; None if there is none, or more."""
        seen = self._of(topic).seen
        return seen[0][1] if len(seen) == 1 else None

    def _of(self, topic: str) -> _Watched:
        return self._topics[self._node.resolve_topic_name(topic)]

    def _list(self, topic: _Watched) -> None:
        topic.seen = tuple(speakers(self._node, topic.name))

    def _look(self, at_once: bool) -> None:
        """Count who publishes each topic. To list them takes eight times as long, and this is done between two targets
        to the arm: so only those are listed whose number has changed, and in turn one of all, as one publisher may
        have taken the place of another."""
        now_s = steady_s()
        if not at_once and now_s - self._looked_s < LOOK_PERIOD_S:
            return
        self._looked_s, self._turn = now_s, self._turn + 1
        for k, topic in enumerate(self._topics.values()):
            in_turn = k == self._turn % len(self._topics)
            if in_turn or not topic.sure() or self._node.count_publishers(topic.name) != len(topic.seen):
                self._list(topic)
        for service in self._services:
            self._services[service] = ""
            if self._node.count_services(service) > 1:
                others = servers(self._node, service)
                if self._ours in others:
                    others.remove(self._ours)
                self._services[service] = f"{_who(others or [UNKNOWN], 'also ', 'answer')} {service}; end it"


def _full(namespace: str, name: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"


def _unnamed(name: str) -> bool:
    return UNKNOWN in name


def _name(name: str) -> str:
    return "one that is not known by name yet" if _unnamed(name) else quoted(name.removeprefix("/"))


def _who(names: list[str], also: str = "", do: str = "publish") -> str:
    """The beginning of a sentence: the nodes by their names, or what is known of them, and what they do."""
    if len(names) == 1:
        who = "a node that is not known by name yet" if _unnamed(names[0]) else f"the node {_name(names[0])}"
        return f"{who} {also}{do}{'es' if do == 'publish' else 's'}"
    different = sorted(set(names), key=lambda name: (_unnamed(name), name))
    if len(different) == 1:
        return f"{len(names)} nodes of the name {_name(different[0])} {also}{do}"
    return f"the nodes {' and '.join(_name(name) for name in different)} {also}{do}"
