"""Does a model know what it does not know? Unanswerable prompts, and the models that refuse them.

``plant`` makes the prompts, ``danger`` says where none may be made, ``detectors`` find refusals, and
``rates`` counts them in a run's records.
"""

from harness.unanswerable.plant import Planting, PlantingOptions, mark_legacy, plant

__all__ = ["Planting", "PlantingOptions", "mark_legacy", "plant"]
