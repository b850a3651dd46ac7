"""What the user decided about transferred landmarks: plain data, without Slicer and without torch."""

from .item import Decision, Point, ReviewItem
from .order import next_doubtful, review_queue
from .state import LogEntry, ReviewState

__all__ = ["Decision", "LogEntry", "Point", "ReviewItem", "ReviewState", "next_doubtful", "review_queue"]
