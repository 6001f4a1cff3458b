"""A stamp changes when something has changed that a page shows, and only then."""

import subprocess
import sys

from studio.screens.parts.browser.news import WorkspaceNews
from studio.workspace.jobs import insert_job, set_process


def test_a_stamp_stays_the_same_while_nothing_changes(workspace):
    news = WorkspaceNews(workspace)
    assert news.stamp("city") == news.stamp("city") == WorkspaceNews(workspace).stamp("city")
    assert news.stamp("city") != news.stamp(None)


def test_whatever_a_page_shows_changes_the_stamp(workspace):
    news, seen = WorkspaceNews(workspace), set()
    seen.add(news.stamp("city"))
    for number, change in enumerate(
        (
            lambda: workspace.metrics("city").write_text("{}\n"),
            lambda: workspace.preview("city").write_bytes(b"other"),
            lambda: insert_job(workspace, "train", {}, ["train"], "city"),
            lambda: (workspace.renders / "city-sheet-0a").mkdir(),
            lambda: (workspace.renders / "city-sheet-0a" / "city-sheet.png").touch(),
            lambda: (workspace.runs / "other").mkdir(),
        ),
        2,
    ):
        change()
        seen.add(news.stamp("city"))
        assert len(seen) == number


def test_a_job_whose_process_is_gone_is_news(workspace):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    set_process(workspace, insert_job(workspace, "train", {}, ["train"], "city"), process.pid)
    news = WorkspaceNews(workspace)
    before = news.stamp("city")
    assert news.stamp("city") == before
    process.kill()
    process.wait()
    assert news.stamp("city") != before


def test_the_more_pages_are_open_the_less_often_each_hears_of_what_works(workspace, monkeypatch):
    now, pages = [0.0], [20]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    news = WorkspaceNews(workspace, lambda: pages[0])
    stamps = []
    for number in range(41):  # Something changes every second.
        now[0] = float(number)
        workspace.metrics("city").write_text("{}\n" * number)
        stamps.append(news.stamp("city"))
    assert stamps[19] == stamps[0] != stamps[20] == stamps[39] != stamps[40]
    pages[0] = 2
    workspace.metrics("city").write_text("")
    assert news.stamp("city") != stamps[40]
