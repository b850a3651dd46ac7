"""The switch that shows the follow-up in the template's frame: registered first, where it is not yet."""

from __future__ import annotations

from ..session import TransferSession


class RegisteredOverlay:
    """Lays the registered follow-up under review over the template; `update` is to be called after every change."""

    def __init__(self, session: TransferSession) -> None:
        self._session, self._registrations = session, session.registrations
        self._awaited = self._shown = ""

    @property
    def on(self) -> bool:
        """Whether it is shown, or will be when it is registered."""
        return bool(self._awaited or self._shown)

    def switch(self, on: bool) -> None:
        """Show it or not. Raises UsageError where there is no follow-up that can be registered."""
        if on == self.on:
            return
        if on:
            self._show(self._session.views.shown_follow_up or "")
        else:
            self._awaited = ""
            self._registrations.cancel()
            self._hide()

    def update(self) -> None:
        """Show what was waited for, or tell why there is nothing to show; and follow the follow-up under review."""
        if self._awaited and not self._registrations.running:
            key, self._awaited = self._awaited, ""
            if self._registrations.outputs(key).volume is not None:
                self._show(key)
            elif text := self._registrations.text(key):
                self._session.notify_user(text)
        looked_at = self._session.views.shown_follow_up or ""
        if self._shown and self._shown != looked_at:
            self._hide()
            if self._registrations.outputs(looked_at).volume is not None:
                self._show(looked_at)
        if self._shown:
            # the template may have other views than before
            self._registrations.show_over_template(self._shown, True)

    def _show(self, key: str) -> None:
        if self._registrations.outputs(key).volume is None:
            self._registrations.register(key)
            self._awaited = key
        else:
            self._registrations.show_over_template(key, True)
            self._shown = key

    def _hide(self) -> None:
        self._registrations.show_over_template(self._shown, False)
        self._shown = ""
