"""What the user decided about transferred landmarks: plain data, without Slicer and without torch."""

from .item import Decision, Point, ReviewItem
from .log import LogEntry
from .order import next_doubtful, review_queue
from .state import ReviewState

__all__ = ["Decision", "LogEntry", "Point", "ReviewItem", "ReviewState", "next_doubtful", "review_queue"]
