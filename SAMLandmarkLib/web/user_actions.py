"""What the user does on the page, by the names that the page has for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from trame_server import Server

from ..session.review_actions import REVIEW_KEYS
from ..utils.errors import SAMLandmarkError
from .controller import UNEXPECTED, Controller

_LOG = logging.getLogger(__name__)


def _told(method: Callable[..., None]) -> Callable[..., None]:
    """Tell the user what goes wrong in something that the page has called; the page itself lives on."""

    @wraps(method)
    def call(self: UserActions, *values: Any) -> None:
        try:
            method(self, *values)
        except SAMLandmarkError as error:
            self._session.notify_user(str(error))
        # Whatever a browser sends must not end in a text with this computer's paths on the page.
        except Exception:
            _LOG.exception("The page asked for %s%r", method.__name__, values)
            self._session.notify_user(UNEXPECTED)
        self._controller.refresh_soon()

    return call


class UserActions:
    """The page's triggers, and its variables that the user changes."""

    TRIGGERS = (
        *("review", "key", "select", "place", "transfer", "cancel", "rename", "remove", "fit"),
        "read_message",
    )
    VARIABLES = (
        *("orientation", "window", "linked", "only", "heat_map", "registered", "corrections"),
        "protocol",
    )

    def __init__(self, controller: Controller) -> None:
        self._controller, self._session, self._state = controller, controller.session, controller.state

    def register(self, server: Server) -> None:
        """Let a server's page call the actions."""
        for name in self.TRIGGERS:
            server.trigger(name)(getattr(self, name))
        for name in self.VARIABLES:
            server.state.change(name)(self._changed(name))

    def _changed(self, name: str) -> Callable[..., None]:
        def changed(**_unused: Any) -> None:
            getattr(self, f"_take_{name}")(self._state[name])

        return changed

    @_told
    def review(self, action: str) -> None:
        """Carry out an action of the review by its name."""
        self._controller.review.do(action)

    @_told
    def key(self, key: str) -> None:
        """Carry out an action of the review by its key."""
        self._controller.review.do(REVIEW_KEYS[key])

    @_told
    def select(self, key: str, label: str) -> None:
        """Look at a landmark of a follow-up."""
        if label in self._session.labels and any(scan.key == key for scan in self._session.follow_ups):
            self._session.select(key, label)

    @_told
    def place(self) -> None:
        """Begin or end the placing of points."""
        placing = self._controller.placing
        if placing.active or self._session.template_markups is None:
            placing.stop()
        else:
            placing.start()

    @_told
    def transfer(self) -> None:
        """Carry all landmarks again."""
        self._session.transfer()

    @_told
    def cancel(self) -> None:
        """Stop what runs."""
        self._session.cancel()
        self._controller.overlay.switch(False)

    @_told
    def rename(self, label: str, new: str) -> None:
        """Give a landmark another name that none has yet."""
        new = new.strip()
        if new and new not in self._session.labels and not self._session.protocol:
            self._session.scene.SaveStateForUndo()
            self._session.template_markups.SetNthControlPointLabel(self._number_of(label), new)

    @_told
    def remove(self, label: str) -> None:
        """Remove a landmark of the template, and with it its results."""
        if self._session.protocol:
            return
        self._session.scene.SaveStateForUndo()
        self._session.template_markups.RemoveNthControlPoint(self._number_of(label))

    @_told
    def fit(self) -> None:
        """Show whole slices again."""
        self._controller.views.fit_all()

    @_told
    def read_message(self) -> None:
        """The user has read the message."""
        self._session.clear_message()

    def _number_of(self, label: str) -> int:
        markups = self._session.template_markups
        numbers = range(markups.GetNumberOfControlPoints())
        return next(number for number in numbers if markups.GetNthControlPointLabel(number) == label)

    @_told
    def _take_orientation(self, _orientation: str) -> None:
        self._controller.arrange()

    @_told
    def _take_window(self, window: str) -> None:
        self._controller.show_gray_levels(window)

    @_told
    def _take_linked(self, linked: bool) -> None:
        self._session.views.linking.on = bool(linked)

    @_told
    def _take_only(self, key: str | None) -> None:
        self._controller.views.show_only(key or None)
        if key and self._session.current is not None and self._session.current[0] != key:
            self._session.select(key, self._session.current[1])

    @_told
    def _take_heat_map(self, wanted: bool) -> None:
        if wanted and not self._session.heat_map_shown:
            self._session.show_heat_map()
        elif not wanted and self._session.heat_map_shown:
            self._session.hide_heat_map()

    @_told
    def _take_protocol(self, protocol: str) -> None:
        self._controller.choose_protocol(protocol)

    @_told
    def _take_registered(self, wanted: bool) -> None:
        self._controller.overlay.switch(bool(wanted))

    @_told
    def _take_corrections(self, use: bool) -> None:
        self._session.use_corrections = bool(use)
