"""A segmentation network of your own that begins with the trained weights, from one labelled scan.

    python examples/fine_tune.py OUTPUT_FOLDER [STEPS]

The bundled scan stands for your images, its bones for your labels: replace `scan` and `labels`, and give it a few hundred steps.
The network sees voxels of 2 mm in Hounsfield units and maps them to its windows by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from SAMLandmarkLib import EmbeddingEncoder, Volume
from SAMLandmarkLib.training.encoder_export import EncoderRequest, export_encoder
from SAMLandmarkLib.utils.bundled import bundled_folder

PATCH = 48
BATCH = 2


def main(output: Path, steps: int) -> None:
    # The same as `samlandmark model encoder ct --output encoder.safetensors`; a run's folder keeps its batch norms.
    output.mkdir(parents=True, exist_ok=True)
    file = export_encoder(EncoderRequest("ct", output / "encoder.safetensors"))
    encoder = EmbeddingEncoder.load(file)
    print(
        f"features {encoder.channels} at strides {[stride[2] for stride in encoder.strides]}, {encoder.source.licence}"
    )

    scan = Volume.read(bundled_folder("SampleData") / "template.nii.gz").canonical(encoder.wanted.spacing_mm)
    image = torch.from_numpy(scan.array)
    labels = (image > 200).long()

    # the head begins with random weights, the same in each run
    torch.manual_seed(0)
    network = encoder.segmentation_head(classes=2)
    optimizer = torch.optim.AdamW(network.parameter_groups(1e-3))
    rng = np.random.default_rng(0)
    for step in range(1, steps + 1):
        parts = [
            tuple(slice(start, start + PATCH) for start in rng.integers(0, np.array(image.shape) - PATCH))
            for _ in range(BATCH)
        ]
        values = torch.stack([image[part] for part in parts])[:, None]
        truth = torch.stack([labels[part] for part in parts])
        loss = functional.cross_entropy(network(values), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: loss {loss.item():.3f}")

    # Your own encoder, to begin the next task with.
    encoder.save(output / "tuned.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
