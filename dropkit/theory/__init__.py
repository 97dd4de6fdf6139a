"""Two Gaussian classes in closed form (Section 3, Appendix B)."""

from dropkit.theory.mixture import GaussianMixture

__all__ = ["GaussianMixture"]
