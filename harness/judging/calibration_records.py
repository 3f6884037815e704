"""What a calibration found, kept under the judge's version so that every report can say it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.judging.labels import Basis
from harness.stats.agreement import Coefficient
from harness.util.digest import digest
from harness.util.files import make_folder, write_atomically
from harness.util.resources import cache_root

TRUSTED_RHO = 0.3
"""The interval of rho must lie above this, on independent labels, for a judge to count as checked."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """One step of the reliability chart: what people say where the judge says ``judge``."""

    judge: float
    people: float
    items: int


class KindMeans(_Frozen):
    """One sort of answer (tricks that must not pay included): the judge's mean and the people's."""

    items: int
    judge: float
    people: float


class LeftOutSource(_Frozen):
    """How a learned judge does on a source that it has not seen: fitted on all others, it is read here.

    Attributes:
        source: Where its questions and answers come from.
        spearman: Of its scores with the labels of this source.
        length_rho: Spearman of its scores with the logarithm of the answers' words.
        labels_length_rho: The same of the labels.
    """

    source: str
    items: int
    spearman: Coefficient
    length_rho: float | None
    labels_length_rho: float | None

    @property
    def figure(self) -> str:
        """Say ``forum posts rho 0.41 [0.33, 0.49]``."""
        return f"{self.source} rho {self.spearman}"


class Compared(_Frozen):
    """One dimension of a judge beside labels; whose labels, is in ``harness.judging.labels.Origin``.

    Attributes:
        items: Items that the judge scored and that have a label of the basis.
        measured_on: What these items are, in words (their sources, else the labels' file).
        cross_validated: The judge was learned from these very labels, and each was predicted
            without it.
    """

    dimension: str
    items: int
    basis: Basis
    annotators: int
    independent_labels: int | None
    author_labels: int | None
    reader_labels: int | None = None
    measured_on: str | None = None
    cross_validated: bool = False

    @property
    def deciding(self) -> Coefficient:
        """Return the figure that must lie above 0 for the judge to agree at all."""
        raise NotImplementedError

    @property
    def figure(self) -> str:
        """Say ``rho 0.64 [0.56, 0.72] on 163 items``."""
        raise NotImplementedError

    @property
    def whose(self) -> str:
        """Say whose labels it was compared with."""
        if self.basis == "authors":
            return "its authors' labels"
        what = "independent annotator" if self.basis == "people" else "language-model reader"
        return f"{self.annotators} {what}{'s' if self.annotators > 1 else ''}"

    @property
    def label_count(self) -> int:
        """Return the labels of the basis; 0 where they were not counted."""
        counts = {
            "people": self.independent_labels,
            "readers": self.reader_labels,
            "authors": self.author_labels,
        }
        return counts[self.basis] or 0

    def counted(self, noun: str) -> str:
        """Say ``253 items of letters written by the authors``."""
        return f"{self.items} {noun}" + (f" of {self.measured_on}" if self.measured_on else "")

    @property
    def verdict(self) -> str:
        """Say ``agrees with 2 independent annotators``, or what else can be said."""
        whose, deciding = self.whose, self.deciding
        if deciding.value is None:
            return f"has no defined agreement with {whose}"
        if deciding.low is not None and deciding.low > 0:
            return f"agrees with {whose}"
        if deciding.high is not None and deciding.high < 0:
            return f"contradicts {whose}"
        return f"shows no clear agreement with {whose}"

    @property
    def labelled(self) -> str:
        """Say how many labels come from independent people, and how many from the set's authors."""
        counts: dict[Basis, int] = {
            "people": self.independent_labels or 0,
            "readers": self.reader_labels or 0,
            "authors": self.author_labels or 0,
        }
        who: dict[Basis, str] = {
            "people": "independent people",
            "readers": "language models",
            "authors": "authors",
        }

        def labels(basis: Basis) -> str:
            return f"{counts[basis]} label{'s' if counts[basis] != 1 else ''} by {who[basis]}"

        others = [labels(basis) for basis in counts if basis != self.basis and counts[basis]]
        parts = [labels(self.basis), *others]
        if self.basis == "authors":
            return ", ".join(parts) + (": too few to count apart" if others else "")
        return ", ".join(parts) + (" left out" if others else "")

    @property
    def sentence(self) -> str:
        """Return one line for the figures of this dimension."""
        line = f"{self.verdict}: {self.figure}{self.elsewhere}"
        if self.independent_labels is not None:
            line += f" ({self.labelled})"
        if self.basis == "people":
            return line
        never = "not" if self.independent_labels else "never"
        return f"{line}; {never} checked against independent people"

    @property
    def elsewhere(self) -> str:
        """Say how far it carries to other sources, with the comma before; empty where not known."""
        return ""

    @property
    def trusted(self) -> bool:
        """Clearly above ``TRUSTED_RHO``, on independent labels that it was not learned from."""
        low = self.deciding.low
        return (
            self.basis == "people"
            and not self.cross_validated
            and low is not None
            and low > TRUSTED_RHO
        )


class Agreement(Compared):
    """Agreement with scores.

    Attributes:
        people_alpha: Krippendorff's alpha (ordinal) among the annotators, where there are several.
        length_rho: Spearman of the judge's scores with the answers' length in characters.
        people_length_rho: The same of the labels.
        left_out: Of a judge learned from several sources, how it does on each without having seen it.
    """

    spearman: Coefficient
    kendall: Coefficient
    kappa: Coefficient
    accuracy: Coefficient
    people_alpha: float | None
    length_rho: float | None
    people_length_rho: float | None
    reliability: tuple[Step, ...]
    kinds: dict[str, KindMeans] = {}
    left_out: tuple[LeftOutSource, ...] = ()

    @property
    def deciding(self) -> Coefficient:
        """Return the rank correlation."""
        return self.spearman

    @property
    def figure(self) -> str:
        """Say ``rho 0.64 [0.56, 0.72] on 163 items of forum posts``."""
        how = " (cross-validated)" if self.cross_validated else ""
        return f"rho {self.spearman}{how} on {self.counted('items')}"

    @property
    def elsewhere(self) -> str:
        """Say ``, on sources left out in turn: forum posts rho 0.41 [0.33, 0.49] …``."""
        parts = ", ".join(one.figure for one in self.left_out)
        return f", on sources left out in turn: {parts}" if parts else ""


class Preference(Compared):
    """Agreement with pairwise preferences.

    Attributes:
        accuracy: Share of pairs on which judge and people say the same (a, b or tie).
        kappa: Quadratic-weighted, over b < tie < a.
        swap_consistency: Share of pairs judged alike in both orders, where the judge compares.
    """

    accuracy: Coefficient
    kappa: Coefficient
    swap_consistency: Coefficient | None

    @property
    def deciding(self) -> Coefficient:
        """Kappa: chance alone has an accuracy above 0."""
        return self.kappa

    @property
    def figure(self) -> str:
        """Say ``accuracy 0.90 [0.82, 0.96], kappa 0.80 [0.64, 0.92] on 60 pairs``."""
        return f"accuracy {self.accuracy}, kappa {self.kappa} on {self.counted('pairs')}"


class Calibration(_Frozen):
    """The result of checking one version of a judge against one file of labels.

    Attributes:
        judge: Its registered name.
        code: ``Registry.foreign_digest``; empty for ours.
        items: Items in the split.
        outcomes: Judgements by status, so that what could not be judged is seen.
    """

    judge: str
    version: str
    code: str = ""
    labels: str
    labels_digest: str
    split: str | None
    annotators: tuple[str, ...]
    items: int
    label_count: int
    outcomes: dict[str, int]
    dimensions: tuple[Agreement, ...] = ()
    preferences: tuple[Preference, ...] = ()

    @property
    def compared(self) -> tuple[Compared, ...]:
        """Return every dimension that was compared."""
        return (*self.dimensions, *self.preferences)

    def only(self, names: set[str]) -> Calibration:
        """Return the result on these dimensions alone."""
        return self.model_copy(
            update={
                "dimensions": tuple(a for a in self.dimensions if a.dimension in names),
                "preferences": tuple(p for p in self.preferences if p.dimension in names),
            }
        )


class _Checked(_Frozen):
    labels: str
    split: str | None


class CheckedAgreement(_Checked, Agreement):
    """The best check of one dimension against scores, with the labels' file and split."""


class CheckedPreference(_Checked, Preference):
    """The best check of one dimension against preferences, with the labels' file and split."""


class CalibrationReport(_Frozen):
    """How far a judge was checked: of each dimension, its best check.

    Attributes:
        trusted: Every dimension is trusted.
        authors_only: All labels are those of the judge's authors.
        by_dimension: A sentence each.
        sources: The checks that these come from, without their dimensions and preferences.
    """

    summary: str
    trusted: bool
    authors_only: bool
    by_dimension: dict[str, str]
    dimensions: tuple[CheckedAgreement, ...]
    preferences: tuple[CheckedPreference, ...]
    sources: tuple[Calibration, ...]


def store(calibration: Calibration) -> Path:
    """Keep a result under the judge's name, version and code, in the cache folder.

    Returns:
        The file: one for each file of labels and split.
    """
    folder = _folder(calibration.judge, calibration.version, calibration.code)
    make_folder(folder)
    path = folder / f"{calibration.labels_digest[:16]}-{calibration.split or 'all'}.json"
    write_atomically(path, calibration.model_dump_json(indent=1))
    return path


def lookup(judge: str, version: str, code: str = "") -> list[Calibration]:
    """Load every result stored for this very judge."""
    calibrations = [read(path) for path in sorted(_folder(judge, version, code).glob("*.json"))]
    return [calibration for calibration in calibrations if calibration is not None]


def read(path: Path) -> Calibration | None:
    """Load a result; None where another version of Jostle wrote it, or there is none."""
    try:
        return Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _folder(judge: str, version: str, code: str) -> Path:
    return cache_root() / "calibrations" / digest([judge, version, code])[:32]
