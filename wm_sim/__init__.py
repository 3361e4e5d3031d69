"""A simulated Franka Panda with a Robotiq 2F-85, a table, a cube and an exterior camera."""
