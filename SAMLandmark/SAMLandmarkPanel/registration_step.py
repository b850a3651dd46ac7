"""Registration: a follow-up is mapped to the template as a whole; the scene gets a transform and the registered volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.util import settingsValue

from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.session.registrations import registration_words
from SAMLandmarkLib.utils.errors import SAMLandmarkError

from .widget_help import WidgetHelp, showText

_PROFILE = "SAMLandmark/RegistrationProfile"
_PROFILES = ("accurate", "fast", "affine")


class RegistrationStep:
    """Chooses follow-up and profile, registers, and shows what came of it.

    `isReady()` tells whether all packages are there; `ensureReady()` installs what is missing, if the user agrees, before.
    """

    def __init__(
        self,
        ui: Any,
        hints: WidgetHelp,
        session: TransferSession,
        isReady: Callable[[], bool],
        ensureReady: Callable[[], bool],
    ) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._isReady, self._ensureReady = isReady, ensureReady
        self._listed: list[tuple[str, str]] = []
        for text in (_("accurate"), _("fast"), _("affine map only")):
            ui.registrationProfileSelector.addItem(text)
        kept = settingsValue(_PROFILE, _PROFILES[0])
        ui.registrationProfileSelector.setCurrentIndex(_PROFILES.index(kept) if kept in _PROFILES else 0)
        ui.registrationProfileSelector.currentIndexChanged.connect(self._keepProfile)
        ui.registrationFollowUpSelector.currentIndexChanged.connect(self.update)
        ui.registerButton.clicked.connect(self.registerOrCancel)
        ui.removeRegistrationButton.clicked.connect(self._remove)
        ui.overTemplateCheckBox.toggled.connect(self._showOverTemplate)
        ui.registrationGridCheckBox.toggled.connect(self._showGrid)
        self.update()

    def registerOrCancel(self, *_unused: Any) -> None:
        """What the button does: register the chosen follow-up, or cancel what runs."""
        registrations = self._session.registrations
        if registrations.running:
            registrations.cancel()
        elif self._ensureReady():
            try:
                registrations.register(self._key(), self._profile())
            except SAMLandmarkError as error:
                showText(self._ui.registrationLabel, str(error))

    def update(self, *_unused: Any) -> None:
        """Show the follow-ups, how far the work is and what there is of the chosen one."""
        ui, registrations = self._ui, self._session.registrations
        self._fillList()
        free = registrations.running or not self._isReady()
        self._hints.enable(ui.registerButton, "" if free else registrations.blocking_reason(self._key()))
        ui.registerButton.setText(_("Cancel") if registrations.running else _("Register"))
        ui.registrationProgress.setVisible(registrations.running)
        ui.registrationProgress.setValue(round(100 * registrations.fraction))
        self._showOutputs()

    # ---- what is shown

    def _fillList(self) -> None:
        listed = [(scan.key, scan.name) for scan in self._session.follow_ups]
        if listed == self._listed:
            return
        chosen, self._listed = self._key(), listed
        selector = self._ui.registrationFollowUpSelector
        selector.blockSignals(True)
        selector.clear()
        for _followUpKey, name in listed:
            selector.addItem(name)
        keys = [key for key, _name in listed]
        selector.setCurrentIndex(keys.index(chosen) if chosen in keys else 0)
        selector.blockSignals(False)

    def _showOutputs(self) -> None:
        ui, registrations, key = self._ui, self._session.registrations, self._key()
        outputs = registrations.outputs(key)
        parts = [registrations.text(key)]
        if outputs.transform is not None:
            parts.append(_("Transform: {name}").format(name=outputs.transform.GetName()))
        if outputs.volume is not None:
            parts.append(_("Registered volume: {name}").format(name=outputs.volume.GetName()))
        showText(ui.registrationLabel, "\n".join(filter(None, [*parts, registration_words(outputs.facts)])))
        missing = _("Register the follow-up first.")
        self._hints.enable(ui.overTemplateCheckBox, "" if outputs.volume is not None else missing)
        self._hints.enable(ui.registrationGridCheckBox, "" if outputs.transform is not None else missing)
        self._hints.enable(ui.removeRegistrationButton, "" if outputs.existing else missing)
        self._tick(ui.overTemplateCheckBox, registrations.is_over_template(key))
        self._tick(ui.registrationGridCheckBox, registrations.is_grid_shown(key))

    def _tick(self, box: Any, ticked: bool) -> None:
        box.blockSignals(True)
        box.setChecked(ticked)
        box.blockSignals(False)

    # ---- what the user does

    def _key(self) -> str:
        """The key of the chosen follow-up, "" where there is none."""
        number = self._ui.registrationFollowUpSelector.currentIndex
        return self._listed[number][0] if 0 <= number < len(self._listed) else ""

    def _profile(self) -> str:
        return _PROFILES[self._ui.registrationProfileSelector.currentIndex]

    def _keepProfile(self, *_unused: Any) -> None:
        slicer.app.userSettings().setValue(_PROFILE, self._profile())

    def _remove(self, *_unused: Any) -> None:
        self._session.registrations.remove(self._key())

    def _showOverTemplate(self, shown: bool) -> None:
        self._session.registrations.show_over_template(self._key(), shown)

    def _showGrid(self, shown: bool) -> None:
        self._session.registrations.show_grid(self._key(), shown)
