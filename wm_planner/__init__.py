"""Planning in the latent space of a world model: goals, costs, guardrails, optimisers. No ROS in here but its node."""
