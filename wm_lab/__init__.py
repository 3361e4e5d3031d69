"""Experiments in one process: the closed loop, data collection, evaluation, calibration, benches and the fuzzer."""
