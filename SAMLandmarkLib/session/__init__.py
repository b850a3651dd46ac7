"""The workflow of the product without a user interface."""

from .status import Activity, Change, ScanColumn, SessionStatus
from .transfer_session import TransferSession

__all__ = ["Activity", "Change", "ScanColumn", "SessionStatus", "TransferSession"]
