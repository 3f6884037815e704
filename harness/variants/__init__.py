"""Expansion of a prompt into variants: kinds, the gate and its checks, the preview."""
