"""Another file takes the place of the one that serves, if it is a good one for the same requests."""

import asyncio
import hashlib
import itertools
import logging
import shutil

import numpy as np
import pytest

for package in ("fastapi", "httpx", "onnxruntime"):
    pytest.importorskip(package)

USER = {"UserID": 99, "Seen": ["ad 3", "ad 1"], "Age": 2, "Hour": 13.5}
ROW = {"ItemID": "ad 1", "Genres": ["red"], "Price": 1.0}


@pytest.fixture(scope="module")
def other(light, tmp_path_factory):
    """A net for the same requests with other weights, and its file."""
    path = tmp_path_factory.mktemp("other") / "light.onnx"
    return light.write(path, seed=2), path


@pytest.fixture
def file(served, tmp_path):
    return shutil.copyfile(served[1], tmp_path / "light.onnx")


def replace(path, content):
    """Put a whole file there at once."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


def scores(service):
    answer = service.score(USER, [ROW])
    assert answer.status_code == 200
    return answer.json()["scores"]


def test_a_good_file_serves_from_the_next_request_on(light, other, file, make_service, caplog):
    service = make_service(file)
    before, first = scores(service), service.model.sha256
    replace(file, other[1].read_bytes())
    assert scores(service) == before
    with caplog.at_level(logging.INFO, "rocket_keras.service"):
        assert asyncio.run(service.model.swap())
    np.testing.assert_allclose(scores(service), light.expected(other[0], USER, [ROW]), rtol=1e-5)
    assert abs(scores(service)[0] - before[0]) > 1e-4
    assert service.ask("GET", "/readyz").json()["sha256"] == service.model.sha256 != first
    assert service.metric("swaps_total", outcome="accepted") == 1
    assert service.metric("model_info", name="light", sha256=service.model.sha256) == 1
    assert service.metric("model_info", name="light", sha256=first) is None
    assert service.metric("unseen_values_total", column="UserID") == 4  # of both nets
    assert [r.levelname for r in caplog.records] == ["INFO"]
    assert service.model.sha256[:12] in caplog.text


def test_a_request_under_way_is_answered_by_the_net_that_it_began_with(other, file, make_service):
    service = make_service(file)
    before = scores(service)
    replace(file, other[1].read_bytes())

    async def together():
        async with service.client() as client:
            content = {"user": USER, "candidates": [ROW]}
            early = [asyncio.create_task(client.post("/score", json=content)) for _ in range(5)]
            swapped = await service.model.swap()
            late = await client.post("/score", json=content)
            return swapped, [(await task).json()["scores"] for task in early], late.json()["scores"]

    swapped, early, late = asyncio.run(together())
    assert swapped
    assert all(one in (before, late) for one in early)
    assert late == scores(service) != before


def bad_files(light, folder):
    """Files that cannot take the place of a good one, and what is said of them."""
    good = folder / "good.onnx"
    light.write(good)
    content = good.read_bytes()
    yield content[:-100], "export it again"
    yield content.replace(b"ad 3", b"ad 9"), "the file was changed"
    yield b"", "export it again"
    encoder = light.with_side("context", "price")
    light.write(good, encoder=encoder)
    yield good.read_bytes(), "received others: ['Price'] changed; start a service of its own for it"
    fields = tuple(light.renamed(f, column="UserNumber") if f.name == "user" else f for f in light.FIELDS)
    light.write(good, encoder=light.Encoder(fields))
    yield good.read_bytes(), "received others: ['UserNumber'] added, ['UserID'] gone"
    fields = tuple(light.renamed(f, size=2) if f.name == "age" else f for f in light.FIELDS)
    light.write(good, encoder=light.Encoder(fields))
    yield good.read_bytes(), "received others: ['Age'] changed"


def test_a_bad_file_is_refused_and_the_old_one_goes_on(light, file, tmp_path, make_service, caplog):
    service = make_service(file)
    before, sha256 = scores(service), service.model.sha256
    for number, (content, told) in enumerate(bad_files(light, tmp_path), 1):
        replace(file, content)
        caplog.clear()
        assert not asyncio.run(service.model.swap())
        assert scores(service) == before
        assert service.model.sha256 == sha256
        assert service.metric("swaps_total", outcome="refused") == number
        (record,) = caplog.records
        assert told in record.getMessage()
        assert "\n" not in record.getMessage()
    file.unlink()
    assert not asyncio.run(service.model.swap())
    assert "received no such file" in caplog.text
    assert scores(service) == before


def test_a_net_with_another_vocabulary_is_taken(light, file, tmp_path, make_service):
    service = make_service(file)
    fields = tuple(light.renamed(f, values=tuple(reversed(f.values))) if f.name == "user" else f for f in light.FIELDS)
    light.write(tmp_path / "new.onnx", encoder=light.Encoder(fields))
    replace(file, (tmp_path / "new.onnx").read_bytes())
    assert asyncio.run(service.model.swap())


def changing(monkeypatch, changes):
    """Each time that ONNX Runtime is about to open a file, do the next of the changes; the opened files' numbers."""
    from rocket_keras.serving import scorer

    open_file, opened = scorer.onnx_session, []

    def run(path, threads):
        opened.append(len(opened))
        next(changes, lambda: None)()
        return open_file(path, threads)

    monkeypatch.setattr(scorer, "onnx_session", run)
    return opened


def test_a_file_that_is_replaced_while_it_is_opened_is_opened_again(
    served, light, other, file, make_service, monkeypatch
):
    service = make_service(file)
    replace(file, served[1].read_bytes())
    opened = changing(monkeypatch, iter([lambda: replace(file, other[1].read_bytes())]))
    assert asyncio.run(service.model.swap())
    assert len(opened) == 2
    np.testing.assert_allclose(scores(service), light.expected(other[0], USER, [ROW]), rtol=1e-5)
    assert service.model.sha256 == hashlib.sha256(other[1].read_bytes()).hexdigest()
    looks = iter(range(10))  # and not a third time, by the watch
    watched(service, lambda _: None, lambda: next(looks, None) is None)
    assert service.metric("swaps_total", outcome="accepted") == 1


def test_what_is_opened_is_what_was_checked(other, file, make_service, monkeypatch):
    service = make_service(file)
    before, sha256 = scores(service), service.model.sha256
    good, spoiled = file.read_bytes(), bytearray(other[1].read_bytes())
    spoiled[-200] ^= 1
    opened = changing(monkeypatch, iter([lambda: replace(file, bytes(spoiled))]))
    assert not asyncio.run(service.model.swap())
    assert len(opened) == 1
    assert (scores(service), service.model.sha256) == (before, sha256)
    replace(file, good)
    contents = itertools.cycle([other[1].read_bytes(), good])
    opened = changing(monkeypatch, iter(lambda: lambda: replace(file, next(contents)), None))
    assert not asyncio.run(service.model.swap())  # it never rests
    assert len(opened) == 3


def watched(service, change, until):
    """Watch the file, change it, and wait until something is so."""

    async def run():
        asked = asyncio.Event()
        watching = asyncio.create_task(service.model.watch(0.01, asked))
        try:
            change(asked)
            while not until():
                assert not watching.done()
                await asyncio.sleep(0.01)
        finally:
            watching.cancel()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_file_that_changes_is_noticed_and_tried_once(other, file, make_service):
    service = make_service(file)
    old, good = service.model.sha256, file.read_bytes()

    def outcome(name):
        return service.metric("swaps_total", outcome=name)

    watched(service, lambda _: replace(file, other[1].read_bytes()), lambda: service.model.sha256 != old)
    assert outcome("accepted") == 1
    watched(service, lambda _: replace(file, b"cut"), lambda: outcome("refused") == 1)
    looks = iter(range(20))
    watched(service, lambda _: None, lambda: next(looks, None) is None)
    assert (outcome("accepted"), outcome("refused")) == (1, 1)
    watched(service, lambda _: replace(file, good), lambda: service.model.sha256 == old)
    assert outcome("accepted") == 2


def test_a_file_is_opened_again_when_it_is_asked_for(file, make_service):
    service = make_service(file)
    watched(service, lambda asked: asked.set(), lambda: service.metric("swaps_total", outcome="accepted") == 1)


def test_a_file_that_is_gone_is_no_change(file, make_service):
    service = make_service(file)
    looks = iter(range(10))
    watched(service, lambda _: file.unlink(), lambda: next(looks, None) is None)
    assert service.metric("swaps_total", outcome="refused") == 0
