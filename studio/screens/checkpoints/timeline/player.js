// Plays along the kept checkpoints: the clock says where one is, however long a picture takes.

const SPEEDS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500], WHOLE_S = 25;

class Player {
  // step(place): go to a place in the list of kept batches; ended(): it stopped by itself.
  constructor(step, ended, isSeen) {
    [this.step, this.ended, this.isSeen] = [step, ended, isSeen];
    [this.frame, this.speed] = [0, 10];
  }

  get playing() {
    return this.frame !== 0;
  }

  // The speed at which a whole run takes a while that one likes to watch.
  static fitting(count) {
    return SPEEDS.reduce((best, speed) => (
      Math.abs(Math.log(count / speed / WHOLE_S)) < Math.abs(Math.log(count / best / WHOLE_S)) ? speed : best
    ));
  }

  // from, first, last: places in the list.
  play(from, first, last) {
    this.stop();
    let at = from >= last || from < first ? first : from, before = performance.now();
    const tick = (now) => {
      if (!this.isSeen()) {
        this.stop();
        this.ended();
        return;
      }
      at = Math.min(last, at + Math.max(0, now - before) / 1000 * this.speed);
      before = now;
      this.step(Math.floor(at + 1e-6));
      if (at < last) {
        this.frame = requestAnimationFrame(tick);
      } else {
        this.frame = 0;
        this.ended();
      }
    };
    this.frame = requestAnimationFrame(tick);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }
}
