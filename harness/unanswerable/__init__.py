"""Does a model know what it does not know? Unanswerable prompts, and the models that refuse them.

``plant`` makes the prompts, ``detectors`` find refusals, and ``rates`` counts them in a run's records.
None is made where ``harness.text.danger`` sees a person in danger.
"""

from harness.unanswerable.plant import Planting, PlantingOptions, mark_legacy, plant

__all__ = ["Planting", "PlantingOptions", "mark_legacy", "plant"]
