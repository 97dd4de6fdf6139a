"""Every finished trial once, in plain text, safe against crashes and other writers."""

from dropkit.store.folder import Store, default_path
from dropkit.store.records import DamagedRecord, ForeignRecord, Record, StoreError, key

__all__ = ["DamagedRecord", "ForeignRecord", "Record", "Store", "StoreError", "default_path", "key"]
