"""The graph of a pick and place, as ``wm pick_place`` starts it.

    ros2 launch wm_bringup pick_place.launch.py seed:=3
    ros2 launch wm_bringup pick_place.launch.py mode:=real arm:=fr3_crisp camera:=/camera/image_raw model:=... goal:=...
    ros2 service call /start std_srvs/srv/Trigger

The arm stays idle until ``start`` is called. With dry_run:=true nothing moves: plans are shown as markers, and targets
go to dry_run/target_pose. Move the arm by hand, and watch: the plans must point at the goal from everywhere.
"""

from launch import LaunchDescription

from wm_bringup.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe()
