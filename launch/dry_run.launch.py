"""A pick and place without motion: plans are made and drawn as markers, but what would move the arm goes nowhere.

    ros2 launch wm_bringup dry_run.launch.py mode:=real arm:=fr3_crisp camera:=/camera/image_raw model:=... goal:=...
    ros2 service call /start std_srvs/srv/Trigger

Move the arm by hand, and watch the markers in RViz: the plans must point at the goal from everywhere.
"""

from launch import LaunchDescription

from wm_bringup.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe(dry_run=True)
