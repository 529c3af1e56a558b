"""Where the engine computes: its tests run on the CPU, and once more on a GPU where there is one."""

import pytest
import torch

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def device(request):
    """Where models are put that are made while it is in use, by `load_backbone` too."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "cpu":
            patch.setattr(torch.cuda, "device_count", lambda: 0)
        yield torch.device(request.param)


@pytest.fixture(scope="module")
def slack(device):
    """How much wider tolerances of float32 results are than on the CPU that they were found on.

    On a GPU the results are compared with those of the library on a CPU, or with those of batches of another size. The
    sums of a product come in the order of the tiles of the kernel that cuBLAS chose for its shape, and cuDNN may
    convolve by Winograd's or a Fourier transform, whose rounding errors are several times those of a direct sum.
    """
    return 1.0 if device.type == "cpu" else 5.0
