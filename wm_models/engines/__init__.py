"""TensorRT engines: from a graph to an engine, where it is kept, and the GPU that runs it."""
