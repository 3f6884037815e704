"""Columns of values by cluster: what is drawn, flipped and counted as one observation.

A row is a source prompt, a column a quantity; NaN is missing. Rows of one cluster (prompts that are
nearly the same, or belong to one group) are not independent, so a cluster is one observation however
many rows it has. The estimate stays the mean over rows, a ratio of the clusters' sums to their
counts, and its variance is that of the linearised ratio.

Sources: Field and Welsh 2007 (bootstrapping clustered data); Cochran 1977, Sampling Techniques,
ch. 9A (cluster sampling, ratio to size); Satterthwaite 1946 (effective degrees of freedom).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.stats.closed_forms import Floats

TIE = 1e-9
"""Relative difference up to which two values are equal but for rounding."""


class Clustered(NamedTuple):
    """A matrix with the clusters of its rows.

    Attributes:
        values: Shape (n, m), NaN is missing.
        clusters: Number of each row's cluster, shape (n,); None where every row is its own.
    """

    values: Floats
    clusters: NDArray[np.int64] | None = None


Columns: TypeAlias = Clustered | Floats
"""A matrix of columns; a plain one has independent rows."""


def totals(data: Columns) -> tuple[Floats, Floats]:
    """Return sum and number of the values present in each cluster, both of shape (clusters, m).

    Clusters come in the order of their numbers.

    Raises:
        ValueError: The values are not two-dimensional, or the clusters are not one a row.
    """
    values, clusters = data if isinstance(data, Clustered) else (data, None)
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"values must have shape (rows, columns), not {values.shape}")
    present = ~np.isnan(values)
    sums, counts = np.where(present, values, 0.0), present.astype(np.float64)
    if clusters is None:
        return sums, counts
    if np.shape(clusters) != (len(values),):
        raise ValueError(f"{len(values)} rows, but clusters of shape {np.shape(clusters)}")
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(np.asarray(clusters)[order], prepend=-1))
    if len(starts) == len(values):
        return sums[order], counts[order]
    return np.add.reduceat(sums[order], starts), np.add.reduceat(counts[order], starts)


@dataclass(frozen=True)
class ClusterSums:
    """Columns summed by cluster; every array has a column for each of the m columns.

    Attributes:
        mean: Mean over the rows present, shape (m,); NaN where there is none.
        deviations: Sum over a cluster's rows of value less mean, shape (clusters, m).
        counts: Rows present in each cluster, same shape.
    """

    mean: Floats
    deviations: Floats
    counts: Floats

    @classmethod
    def of(cls, data: Columns) -> Self:
        """Sum a matrix by cluster."""
        sums, counts = totals(data)
        n = counts.sum(axis=0)
        mean = np.where(n > 0, sums.sum(axis=0) / np.maximum(n, 1), np.nan)
        deviations = np.where(counts > 0, sums - counts * mean, 0.0)
        # What remains of equal numbers after centring is rounding, not spread.
        scale = TIE * np.abs(sums).max(axis=0, initial=0.0)
        return cls(mean, np.where(np.abs(deviations) <= scale, 0.0, deviations), counts)

    @classmethod
    def of_means(cls, means: Floats, counts: Floats) -> Self:
        """Return one column, from the mean and the number of rows of each cluster, shape (clusters,).

        Counts need not be whole.
        """
        mean = float(means @ counts / counts.sum())
        deviations = counts * (means - mean)
        return cls(np.array([mean]), deviations[:, None], counts[:, None])

    def only(self, columns: NDArray[np.int64]) -> ClusterSums:
        """Return some of the columns."""
        return ClusterSums(self.mean[columns], self.deviations[:, columns], self.counts[:, columns])

    @property
    def rows(self) -> NDArray[np.int64]:
        """Return the rows present, shape (m,)."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Return the clusters with a row present, shape (m,)."""
        return np.asarray((self.counts > 0).sum(axis=0), dtype=np.int64)

    @property
    def effective(self) -> Floats:
        """Return the effective number of clusters, shape (m,): their number where all are as large.

        ``(sum c^2)^2 / sum c^4`` over the rows c of a cluster: Satterthwaite's degrees of freedom,
        plus one, where all rows of a cluster say the same. One large cluster among small ones thus
        counts for what it is, one observation that outweighs all others.
        """
        squares = self.counts**2
        quartic = (squares**2).sum(axis=0)
        return np.asarray(squares.sum(axis=0) ** 2 / np.where(quartic > 0, quartic, 1.0))

    @property
    def se(self) -> Floats:
        """Return the standard error of the mean, shape (m,); 0 with fewer than two clusters.

        ``sqrt(G / (G - 1) * sum d^2) / n`` over G clusters with deviations d and n rows in all; with
        one row a cluster that is the usual one.
        """
        g = self.clusters
        spread = np.where(g > 1, (self.deviations**2).sum(axis=0) * g / np.maximum(g - 1, 1), 0.0)
        n = self.counts.sum(axis=0)
        return np.asarray(np.sqrt(spread) / np.where(n > 0, n, 1.0))

    @property
    def means(self) -> Floats:
        """Return the mean of each cluster, shape (clusters, m); NaN where it has no row."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.mean + self.deviations / self.counts)
