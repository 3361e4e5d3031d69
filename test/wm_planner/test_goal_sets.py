"""Which goal pictures are used, and which wait or are left aside; no transport."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.errors import GoalError
from wm_planner.goal_sets import WAITING, GoalSets, Label

RUN, NEXT, ME = "0000000a", "0000000b", "11111111"
OWN = Label(ME, 1.0, 3)


def latent(value: float) -> np.ndarray:
    return np.full((1, 2), value, np.float32)


def fill(sets: GoalSets, label: Label, run: str = RUN, but: int | None = None) -> list[np.ndarray | None]:
    return [sets.add(label, k, latent(10 * label.stamp_s + k), run) for k in range(label.count) if k != but]


def test_the_planners_own_set_is_complete_in_any_order() -> None:
    sets = GoalSets((1, 2), OWN)
    assert sets.missing == "0 of 3 goal pictures are encoded" and sets.count == 3
    assert [sets.add(OWN, k, latent(k), "") is None for k in (2, 0, 0)] == [True] * 3
    assert sets.own_missing == [1]
    complete = sets.add(OWN, 1, latent(1), "")
    assert complete is not None and complete[:, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert sets.missing, "until it is taken into use"
    sets.use(OWN)
    assert sets.missing == "" and sets.own_missing == [] and sets.in_use == OWN
    assert fill(sets, OWN) == [None] * 3, "a new encoder encodes them again; they are in use already"


def test_who_shows_none_waits_for_others() -> None:
    sets = GoalSets((1, 2))
    assert sets.missing == "there are no goal pictures" and sets.count == 0 and sets.own_missing == []
    assert sets.pending(RUN) == ""
    with pytest.raises(GoalError, match=r"no goal pictures wait for run '0000000a'.*_run_0000000a"):
        sets.next(RUN)


def test_a_set_of_the_run_waits_until_it_is_asked_for() -> None:
    sets = GoalSets((1, 2), OWN)
    fill(sets, OWN)
    sets.use(OWN)
    new = Label(RUN, 5.0, 2)
    assert fill(sets, new, but=1) == [None]
    assert sets.pending(RUN) == "1 of 2 goal pictures are encoded"
    with pytest.raises(GoalError, match=r"1 of 2 goal pictures are encoded; call again"):
        sets.next(RUN)
    assert sets.add(new, 1, latent(51.0), RUN) is None and sets.in_use == OWN
    label, latents = sets.next(RUN)
    assert label == new and latents[:, 0, 0].tolist() == [50.0, 51.0] and sets.in_use == OWN
    sets.use(label)
    assert sets.in_use == new and sets.count == 2 and sets.pending(RUN) == ""


@pytest.mark.parametrize("run", ["", "deadbeef", ME, NEXT])
def test_what_belongs_to_no_run_is_left_aside(run: str) -> None:
    sets = GoalSets((1, 2), OWN)
    for index in range(2):
        with pytest.raises(GoalError, match="belong to no run"):
            sets.add(Label(run, 9.0, 2), index, latent(0.0), RUN)
    assert sets.left_aside == 2 and sets.aside and sets.pending(RUN) == "" and sets.own_missing == [0, 1, 2]
    with pytest.raises(GoalError):
        sets.next(RUN)


def test_without_a_run_nothing_waits() -> None:
    sets = GoalSets((1, 2))
    with pytest.raises(GoalError, match="belong to no run"):
        sets.add(Label("", 1.0, 1), 0, latent(0.0), "")
    with pytest.raises(GoalError):
        sets.next("")


def test_the_set_of_a_run_that_has_ended_is_not_used() -> None:
    sets = GoalSets((1, 2))
    fill(sets, Label(RUN, 1.0, 2))
    with pytest.raises(GoalError, match="no goal pictures wait for run '0000000b'"):
        sets.next(NEXT)


def test_a_stray_picture_of_the_same_run_does_not_displace_a_set() -> None:
    sets = GoalSets((1, 2))
    fill(sets, Label(RUN, 5.0, 3), but=2)
    sets.add(Label(RUN, 6.0, 8), 7, latent(0.0), RUN)
    sets.add(Label(RUN, 5.0, 3), 2, latent(52.0), RUN)
    label, latents = sets.next(RUN)
    assert label.stamp_s == 5.0 and latents[2, 0, 0] == 52.0


@pytest.mark.parametrize("others", [[4.0], [6.0], [4.0, 6.0]])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_two_whole_sets_none_is_used_and_one_alone_is_a_way_out(others: list[float], count: int) -> None:
    """Whichever was stamped or came last: either may be a stranger's."""
    sets = GoalSets((1, 2))
    fill(sets, Label(RUN, 5.0, 2))
    for stamp_s in others:
        fill(sets, Label(RUN, stamp_s, count))
    n = len(others) + 1
    assert sets.pending(RUN) == f"{n} whole sets of goal pictures wait; only one may"
    with pytest.raises(
        GoalError, match=rf"{n} whole sets .*stamped 5.000.*dropped; end who else .* new stamp"
    ) as error:
        sets.next(RUN)
    assert len(str(error.value)) < 400 and sets.in_use is None and sets.pending(RUN) == ""
    fill(sets, Label(RUN, 9.0, 2))
    assert sets.next(RUN)[0].stamp_s == 9.0


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_that_are_stamped_one_by_one_are_no_set(count: int) -> None:
    """The answer says what a set is and which stamps were found; all of them under one stamp are the way out."""
    sets = GoalSets((1, 2), OWN)
    fill(sets, OWN)
    sets.use(OWN)
    for k in range(3):
        sets.add(Label(RUN, 5.0 + k, count), k if count == 3 else 0, latent(0.0), RUN)
    with pytest.raises(GoalError) as error:
        sets.next(RUN)
    said = str(error.value)
    assert all(f"1 of {count} stamped {stamp}" in said for stamp in ("5.000", "6.000", "7.000"))
    assert "the pictures of a set share one stamp: publish all of one set under one new stamp, and call again" in said
    assert len(said) < 400 and sets.in_use == OWN
    fill(sets, Label(RUN, 9.0, 3))
    assert sets.next(RUN)[0] == Label(RUN, 9.0, 3)


def test_what_was_shown_for_other_runs_is_forgotten_and_the_own_set_is_not() -> None:
    sets = GoalSets((1, 2), OWN)
    fill(sets, OWN, but=2)
    fill(sets, Label(RUN, 5.0, 2))
    sets.keep(RUN)
    assert sets.pending(RUN) == "2 of 2 goal pictures are encoded"
    sets.keep("")
    assert sets.pending(RUN) == "" and sets.own_missing == [2]
    with pytest.raises(GoalError, match="no goal pictures wait"):
        sets.next(RUN)


def test_a_set_beside_parts_of_others_is_used() -> None:
    sets = GoalSets((1, 2))
    for stamp_s in (4.0, 6.0, 7.0):
        fill(sets, Label(RUN, stamp_s, 3), but=1)
    fill(sets, Label(RUN, 5.0, 3))
    assert sets.next(RUN)[0].stamp_s == 5.0


@pytest.mark.parametrize("strays", [WAITING, 10 * WAITING])
@pytest.mark.parametrize("own", [None, OWN])
def test_parts_of_sets_do_not_push_out_a_whole_one(strays: int, own: Label | None) -> None:
    sets = GoalSets((1, 2), own)
    fill(sets, Label(RUN, 5.0, 2))
    for k in range(strays):
        sets.add(Label(RUN, 6.0 + k, 2), 0, latent(0.0), RUN)
    assert sets.next(RUN)[0].stamp_s == 5.0
    assert len(sets._latents) <= WAITING + 1


def test_whole_sets_make_room_last_but_they_are_bounded() -> None:
    sets = GoalSets((1, 2))
    for k in range(3 * WAITING):
        fill(sets, Label(RUN, float(k), 1))
    assert len(sets._latents) == WAITING
    with pytest.raises(GoalError, match="whole sets"):
        sets.next(RUN)


def test_the_first_picture_of_a_label_stays() -> None:
    sets = GoalSets((1, 2))
    label = Label(RUN, 5.0, 2)
    fill(sets, label)
    for k in (0, 1):
        sets.add(label, k, latent(-1.0), RUN)
    assert sets.next(RUN)[1][:, 0, 0].tolist() == [50.0, 51.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_latent_that_is_not_finite_is_left_aside(bad: float) -> None:
    sets = GoalSets((1, 2), OWN)
    for label in (OWN, Label(RUN, 5.0, 2)):
        with pytest.raises(GoalError, match="not finite"):
            sets.add(label, 0, np.array([[0.0, bad]], np.float32), RUN)
    assert sets.own_missing == [0, 1, 2] and sets.pending(RUN) == "" and sets.left_aside == 2


def test_a_latent_of_another_model_is_left_aside() -> None:
    sets = GoalSets((1, 2), OWN)
    for label in (OWN, Label(RUN, 5.0, 2)):
        with pytest.raises(GoalError, match=r"shape \(2, 2\), the model's is \(1, 2\)"):
            sets.add(label, 0, np.zeros((2, 2), np.float32), RUN)
    assert sets.own_missing == [0, 1, 2]


def test_what_imitates_the_planners_own_pictures_changes_nothing() -> None:
    sets = GoalSets((1, 2), OWN)
    sets.add(OWN, 0, latent(0.0), "")
    sets.add(OWN, 0, latent(9.0), "")
    sets.add(OWN, 1, latent(1.0), "")
    complete = sets.add(OWN, 2, latent(2.0), "")
    assert complete is not None and complete[0, 0, 0] == 0.0


labels = st.builds(Label, st.sampled_from(["", RUN, NEXT, "deadbeef"]), st.floats(0.0, 9.0), st.integers(1, 4))


@given(st.lists(st.tuples(labels, st.integers(0, 3), st.sampled_from([RUN, NEXT])), max_size=60))
def test_a_flood_of_others_leaves_the_own_set_alone_and_is_bounded(flood: list) -> None:
    sets = GoalSets((1, 2), OWN)
    for k, (label, index, run) in enumerate(flood):
        if k == len(flood) // 2:
            sets.add(OWN, 0, latent(0.0), run)
        try:
            assert sets.add(label, min(index, label.count - 1), latent(5.0), run) is None
        except GoalError as error:
            assert len(str(error)) < 250
        assert len(sets._latents) <= WAITING + 1
    sets.add(OWN, 0, latent(0.0), RUN)
    assert sets.own_missing == [1, 2]
    sets.add(OWN, 1, latent(1.0), RUN)
    complete = sets.add(OWN, 2, latent(2.0), RUN)
    assert complete is not None and complete[:, 0, 0].tolist() == [0.0, 1.0, 2.0] and sets.in_use is None
