"""World models: bundles on disk, preprocessing, inference back ends, and the model that planners roll forward."""
