"""The graph of a camera's calibration: small moves of the arm tell which way the model's axes lie.

    ros2 launch wm_bringup calibrate.launch.py mode:=real arm:=fr3_crisp camera:=/camera/image_raw model:=... out:=...
    ros2 service call /start std_srvs/srv/Trigger
    ros2 topic echo /calibrate/status

The arm moves within 18 cm of where it stands at ``start``, to 12 cm above it and never below it.
"""

from launch import LaunchDescription

from wm_bringup.launching import describe_calibration


def generate_launch_description() -> LaunchDescription:
    return describe_calibration()
