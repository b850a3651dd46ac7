"""The embedding network, its TorchScript bundle and the choice of device."""
