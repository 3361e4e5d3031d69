"""Who is at the other end of a topic."""

from __future__ import annotations

from typing import Any


def unheard(publisher: Any, advice: str) -> str:
    """Why nothing happens if nobody subscribes to the topic of ``publisher``; "" if somebody does."""
    if publisher.get_subscription_count() > 0:
        return ""
    return f"nobody listens to {publisher.topic_name}; {advice}"
