"""The engine: knows the stages of a run, and no particular perturbation, judge or chart."""
