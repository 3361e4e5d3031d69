"""Where the search begins, one kind per file."""

from __future__ import annotations

from .base import PROPOSALS, Proposal, ProposalConfig

__all__ = ["PROPOSALS", "Proposal", "ProposalConfig"]
