"""The models that come with SAMLandmark, one for each modality; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..utils.bundled import bundled_folder
from ..utils.errors import ModelError
from ..utils.translation import _

DEFAULT_MODALITY = "ct"


@dataclass(frozen=True)
class BundledModel:
    """A model file that comes with SAMLandmark: its modality's name, its file name and the SHA-256 of its bytes."""

    modality: str
    file_name: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file lies; SAMLandmarkError where it is missing."""
        return bundled_folder("Models") / self.file_name


class ModelRegistry:
    """The bundled models by the names of their modalities.

    >>> ModelRegistry(BUNDLED).modalities
    ('ct', 'radiograph', 'mr-brain')
    """

    def __init__(self, models: tuple[BundledModel, ...]) -> None:
        self._models = {model.modality: model for model in models}

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities that have a model."""
        return tuple(self._models)

    def model(self, modality: str) -> BundledModel:
        """The model of a modality; ModelError where none is bundled."""
        if modality not in self._models:
            unknown = _(
                "There is no bundled model for the modality '{name}'; choose {known}, or name a model file."
            )
            raise ModelError(unknown.format(name=modality, known=", ".join(self._models)))
        return self._models[modality]

    def knows(self, sha256: str) -> bool:
        """Whether a file with this SHA-256 came with SAMLandmark."""
        return any(model.sha256 == sha256 for model in self._models.values())


BUNDLED = (
    BundledModel(
        DEFAULT_MODALITY,
        "samlandmark-ct.safetensors",
        "e0c354f912b957c0552865558d03b45dc725367fbc3454ce238f9858f69b1dee",
    ),
    BundledModel(
        "radiograph",
        "samlandmark-radiograph.safetensors",
        "48d6291c15c756fd2d6ba94e7df26030d5c15703284e95ec18df2c368ad350f9",
    ),
    BundledModel(
        "mr-brain",
        "samlandmark-mr-brain.safetensors",
        "68519141b2485df1696e3406eb469f9be5bdac1ccc0d71dc78196a456075a715",
    ),
)
REGISTRY = ModelRegistry(BUNDLED)


def bundled_model(modality: str = DEFAULT_MODALITY) -> Path:
    """The model file of a modality that comes with SAMLandmark; SAMLandmarkError where it is missing."""
    return REGISTRY.model(modality).path
