// Pictures of batches from the studio's own route. Two are asked for at a time, so that the studio
// need not wait for the page; meanwhile only the newest wish is kept, and an older answer never comes
// after a newer one. Where the hand has come to rest, its batch is asked for at once, and the studio
// gives up the older ones.

const KEPT_PIXELS = 6e6, RETRY_MS = 1500;
const pageName = () => (
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => (byte % 36).toString(36)).join('')
);

class PictureFeed {
  // show(picture): what is to be seen now; say(sentence): why nothing is.
  constructor(show, say) {
    [this.show, this.say, this.page] = [show, say, pageName()];
    [this.number, this.shown] = [0, 0];
    [this.kept, this.running] = [new Map(), new Set()];
    this.wish = null;
  }

  // Another run or another point: what is on its way is not shown any more.
  begin(run, point) {
    const key = `${run.name}\n${run.identity}\n${point}`;
    if (key === this.key) return;
    [this.key, this.run, this.point] = [key, run.name, point];
    this.shown = ++this.number;
    this.wish = null;
  }

  // rests: whether the hand has come to rest on this batch; size: pixels at most.
  want(batch, size, rests) {
    const known = this.recall(batch, size);
    this.wish = { batch, size, rests, number: ++this.number, asks: !known || rests };
    if (known) this.give(this.wish.number, known);
    this.pump();
  }

  // Fetch a picture that may be wanted soon, where nothing else is going on.
  async foresee(batch, size) {
    if (this.running.size || this.wish || this.recall(batch, size)) return;
    await this.fetch({ batch, size, number: 0, rests: false });
  }

  recall(batch, size) {
    return this.kept.get(`${this.key}\n${batch}\n${size}`);
  }

  keep(key, picture) {
    this.kept.delete(key);
    this.kept.set(key, picture);
    let pixels = 0;
    for (const [old, { bitmap }] of [...this.kept].reverse()) {
      pixels += bitmap.width * bitmap.height;
      if (pixels > KEPT_PIXELS && old !== key) this.kept.delete(old);
    }
  }

  give(number, picture) {
    if (number <= this.shown) return;
    this.shown = number;
    this.show(picture);
  }

  pump() {
    const { wish } = this, others = [...this.running];
    const same = wish && others.find((other) => (
      other === others.at(-1) && other.key === this.key && other.batch === wish.batch && other.size === wish.size
    ));
    if (same) {  // It is on its way already.
      same.number = wish.number;
      this.wish = null;
    }
    if (!this.wish || others.length > (wish.rests ? 2 : 1)) return;
    this.wish = null;
    if (wish.asks) this.fetch(wish);
  }

  async fetch(wish) {
    const key = wish.key = this.key;
    const query = new URLSearchParams({ run: this.run, batch: wish.batch, page: this.page, size: wish.size });
    if (this.point) query.set('point', this.point);
    if (wish.rests) query.set('rests', 'yes');
    this.running.add(wish);
    try {
      const answer = await fetch(`studio/timeline/picture?${query}`, { cache: 'no-cache' });
      if (answer.status === 204) return;  // A newer wish came before it.
      if (answer.ok) await this.take(answer, key, wish);
      else this.fail(wish, (await answer.json()).detail, answer.status === 503);
    } catch {
      this.fail(wish, 'The picture did not come. It is asked for again.', true);
    } finally {
      this.running.delete(wish);
      this.pump();
    }
  }

  async take(answer, key, wish) {
    const mark = answer.headers.get('etag'), kept = `${key}\n${wish.batch}\n${wish.size}`;
    const known = this.kept.get(kept);
    const picture = known?.mark === mark ? known : {
      mark,
      batch: Number(answer.headers.get('x-batch')),
      natural: (answer.headers.get('x-size') ?? '0 0').split(' ').map(Number),
      bitmap: await createImageBitmap(await answer.blob()),
    };
    this.keep(kept, picture);
    if (key === this.key && wish.number) this.give(wish.number, picture);
  }

  fail(wish, sentence, again) {
    if (!wish.number || wish.number <= this.shown) return;
    this.say(sentence ?? 'The picture did not come.');
    if (again) setTimeout(() => { if (!this.wish && wish.number === this.number) this.want(wish.batch, wish.size, true); }, RETRY_MS);
  }
}

// The small pictures along the axis; asked for again while some are lacking.
class ThumbnailFeed {
  // show({batches, sheet}); isSeen(): whether anybody looks.
  constructor(show, isSeen) {
    [this.show, this.isSeen, this.page] = [show, isSeen, pageName()];
  }

  async follow(run, point) {
    const asked = this.asked = {};
    const query = new URLSearchParams({ run, page: this.page });
    if (point) query.set('point', point);
    for (let tries = 0; asked === this.asked && tries < 300; tries++) {
      const lacking = await this.look(query, asked).catch(() => 1);
      if (!lacking) return;
      do await new Promise((go) => setTimeout(go, 1000)); while (asked === this.asked && !this.isSeen());
    }
  }

  async look(query, asked) {
    const answer = await fetch(`studio/timeline/thumbnails?${query}`, { cache: 'no-cache' });
    if (!answer.ok) return 0;
    const batches = (answer.headers.get('x-batches') ?? '').split(' ').filter(Boolean).map(Number);
    const sheet = await createImageBitmap(await answer.blob());
    if (asked === this.asked) this.show({ batches, sheet });
    return Number(answer.headers.get('x-lacking'));
  }
}
