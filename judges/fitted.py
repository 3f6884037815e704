"""The fitted judge: dimensions learned from people's labels, offline and fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from harness.errors import PluginError
from harness.judging.calibration import calibrate
from harness.judging.calibration_records import Agreement, Calibration, read
from harness.judging.derived import OVERALL
from harness.judging.labels import Basis, annotator_basis, read_labels
from harness.protocols import JudgeTraits, LearnedFrom
from harness.records import Dimension, JudgeItem, Judgement
from harness.stats.agreement import Coefficient
from harness.util.files import write_atomically
from harness.util.resources import cache_root, resolve
from harness.util.suggestions import did_you_mean
from judges.regression.features import features
from judges.regression.model import FittedModel, fit

if TYPE_CHECKING:
    from harness.text.embedding import Embed

SUFFIX = ".safetensors"
SHIPPED = Path(__file__).with_name("shipped")
CHUNK = 32


def _fitted_folder() -> Path:
    return cache_root() / "fitted"


def _save_path(name: str) -> Path:
    return resolve(name) if _is_path(name) else _fitted_folder() / f"{name}{SUFFIX}"


def _find(name: str) -> Path:
    for path in (_save_path(name), SHIPPED / f"{name}{SUFFIX}"):
        if path.is_file():
            return path
    if _is_path(name):
        raise PluginError(f"fitted judge {name}: no such file")
    raise PluginError(
        f"no fitted judge named {name!r}.{did_you_mean(name, _names())}"
        f" jostle calibrate LABELS --fit {name} makes one"
    )


def beside(path: Path) -> Path:
    """Return the file with the calibration of a fitted judge."""
    return path.with_suffix(".calibration.json")


def _names() -> list[str]:
    folders = (_fitted_folder(), SHIPPED)
    return sorted({path.stem for folder in folders for path in folder.glob(f"*{SUFFIX}")})


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(SUFFIX) or name.startswith("bundled:")


class Fitted:
    """Dimensions learned from people's labels (MiniLM and ridge regression): offline and fast.

    An empty answer has the lowest step of every scale.

    Args:
        model: A fitted judge by name (shipped, or made here by ``jostle calibrate LABELS --fit
            NAME``), or a ``.safetensors`` file by its path.
        dimensions: Only these of its dimensions; all by default.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        PluginError: There is no such judge.
        ValueError: It has no such dimension.
    """

    traits = JudgeTraits(learned=True)

    def __init__(
        self, model: str, dimensions: Sequence[str] | None = None, embed: Embed | None = None
    ) -> None:
        path = _find(model)
        self.model = FittedModel.load(path)
        self._embed = embed
        self._stored = beside(path)
        card = self.model.card
        known = [dimension.name for dimension in card.dimensions]
        for name in dimensions or ():
            if name not in known:
                raise ValueError(f"{model!r} has no dimension {name!r}.{did_you_mean(name, known)}")
        self._columns = [known.index(name) for name in dimensions or known]
        self.traits = JudgeTraits(
            learned=True, learned_from=LearnedFrom(card.labels_digest, card.split)
        )
        self._whole = f"{card.name} ({self.model.digest[:16]})"
        # The mean of some dimensions is another measure than the mean of all.
        part = (
            "" if len(self._columns) == len(known) else f", {', '.join(sorted(dimensions or ()))}"
        )
        self.version = self._whole + part
        self.dimensions: Sequence[Dimension] = tuple(
            Dimension(
                name=fitted.name,
                low=fitted.low,
                high=fitted.high,
                description=f"Learned from {fitted.items} labels"
                + (" of its authors" if card.authors_only else f" of {fitted.measured_on}"),
            )
            for fitted in (card.dimensions[index] for index in self._columns)
        )

    @property
    def calibrations(self) -> list[Calibration]:
        """Return the check that is saved beside the judge, else its cross-validation."""
        names = {dimension.name for dimension in self.dimensions}
        beside_it = read(self._stored)
        if beside_it is None or beside_it.version != self._whole:
            return [_cross_validated(self.model, self.version).only(names)]
        if self.version == self._whole:
            names.add(OVERALL)
        left_out = {one.name: one.left_out for one in self.model.card.dimensions}
        known = beside_it.only(names)
        carried = tuple(
            one.model_copy(update={"left_out": left_out.get(one.dimension, ())})
            for one in known.dimensions
        )
        return [known.model_copy(update={"dimensions": carried})]

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every dimension."""
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            table = features(
                [item.question for item in chunk], [item.answer for item in chunk], self._embed
            )
            for offset, scores in enumerate(self.model.predict(table)):
                empty = not chunk[offset].answer.strip()
                for index in self._columns:
                    fitted = self.model.card.dimensions[index]
                    yield Judgement(
                        item=start + offset,
                        dimension=fitted.name,
                        value=fitted.low if empty else float(scores[index]),
                        reason="empty answer" if empty else None,
                    )


def _cross_validated(model: FittedModel, version: str) -> Calibration:
    """Report how far the judge agreed with its labels, each predicted without it."""
    card = model.card
    undefined = Coefficient(value=None)
    # The card does not count labels by annotator: the least independent of them says whose they are.
    whose = {annotator_basis(name) for name in card.annotators}
    basis = max(whose, key=get_args(Basis).index)
    return Calibration(
        judge="fitted",
        version=version,
        labels=card.labels,
        labels_digest=card.labels_digest,
        split=card.split,
        annotators=card.annotators,
        items=max(dimension.items for dimension in card.dimensions),
        label_count=max(dimension.items for dimension in card.dimensions),
        outcomes={},
        dimensions=tuple(
            Agreement(
                dimension=dimension.name,
                items=dimension.items,
                basis=basis,
                annotators=len(card.annotators),
                independent_labels=None,
                author_labels=None,
                measured_on=dimension.measured_on,
                cross_validated=True,
                left_out=dimension.left_out,
                spearman=dimension.cross_validated,
                kendall=undefined,
                kappa=undefined,
                accuracy=undefined,
                people_alpha=None,
                length_rho=None,
                people_length_rho=None,
                reliability=(),
            )
            for dimension in card.dimensions
        ),
    )


def fit_labels(
    source: str, name: str, embed: Embed | None = None
) -> tuple[Path, FittedModel, Calibration | None]:
    """Fit a judge, save it, and check it on what was held out (``jostle calibrate --fit``).

    It is fitted on the split ``fit`` and checked on ``check``; where the file has no splits, all is
    fitted on and only the cross-validated agreement is known. The calibration is saved beside it.

    Args:
        source: The labels' file.
        name: A plain name, or a path that ends in ``.safetensors``.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Returns:
        The judge's file, the model, and its calibration where there was something to check on.

    Raises:
        DataError: Labels that cannot be read or fitted.
    """
    labels = read_labels(source)
    fitted_on, held_out = labels.part("fit"), labels.part("check")
    path = _save_path(name)
    model = fit(fitted_on if fitted_on.items else labels, path.stem, embed)
    model.save(path)
    if not fitted_on.items or not held_out.items:
        return path, model, None
    calibration = calibrate(Fitted(str(path.resolve()), embed=embed), held_out, name="fitted")
    write_atomically(beside(path), calibration.model_dump_json(indent=1) + "\n")
    return path, model, calibration
