from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wm_ros import convert
from wm_ros.commands import keep_sign


@given(*[st.tuples(st.floats(-3, 3), st.floats(-1.4, 1.4), st.floats(-3, 3))] * 2)
def test_the_sign_that_is_kept_is_of_the_same_rotation(first: tuple, second: tuple) -> None:
    stamp = convert.s_to_stamp(0.0)
    a, b = (convert.pose_to_msg([0, 0, 0, *euler], stamp, "base") for euler in (first, second))
    before = convert.msg_to_pose(b)
    keep_sign(a, b)
    p, q = a.pose.orientation, b.pose.orientation
    assert p.x * q.x + p.y * q.y + p.z * q.z + p.w * q.w >= 0.0
    np.testing.assert_allclose(convert.msg_to_pose(b), before, atol=1e-9)
