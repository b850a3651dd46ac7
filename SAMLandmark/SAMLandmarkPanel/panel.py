"""The panel: joins its steps, the parameters of the scene and the session that does the work."""

from __future__ import annotations

from functools import partial
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from SAMLandmarkLib.scene.beginning import Beginning
from SAMLandmarkLib.session import Change, TransferSession
from SAMLandmarkLib.worker import WorkerClient

from .advanced_step import AdvancedStep
from .batch_step import BatchStep
from .engine_settings import EngineSettings
from .export_step import ExportStep
from .installation import ensureInstalled, missingRequirements
from .keys import ACTIONS, keyOf
from .keys_step import KeysStep
from .lesion_step import LesionStep
from .parameters import SAMLandmarkParameterNode
from .registration_step import RegistrationStep
from .review_step import ReviewStep
from .shortcuts import Shortcuts
from .side_by_side import SideBySide
from .template_step import TemplateStep
from .transfer_step import TransferStep
from .views_step import ViewsStep
from .widget_help import WidgetHelp, showText

_POLL_MILLISECONDS = 50


class Panel(VTKObservationMixin):
    """Everything in the module's panel; the module widget tells it about the scene and about being open."""

    def __init__(self, ui: Any, session: TransferSession, worker: WorkerClient) -> None:
        super().__init__()
        self._ui, self._session, self._worker = ui, session, worker
        self._parameters: SAMLandmarkParameterNode | None = None
        self._guiTag: int | None = None
        self._installed = not missingRequirements()
        self._hints = WidgetHelp()
        self._buildSteps()
        self._shortcuts = Shortcuts(slicer.util.mainWindow() or ui.reviewStep)
        self._keysChanged()
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._timer.timeout.connect(session.poll)
        session.add_listener(self._sessionChanged)
        self._updateAll()
        self._timer.start()

    def _buildSteps(self) -> None:
        ui, hints, session = self._ui, self._hints, self._session
        self._templateStep = TemplateStep(ui, hints, session)
        self._transferStep = TransferStep(ui, hints, session, self._ensureReady)
        self._reviewStep = ReviewStep(ui, hints, session)
        self._exportStep = ExportStep(ui, hints, session)
        self._batchStep = BatchStep(ui, hints, session, lambda: self._installed, self._ensureReady)
        self._lesionStep = LesionStep(ui, hints, session, lambda: self._installed, self._ensureReady)
        self._registrationStep = RegistrationStep(
            ui, hints, session, lambda: self._installed, self._ensureReady
        )
        self._advancedStep = AdvancedStep(ui, hints, self._worker, self._settingsChanged)
        self._sideBySide = SideBySide(ui, hints, session)
        self._viewsStep = ViewsStep(ui, session)
        self._keysStep = KeysStep(ui, self._keysChanged)

    def _keysChanged(self) -> None:
        keys = {keyOf(action): partial(self._reviewStep.do, action) for action in ACTIONS if keyOf(action)}
        self._shortcuts.setActions(keys)
        self._reviewStep.showKeys()
        self._keysStep.showTaken(self._shortcuts.taken)

    def setParameterNode(self, parameters: SAMLandmarkParameterNode | None) -> None:
        """Show and follow other parameters, or none while a scene is closing."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._parametersChanged)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self._ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._parametersChanged)
        self._templateStep.setParameterNode(parameters)
        self._parametersChanged()

    def takeUpScene(self, parameters: SAMLandmarkParameterNode) -> None:
        """Show a scene's parameters, and go on with the review that it brought along, if any."""
        # first the review: parameters that are shown start to compute what the session does not know yet
        if self._session.restore():
            parameters.live = False
            self._showSessionScans(parameters)
        self.setParameterNode(parameters)

    def _showSessionScans(self, parameters: SAMLandmarkParameterNode) -> None:
        """Let the parameters say which scans the session has."""
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.protocol = self._session.protocol
            if not self._session.protocol:
                parameters.templateVolume = self._session.template_volume
                parameters.templatePoints = self._session.template_markups
            parameters.followUps = [scan.volume_node for scan in self._session.follow_ups]

    def enter(self) -> None:
        """The module was opened."""
        self._installed = not missingRequirements()
        self._shortcuts.setEnabled(True)
        self._keysStep.showTaken(self._shortcuts.taken)
        self._sideBySide.setActive(True)
        self._begin()
        self._parametersChanged()

    def _begin(self) -> None:
        """Choose what is plain in a scene that nobody has chosen anything in."""
        parameters = self._parameters
        if parameters is None or parameters.templateVolume is not None or parameters.followUps:
            return
        beginning = Beginning.of_scene(slicer.mrmlScene)
        if beginning is not None:
            with slicer.util.NodeModify(parameters.parameterNode):
                parameters.templateVolume = beginning.template
                parameters.templatePoints = parameters.templatePoints or beginning.points
                parameters.followUps = list(beginning.follow_ups)

    def exit(self) -> None:
        """The module was left; what runs goes on."""
        self._templateStep.stopPlacing()
        self._shortcuts.setEnabled(False)
        self._sideBySide.setActive(False)

    def close(self) -> None:
        """Let go of everything; the panel can't be used afterwards."""
        self._timer.stop()
        self._session.remove_listener(self._sessionChanged)
        self.setParameterNode(None)
        self.removeObservers()
        self._templateStep.close()
        self._viewsStep.close()
        self._shortcuts.close()

    def _ensureReady(self) -> bool:
        self._installed = ensureInstalled(slicer.util.mainWindow())
        self._parametersChanged()
        return self._installed

    def _settingsChanged(self, settings: EngineSettings) -> None:
        self._worker.configure(settings.workerSettings())

    def _parametersChanged(self, *_unused: Any) -> None:
        parameters = self._parameters
        if slicer.mrmlScene.IsBatchProcessing():
            return  # a scene that is being loaded is taken up as a whole
        # without the engine's packages nothing may start to compute when a volume is chosen
        if parameters is not None and self._installed:
            self._giveScans(parameters)
            if self._session.live != parameters.live:
                self._session.live = parameters.live
            if self._session.use_corrections != parameters.useCorrections:
                self._session.use_corrections = parameters.useCorrections
        self._templateStep.update()
        self._viewsStep.update(parameters)
        self._updateViews()
        self._updateTransfer()

    def _giveScans(self, parameters: SAMLandmarkParameterNode) -> None:
        session = self._session
        session.lesions.points_node = parameters.lesionPoints
        template = (
            (None, None) if parameters.protocol else (parameters.templateVolume, parameters.templatePoints)
        )
        before = (session.protocol, session.template_volume, session.template_markups)
        if (parameters.protocol, *template) != before:
            if parameters.protocol:
                session.set_protocol(parameters.protocol)
            else:
                session.set_template(*template)
            self._showReviewedScans(parameters)
        followUps = [node for node in parameters.followUps if node not in (None, template[0])]
        if {node.GetID() for node in followUps} != {scan.volume_node.GetID() for scan in session.follow_ups}:
            session.set_follow_ups(followUps)

    def _showReviewedScans(self, parameters: SAMLandmarkParameterNode) -> None:
        """A template that was reviewed before comes with its own follow-ups."""
        reviewed = [scan.volume_node for scan in self._session.follow_ups]
        if self._session.counts["total"] and reviewed != parameters.followUps:
            parameters.followUps = reviewed

    def _sessionChanged(self, change: Change) -> None:
        updates = {
            Change.SCANS: self._updateAll,
            Change.REVIEW: self._updateReview,
            Change.SELECTION: self._updateSelection,
            Change.VIEWS: self._updateViews,
            Change.STATUS: self._updateTransfer,
            Change.MESSAGE: self._showMessage,
            Change.EXPORT: self._exportStep.update,
            Change.BATCH: self._batchStep.update,
            Change.LESIONS: self._lesionStep.update,
            Change.REGISTRATION: self._registrationStep.update,
            Change.OPENED: self._showOpened,
        }
        updates[change]()

    def _updateReview(self) -> None:
        self._templateStep.hideResults()
        self._viewsStep.followLists()
        self._reviewStep.updateTable()
        self._exportStep.update()
        self._updateTransfer()

    def _updateSelection(self) -> None:
        self._session.clear_message()
        self._reviewStep.updateCurrent()
        self._updateViews()

    def _showOpened(self) -> None:
        if self._parameters is not None:
            self._showSessionScans(self._parameters)

    def _updateAll(self) -> None:
        self._showMessage()
        self._templateStep.updateNames()
        self._updateReview()
        self._updateViews()

    def _updateViews(self) -> None:
        self._sideBySide.update(self._parameters)
        self._viewsStep.updatePages()
        self._registrationStep.update()

    def _updateTransfer(self) -> None:
        self._transferStep.update(self._blockingReason(), self._installed)
        self._batchStep.update()
        self._lesionStep.update()
        self._registrationStep.update()
        self._reviewStep.updateUndo()

    def _blockingReason(self) -> str:
        if self._installed:
            return self._session.blocking_reason
        parameters = self._parameters
        if parameters is None or not parameters.followUps:
            return _("Choose a template and at least one follow-up.")
        hasSource = parameters.protocol or parameters.templateVolume is not None
        return "" if hasSource else _("Choose a template and at least one follow-up.")

    def _showMessage(self) -> None:
        showText(self._ui.messageLabel, "\n".join(map(str, self._session.messages)))
