import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.easing import EASINGS, count_frames, time_frames
from latent.errors import LatentError


@pytest.mark.parametrize("easing", ["linear", "smooth"])
@pytest.mark.parametrize("loop", [False, True])
def test_every_stop_has_a_frame_of_its_own_at_the_counted_frames(easing, loop):
    position = time_frames(4, count_frames(4, 25, loop), loop, easing)
    assert position[::25].tolist() == [0, 1, 2, 3]
    assert len(position) == (100 if loop else 76)


@pytest.mark.parametrize("easing", EASINGS)
@pytest.mark.parametrize("loop", [False, True])
def test_frames_never_stand_or_go_back_and_a_loop_goes_on_into_its_beginning(easing, loop):
    position = time_frames(4, 90, loop, easing)
    assert (position.diff() > 0).all()
    assert position[0] == 0
    assert position[-1] == 3 or (loop and 3.9 < position[-1] < 4)


def test_linear_keeps_one_pace_and_a_loop_ends_a_step_before_its_beginning():
    assert time_frames(3, 5).tolist() == [0, 0.5, 1, 1.5, 2]
    assert time_frames(2, 4, loop=True).tolist() == [0, 0.5, 1, 1.5]


def test_smooth_slows_down_at_every_stop_and_ends_only_at_the_outer_two():
    smooth, ends = (time_frames(3, 201, easing=name).diff() for name in ("smooth", "ends"))
    slow = 0.002
    assert all(smooth[i] < slow for i in (0, 99, 100, 199))
    assert smooth[50] > 5 * slow
    assert ends[0] < slow > ends[199]
    assert ends[99] > 5 * slow
    assert ends.argmax() in (99, 100)


def test_what_cannot_be_timed_is_told():
    with pytest.raises(LatentError, match="at least two latent points, not 1"):
        time_frames(1, 10)
    with pytest.raises(LatentError, match="2 frames are too few to visit 3 points"):
        time_frames(3, 2)
    with pytest.raises(LatentError, match=r"no easing 'bouncy'\. Known: linear, smooth, ends"):
        time_frames(3, 9, easing="bouncy")


@given(
    num_points=st.integers(2, 20),
    spare=st.integers(0, 100),
    loop=st.booleans(),
    easing=st.sampled_from(EASINGS),
)
def test_frames_go_forwards_from_the_first_stop_to_the_last(num_points, spare, loop, easing):
    position = time_frames(num_points, num_points + spare, loop, easing)
    assert len(position) == num_points + spare
    assert position[0] == 0
    assert (position.diff() >= 0).all()
    if loop:
        assert num_points - 1 <= position[-1] + 1e-9 < num_points + 1e-9
    else:
        assert position[-1] == pytest.approx(num_points - 1)


@given(st.integers(2, 20), st.integers(1, 60), st.booleans())
def test_counted_frames_give_every_stop_a_frame(num_points, frames_per_segment, loop):
    position = time_frames(num_points, count_frames(num_points, frames_per_segment, loop), loop)
    stops = position[::frames_per_segment]
    assert stops.tolist() == pytest.approx(list(range(num_points)))
