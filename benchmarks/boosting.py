"""Gradient-boosted trees on integer codes: the stand-in for training that makes a table of networks whole."""

from __future__ import annotations

import numpy as np


class Boosted:
    """Gradient-boosted regression trees on integer codes (Friedman 2001, squared error, histogram splits).

    Grown best split first, as scikit-learn's HistGradientBoostingRegressor grows them, with its default sizes.

    Args:
        codes: Level of each setting; shape (rows, settings), small non-negative integers.
        target: Shape (rows,).
        rounds: Trees.
        rate: Share of each tree's prediction that counts.
        leaves: Most leaves of a tree.
        smallest: Fewest rows of a leaf.
    """

    def __init__(
        self,
        codes: np.ndarray,
        target: np.ndarray,
        *,
        rounds: int = 300,
        rate: float = 0.1,
        leaves: int = 31,
        smallest: int = 20,
    ) -> None:
        self.base = float(target.mean())
        self.trees: list[list[tuple[int, int, int, int, float]]] = []
        self._levels = int(codes.max()) + 1
        self._shifted = codes + self._levels * np.arange(codes.shape[1])
        left = target - self.base
        for _ in range(rounds):
            tree, rows = self._tree(left, leaves, smallest)
            scaled = [(s, c, a, b, rate * v) for s, c, a, b, v in tree]
            self.trees.append(scaled)
            for node, members in rows.items():
                left[members] -= scaled[node][4]

    def predict(self, codes: np.ndarray) -> np.ndarray:
        """Predicted target, shape (rows,)."""
        total = np.full(len(codes), self.base)
        everyone = np.arange(len(codes))
        for tree in self.trees:
            setting, cut, below, above, value = (np.array(column) for column in zip(*tree, strict=True))
            node = np.zeros(len(codes), dtype=int)
            while True:
                inner = setting[node] >= 0
                if not inner.any():
                    break
                down = codes[everyone, np.maximum(setting[node], 0)] <= cut[node]
                node = np.where(inner, np.where(down, below[node], above[node]), node)
            total += value[node]
        return total

    def _tree(
        self, left: np.ndarray, leaves: int, smallest: int
    ) -> tuple[list[tuple[int, int, int, int, float]], dict[int, np.ndarray]]:
        """Nodes (setting or -1, last level that goes below, child below, child above, value), and the leaves' rows."""
        rows = {0: np.arange(len(left))}
        tree: list[tuple[int, int, int, int, float]] = [(-1, 0, 0, 0, float(left.mean()))]
        splits = {0: self._split(rows[0], left, smallest)}
        while len(rows) < leaves:
            node = max(splits, key=lambda n: splits[n][0])
            gain, setting, cut = splits[node]
            if gain <= 0:
                break
            members = rows.pop(node)
            splits.pop(node)
            down = self._shifted[members, setting] - self._levels * setting <= cut
            tree[node] = (setting, cut, len(tree), len(tree) + 1, 0.0)
            for part in (members[down], members[~down]):
                rows[len(tree)] = part
                splits[len(tree)] = self._split(part, left, smallest)
                tree.append((-1, 0, 0, 0, float(left[part].mean())))
        return tree, rows

    def _split(self, members: np.ndarray, left: np.ndarray, smallest: int) -> tuple[float, int, int]:
        """Gain in squared error, setting and last level below of the best split."""
        if len(members) < 2 * smallest:
            return 0.0, 0, 0
        flat = self._shifted[members].ravel()
        size, width = self._shifted.shape[1] * self._levels, self._shifted.shape[1]
        counts = np.bincount(flat, minlength=size).reshape(width, self._levels).cumsum(axis=1)
        sums = np.bincount(flat, np.repeat(left[members], width), minlength=size)
        sums = sums.reshape(width, self._levels).cumsum(axis=1)
        n, total = counts[0, -1], sums[0, -1]
        above = n - counts
        good = (counts >= smallest) & (above >= smallest)
        with np.errstate(divide="ignore", invalid="ignore"):
            gains = np.where(good, sums**2 / counts + (total - sums) ** 2 / above - total**2 / n, 0.0)
        best = int(gains.argmax())
        return float(gains.flat[best]), best // self._levels, best % self._levels
