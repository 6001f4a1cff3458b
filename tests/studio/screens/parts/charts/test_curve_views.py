"""A run has the curves of its recipe, told by what it wrote down."""

from studio.screens.parts.charts.curve_views import VIEWS, known_views, views_of
from studio.screens.parts.charts.curves import show_choices, show_curves

TIMES = {"data_s": 0.1, "checkpoint_s": 0.1, "frames_s": 0.2, "seconds": 1.0}
SPEED = {"pictures_per_s": 9.0, "memory_bytes": 5e8}


def entries(**metrics):
    return [{"batch": batch, **TIMES, **SPEED, **metrics} for batch in range(1, 6)]


def test_a_run_of_two_networks_has_the_views_that_it_always_had():
    metrics = entries(d_real=1.0, d_fake=0.5, g=2.0, d_s=0.2, g_s=0.3, learning_rate_g=1e-4)
    assert list(views_of(metrics)) == list(VIEWS)
    assert views_of(metrics)["time"].series == VIEWS["time"].series


def test_a_run_that_enlarges_has_its_own_losses_and_scores_and_no_views_of_d():
    metrics = entries(l1=0.1, fft=2.0, psnr=26.0, psnr_bicubic=25.0, g_s=0.5, g_grad_norm=1.0)
    views = views_of(metrics)
    assert [title for _, title, _ in views["losses"].series] == ["Pixels", "Spectra"]
    assert [name for name, *_ in views["psnr"].series] == ["psnr", "psnr_bicubic"]
    assert not {"discriminator", "distance", "ssim", "others"} & views.keys()
    assert "d_s" not in {name for name, *_ in views["time"].series}
    assert "Bicubic (dB)" in show_curves(metrics, [], "psnr", False)
    assert "waiting for data" in show_curves(metrics, [], "time", False)
    assert "Discriminator" not in show_choices("losses", False, views=views)


def test_metrics_phases_and_rates_that_nobody_announced_are_drawn_all_the_same():
    metrics = entries(fog=0.3, lower_s=0.2, learning_rate_lower=0.1, learning_rate_upper=0.2)
    views = views_of(metrics)
    assert views["others"].series == (("fog", "fog", "--accent"),)
    assert ("lower_s", "lower", "--accent") in views["time"].series
    assert [title for _, title, _ in views["rates"].series] == ["lower", "upper"]
    assert "fog" in show_curves(metrics, [], "others", False)


def test_a_view_that_a_run_does_not_have_gives_way_to_its_first():
    metrics = entries(d_real=1.0, d_fake=0.5, g=2.0)
    assert show_curves(metrics, [], "psnr", False) == show_curves(metrics, [], "losses", False)
    assert {"losses", "psnr", "ssim", "others"} <= set(known_views())


def test_rejected_updates_are_a_curve_of_the_runs_that_count_them_whatever_their_recipe():
    for losses in ({"d_real": 1.0, "d_fake": 0.5, "g": 2.0}, {"l1": 0.1, "fft": 2.0}):
        views = views_of(entries(**losses, rejected_updates=3))
        assert "others" not in views
        assert "Updates left out so far" in show_curves(
            entries(**losses, rejected_updates=3), [], "rejected", False
        )
        assert "rejected" not in views_of(entries(**losses))
    assert "rejected" in known_views()
