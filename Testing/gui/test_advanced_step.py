"""Advanced: settings that are kept, the cache, and the test of the installation."""

from __future__ import annotations

from SAMLandmarkLib.embedding.cache import default_cache_folder
from SAMLandmarkLib.models.model_card import read_model_card


def test_settings_reach_the_worker_and_the_next_start(user):
    from SAMLandmarkPanel.engine_settings import EngineSettings

    before = EngineSettings.load()
    user.ui.deviceSelector.setCurrentIndex(1)
    user.ui.memoryLimitBox.setValue(2.5)
    settings = user.widget.logic.worker.settings
    assert (settings.device, settings.max_memory) == ("cpu", int(2.5 * 2**30))
    assert EngineSettings.load().device == "cpu"
    user.ui.deviceSelector.setCurrentIndex(0)
    user.ui.memoryLimitBox.setValue(0)
    assert EngineSettings.load() == before
    assert user.widget.logic.worker.settings.max_memory is None


def test_the_cache_tells_its_size_and_is_cleared(user):
    folder = default_cache_folder()
    user.ui.advancedStep.collapsed = True
    user.ui.advancedStep.collapsed = False
    assert user.ui.cacheLabel.text.startswith("Computed scans on disk:")
    assert user.ui.clearCacheButton.enabled == any(folder.rglob("*"))


def test_the_model_is_told_before_anything_is_computed(user):
    user.widget.logic.worker.cancel()
    user.ui.advancedStep.collapsed = True
    user.ui.advancedStep.collapsed = False
    card = read_model_card()
    assert user.ui.modelLabel.text.startswith(f"Model {card.version}, trained on {card.trained} with ")
    assert card.sha256[:12] in user.ui.modelLabel.text
    assert user.widget.logic.worker.process_id is None


def test_my_installation_is_found_to_work_in_one_sentence(user):
    user.ui.advancedStep.collapsed = False
    user.click(user.ui.testButton)
    assert not user.ui.testButton.enabled
    assert user.ui.testButton.toolTip == "The test is running."
    user.bench.wait_until(lambda: user.ui.testButton.enabled, 240, "the test is done")
    user.bench.wait_until(lambda: "torch" in user.ui.modelLabel.text, 60, "what computes is described")
    assert user.ui.testLabel.text.endswith(".")
    assert "not" not in user.ui.testLabel.text.lower().split()
