"""SAMLandmark for 3D Slicer: points that are clicked on one CT appear on every other CT of the patient."""

from __future__ import annotations

import sys
from typing import Any

import slicer
from SAMLandmarkPanel.library_path import makeLibraryImportable
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

makeLibraryImportable()

from SAMLandmarkPanel.engine_settings import EngineSettings
from SAMLandmarkPanel.installation import pythonCommand, pythonEnvironment
from SAMLandmarkPanel.panel import Panel
from SAMLandmarkPanel.parameters import SAMLandmarkParameterNode, forgetFormerParameters
from SAMLandmarkPanel.sample_data import registerSampleData
from SAMLandmarkPanel.self_test import SelfTests

from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.utils.translation import set_translator
from SAMLandmarkLib.worker import WorkerClient


class SAMLandmark(ScriptedLoadableModule):
    """The module: name, category, help."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("SAMLandmark")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        parent.dependencies = []
        parent.contributors = ["The SAMLandmark contributors"]
        parent.helpText = _(
            "Click points on one CT; the same anatomical points appear on the follow-ups, each with a confidence, "
            "or with the reason why it is not there. Research software, not a medical device: look at every point."
        )
        parent.acknowledgementText = _(
            "The method follows SAM, Self-supervised Anatomical eMbedding (Yan et al., IEEE TMI 2022)."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


class SAMLandmarkWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the panel with Slicer: the scene, opening and leaving the module, its end."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: SAMLandmarkLogic | None = None
        self._panel: Panel | None = None

    def setup(self) -> None:
        """Build the panel; nothing is computed and nothing is installed here."""
        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SAMLandmark.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SAMLandmarkLogic()
        self._panel = Panel(self.ui, self.logic.session, self.logic.worker)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self._panel.takeUpScene(self.logic.getParameterNode())

    def cleanup(self) -> None:
        """The module is about to be unloaded."""
        self.removeObservers()
        if self._panel is not None:
            self._panel.close()
        if self.logic is not None:
            self.logic.close()

    def enter(self) -> None:
        """The module was opened."""
        self.initializeParameterNode()
        self._panel.enter()

    def exit(self) -> None:
        """The module was left."""
        self._panel.exit()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        """The nodes are about to go, or others about to come."""
        self._panel.setParameterNode(None)

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        """The scene is empty."""
        self.initializeParameterNode()

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        """A scene was loaded: go on where it was saved."""
        self._panel.takeUpScene(self.logic.getParameterNode())

    def initializeParameterNode(self) -> None:
        """Make sure that the scene has the module's parameters and that the panel shows them."""
        self._panel.setParameterNode(self.logic.getParameterNode())

    def onReload(self) -> None:
        """Reload the module with its own packages, which Slicer would keep as they were."""
        for name in [name for name in sys.modules if name.startswith(("SAMLandmarkPanel", "SAMLandmarkLib"))]:
            del sys.modules[name]
        super().onReload()


class SAMLandmarkLogic(ScriptedLoadableModuleLogic):
    """What scripts use.

    >>> logic = slicer.util.getModuleLogic("SAMLandmark")                                    # doctest: +SKIP
    >>> markups = logic.transfer(templateVolume, templatePoints, [followUp1, followUp2])     # doctest: +SKIP
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        set_translator(translate)
        self.worker = WorkerClient(
            EngineSettings.load().workerSettings(), python=pythonCommand(), environment=pythonEnvironment()
        )
        self.session = TransferSession(slicer.mrmlScene, self.worker)

    def getParameterNode(self) -> SAMLandmarkParameterNode:
        """The module's parameters in the scene, made at the first call."""
        node = super().getParameterNode()
        forgetFormerParameters(node)
        return SAMLandmarkParameterNode(node)

    def transfer(self, templateVolume: Any, templatePoints: Any, followUps: list[Any]) -> list[Any]:
        """Transfer all points and wait for the end; returns one markups node for each follow-up, by study date.

        The panel, where it is open, shows the same scans then. Raises RuntimeError, in one sentence, where that is not
        possible.
        """
        self._showInPanel(templateVolume, templatePoints, followUps)
        self.session.set_template(templateVolume, templatePoints)
        self.session.set_follow_ups(followUps)
        if blocking_reason := self.session.blocking_reason:
            raise RuntimeError(blocking_reason)
        self.session.transfer()
        self.worker.wait()
        failures = [scan.message for scan in self.session.follow_ups if scan.message]
        if failures:
            raise RuntimeError(" ".join(failures))
        return [scan.markups_node for scan in self.session.follow_ups]

    def _showInPanel(self, templateVolume: Any, templatePoints: Any, followUps: list[Any]) -> None:
        parameters = self.getParameterNode()
        # all at once, or the panel would take up what is only half said
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.templateVolume, parameters.templatePoints = templateVolume, templatePoints
            parameters.followUps = list(followUps)

    def close(self) -> None:
        """Stop the engine."""
        self.session.close()
        self.worker.close()


class SAMLandmarkTest(SelfTests, ScriptedLoadableModuleTest):
    """Self-tests, run inside Slicer."""
