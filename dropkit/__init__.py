"""Class-robust data pruning: the code behind the companion to "DRoP: Distributionally Robust Data
Pruning" (Vysogorets, Ahuja and Kempe, ICLR 2025)."""

__version__ = "0.1.0"
