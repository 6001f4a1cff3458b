"""The list of commands and addresses that the owner of a workspace has named."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.workspace.trust import command_folder, distrust, list_named, trust


def test_many_who_name_something_at_once_lose_none(empty_workspace):
    commands = [f"echo {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda command: trust(empty_workspace, "command", command), commands))
        named = list_named(empty_workspace)
        assert sorted(named) == sorted(("command", text, str(Path.cwd())) for text in commands)
        list(pool.map(lambda text: distrust(empty_workspace, "command", text), commands[2:]))
    assert {value for _, value, _ in list_named(empty_workspace)} == {*commands[:2]}


def test_a_command_that_is_named_again_stays_where_it_was_named(
    empty_workspace, tmp_path, monkeypatch
):
    trust(empty_workspace, "command", "make alarm")
    first = Path.cwd()
    monkeypatch.chdir(tmp_path)
    trust(empty_workspace, "command", "make alarm")
    assert command_folder(empty_workspace, "make alarm") == first
    distrust(empty_workspace, "command", "never named")
    assert len(list_named(empty_workspace)) == 1
