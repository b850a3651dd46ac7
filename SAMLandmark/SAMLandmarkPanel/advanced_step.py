"""Advanced: how the engine computes, what it keeps on disk, which model it uses, and whether it works at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slicer.i18n import tr as _

from SAMLandmarkLib.embedding.cache import EmbeddingCache, default_cache_folder
from SAMLandmarkLib.models.model_card import read_model_card
from SAMLandmarkLib.utils.errors import SAMLandmarkError
from SAMLandmarkLib.worker import Diagnosis, WorkerClient, start_diagnosis

from .engine_settings import EngineSettings
from .widget_help import WidgetHelp, showText

_MEBIBYTE = 2**20


class AdvancedStep:
    """Shows and changes the settings; `onSettings(EngineSettings)` is called after every change."""

    def __init__(
        self, ui: Any, hints: WidgetHelp, worker: WorkerClient, onSettings: Callable[[EngineSettings], None]
    ) -> None:
        self._ui, self._hints, self._worker, self._onSettings = ui, hints, worker, onSettings
        self._settings = EngineSettings.load()
        self._devices = ["auto", "cpu", "cuda", "mps"]
        self._profiles = ["accurate", "fast"]
        self._fillSelectors()
        self._showSettings()
        self._connect()
        showText(ui.testLabel, "")
        showText(ui.modelLabel, "")

    def updateCache(self) -> None:
        """Show how much the computed scans take on the disk."""
        size = self._cache().size_bytes()
        text = _("Computed scans on disk: {size} MB").format(size=round(size / _MEBIBYTE))
        showText(self._ui.cacheLabel, text)
        self._hints.enable(self._ui.clearCacheButton, "" if size else _("There is nothing on the disk."))
        kept = self._settings.keepScans
        self._hints.enable(self._ui.cacheLimitBox, "" if kept else _("Computed scans are not kept on disk."))

    def testInstallation(self, *_unused: Any) -> None:
        """Start the engine, transfer a sample point, and say in one sentence how that went."""
        self._hints.enable(self._ui.testButton, _("The test is running."))
        showText(self._ui.testLabel, _("Testing ... this takes up to a minute."))
        start_diagnosis(self._worker, self._showDiagnosis)

    def _fillSelectors(self) -> None:
        for text in (_("Automatic"), _("Processor (CPU)"), _("NVIDIA graphics card"), _("Apple graphics")):
            self._ui.deviceSelector.addItem(text)
        for text in (_("Accurate"), _("Fast")):
            self._ui.profileSelector.addItem(text)

    def _showSettings(self) -> None:
        settings = self._settings
        # a device that this list lacks, such as cuda:1, is kept until the user chooses another
        if settings.device not in self._devices:
            self._devices.append(settings.device)
            self._ui.deviceSelector.addItem(settings.device)
        self._ui.deviceSelector.setCurrentIndex(self._devices.index(settings.device))
        self._ui.profileSelector.setCurrentIndex(self._profiles.index(settings.profile))
        self._ui.memoryLimitBox.setValue(settings.memoryLimit)
        self._ui.cacheCheckBox.setChecked(settings.keepScans)
        self._ui.cacheLimitBox.setValue(settings.cacheLimit)

    def _connect(self) -> None:
        ui = self._ui
        ui.deviceSelector.currentIndexChanged.connect(self._changed)
        ui.profileSelector.currentIndexChanged.connect(self._changed)
        ui.memoryLimitBox.valueChanged.connect(self._changed)
        ui.cacheCheckBox.toggled.connect(self._changed)
        ui.cacheLimitBox.valueChanged.connect(self._changed)
        ui.clearCacheButton.clicked.connect(self._clearCache)
        ui.testButton.clicked.connect(self.testInstallation)
        ui.advancedStep.contentsCollapsed.connect(self._collapsed)

    def _changed(self, *_unused: Any) -> None:
        ui = self._ui
        self._settings = replace(
            self._settings,
            device=self._devices[ui.deviceSelector.currentIndex],
            profile=self._profiles[ui.profileSelector.currentIndex],
            memoryLimit=ui.memoryLimitBox.value,
            keepScans=ui.cacheCheckBox.checked,
            cacheLimit=ui.cacheLimitBox.value,
        )
        self._settings.save()
        self.updateCache()
        self._onSettings(self._settings)

    def _collapsed(self, collapsed: bool) -> None:
        if collapsed:
            return
        self.updateCache()
        showText(self._ui.modelLabel, _cardText())
        # what computes is known to the engine only; it is not started just for this
        if self._worker.process_id is not None:
            self._worker.describe(self._showModel, None)

    def _cache(self) -> EmbeddingCache:
        return EmbeddingCache(default_cache_folder(), self._settings.workerSettings().cache_limit_bytes)

    def _clearCache(self, *_unused: Any) -> None:
        self._cache().clear()
        self.updateCache()

    def _showDiagnosis(self, diagnosis: Diagnosis) -> None:
        self._hints.enable(self._ui.testButton)
        showText(self._ui.testLabel, diagnosis.sentence)
        if diagnosis.ok:
            self._worker.describe(self._showModel, None)

    def _showModel(self, description: dict) -> None:
        computes = _("It computes on {device} with torch {torch}.")
        text = computes.format(device=description["device_name"], torch=description["torch"])
        showText(self._ui.modelLabel, " ".join([_cardText(), text, *description["notes"]]))


def _cardText() -> str:
    """The bundled model in a sentence."""
    try:
        card = read_model_card()
    except SAMLandmarkError as error:
        return str(error)
    text = _("Model {version}, trained on {date} with {count} scans (checksum {checksum}).")
    return text.format(version=card.version, date=card.trained, count=card.scans, checksum=card.sha256[:12])
