"""The analysis process draws a slide once the result is announced; what goes wrong there harms nothing."""

import io
import json
import sys

import pytest
from matplotlib.image import imread

from streamer.serve import analysis_worker


@pytest.fixture
def said(monkeypatch):
    events = []
    monkeypatch.setattr(analysis_worker, "say", lambda event, **fields: events.append((event, fields)))
    return events


def serve_jobs(monkeypatch, outs, analysed):
    """Run the worker's loop on jobs with these results; `analysed` stands for the analysis."""
    asked = [{"job": n, "source": "scan.h5", "out": out, "scales": None} for n, out in enumerate(outs)]
    lines = "".join(json.dumps(job) + "\n" for job in asked)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    monkeypatch.setattr(analysis_worker, "warm_kernels", lambda: None)
    monkeypatch.setattr(analysis_worker, "run_job", analysed)
    analysis_worker.main()


def test_jobs_that_wait_come_before_slides_and_every_slide_is_drawn(said, monkeypatch, written_result):
    drawn = []
    monkeypatch.setattr(analysis_worker, "draw_slide", lambda result: drawn.append((result, len(ran))))
    ran = []

    def analysed(job):
        ran.append(job.asked["out"])
        return None if ran[-1] == "failed" else ran[-1]

    serve_jobs(monkeypatch, ["a", "failed", "b"], analysed)
    assert ran == ["a", "failed", "b"]
    assert [result for result, _ in drawn] == ["a", "b"]


def test_a_slide_that_cannot_be_drawn_is_said_and_the_result_is_as_it_was(said, monkeypatch, written_result):
    before = written_result.path.read_bytes()

    def refuse(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr("streamer.export.slide.slide", refuse)
    analysis_worker.draw_slide(written_result)
    ((event, fields),) = said
    assert event == "slide_failed"
    assert "MemoryError: no room. The result is whole." in fields["error"]
    assert written_result.path.read_bytes() == before
    assert not list(written_result.path.parent.glob("*.slide.png*"))


def test_a_slide_lies_beside_the_result_and_replaces_nothing(said, written_result, monkeypatch):
    path = written_result.path.with_name("scan.slide.png")
    try:
        analysis_worker.draw_slide(written_result)
        assert said == [("slide", {"path": str(path)})]
        assert imread(path).shape[:2] == (1080, 1920)
        before = path.read_bytes()
        monkeypatch.setattr(
            "streamer.export.slide.save_figure", lambda figure, part, *_: part.write_text("new")
        )
        analysis_worker.draw_slide(written_result)
        assert said[-1][0] == "slide_failed"
        assert path.read_bytes() == before
        assert not list(path.parent.glob("*.part"))
    finally:
        path.unlink(missing_ok=True)
