"""Does a model know what it does not know? Unanswerable prompts, and who refuses them.

``plant`` makes the prompts, ``danger`` says where none may be made, ``detect`` finds refusals, and
``rates`` counts them out of a run's records.
"""

from harness.unanswerable.plant import Planting, legacy, plant

__all__ = ["Planting", "legacy", "plant"]
