import asyncio
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

made_up = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "serving" / "made_up_light.py")))
LIMITS = {"deadline_ms": 60_000, "max_candidates": 100, "max_body_bytes": 100_000}


class Service:
    """An application without a network: one request after the other."""

    def __init__(self, path, **limits):
        # Here, because the packages may be missing where other tests run.
        from rocket_keras import Scorer
        from rocket_keras.service import Limits, ServedModel, build_app
        from rocket_keras.service.metrics import Metrics

        limits = Limits(**{**LIMITS, **limits})
        self.model = ServedModel(
            path, lambda file: Scorer(file, max_candidates=limits.max_candidates, number_texts=False), Metrics()
        )
        self.app = build_app(self.model, limits)

    def client(self):
        import httpx

        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service")

    def ask(self, method, path, **content):
        async def asked():
            async with self.client() as client:
                return await client.request(method, path, **content)

        return asyncio.run(asked())

    def score(self, user, candidates):
        return self.ask("POST", "/score", json={"user": user, "candidates": candidates})

    def metric(self, name, /, **labels):
        return self.model.metrics.registry.get_sample_value(f"rocket_keras_{name}", labels)


@pytest.fixture(scope="session")
def light():
    """The module made_up_light."""
    return made_up


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A net and its file."""
    path = tmp_path_factory.mktemp("served") / "light.onnx"
    return made_up.write(path), path


@pytest.fixture(scope="session")
def impression(tmp_path_factory):
    """The file of a net with columns of the impression, which the user or the candidates may have."""
    path = tmp_path_factory.mktemp("impression") / "light.onnx"
    made_up.write(path, encoder=made_up.with_side("context", "age", "price"), once=("user", "history"))
    return path


@pytest.fixture
def make_service():
    """The class of a service: `make_service(path, deadline_ms=..., ...)`."""
    return Service


@pytest.fixture
def service(served):
    return Service(served[1])
