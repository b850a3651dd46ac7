"""Inside Slicer: the installed extension is complete. Needs no packages beyond Slicer's own and no network."""

import hashlib
import subprocess
import unittest

import slicer


class SAMLandmarkInstalledTest(unittest.TestCase):
    """What a broken package would lack."""

    def test_module_is_there_with_its_icon(self):
        module = slicer.util.getModule("SAMLandmark")
        self.assertEqual(module.title, "SAMLandmark")
        self.assertFalse(module.icon.isNull())

    def test_panel_can_be_built(self):
        self.assertIsNotNone(slicer.util.getModule("SAMLandmark").widgetRepresentation())

    def test_library_finds_its_model_and_list_of_packages(self):
        from SAMLandmarkLib.utils.bundled import bundled_file, bundled_folder

        self.assertTrue((bundled_folder("Models") / "samlandmark-ct.safetensors").is_file())
        self.assertTrue(bundled_file("requirements.txt").is_file())

    def test_sample_pair_is_registered_with_true_checksums(self):
        import SampleData
        from SAMLandmarkPanel.sample_data import PAIR_SAMPLE, registerSampleData

        registerSampleData()
        logic = SampleData.SampleDataLogic()
        source = logic.sourceForSampleName(PAIR_SAMPLE)
        for path, checksum in zip(logic.downloadSourceIntoCache(source), source.checksums):
            with open(path, "rb") as file:
                self.assertEqual(checksum, f"SHA256:{hashlib.sha256(file.read()).hexdigest()}")

    def test_python_of_slicer_imports_the_library(self):
        from SAMLandmarkPanel.installation import pythonCommand, pythonEnvironment

        command = [*pythonCommand(), "-c", "import SAMLandmarkLib.worker; print('imported')"]
        output = subprocess.check_output(command, env=pythonEnvironment(), text=True)
        self.assertIn("imported", output)

    def test_missing_packages_can_be_named(self):
        from SAMLandmarkPanel.installation import missingRequirements

        self.assertLessEqual(len(missingRequirements()), 3)
