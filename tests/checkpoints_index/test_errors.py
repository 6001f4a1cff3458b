import pytest

from checkpoints_index.errors import name_some


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["1"], "1"),
        (["1", "3"], "1, 3"),
        (["1", "3", "4"], "1, 3 and 1 more"),
        ([str(n) for n in range(1202)], "0, 1 and 1,200 more"),
    ],
)
def test_a_few_of_many_are_named_and_the_others_counted(names, said):
    assert name_some(names, 2) == said
