"""Runs the main job on real input, each command printed before its output."""
