// The pictures of an atlas' points, from sheets that are fetched when somebody looks there.

const PER_ROW = 32, PER_SHEET = 1024, SHEETS_KEPT = 12;

class Sprites {
  // sheets: addresses; size: width and height of a picture; loaded: called when another is there.
  constructor(sheets, size, loaded) {
    [this.sheets, this.size, this.loaded] = [sheets, size, loaded];
    this.found = new Map();
  }

  // Whether the picture of a slot is there; where it is not, its sheet is sent for.
  has(slot) {
    return Boolean(this.sheet(Math.floor(slot / PER_SHEET)));
  }

  // Draw the picture of a slot into a square; false while its sheet is on its way.
  draw(context, slot, x, y, size) {
    const sheet = this.sheet(Math.floor(slot / PER_SHEET));
    if (!sheet) return false;
    const at = slot % PER_SHEET, [column, row] = [at % PER_ROW, Math.floor(at / PER_ROW)];
    context.drawImage(
      sheet, column * this.size, row * this.size, this.size, this.size, x, y, size, size,
    );
    return true;
  }

  sheet(number) {
    if (!this.sheets[number]) return null;
    if (!this.found.has(number)) this.fetch(number);
    const sheet = this.found.get(number);
    this.found.delete(number);  // What was asked for last goes last.
    this.found.set(number, sheet);
    return sheet;
  }

  async fetch(number) {
    this.found.set(number, null);
    const oldest = [...this.found.entries()].find(([, sheet]) => sheet)?.[0];
    if (this.found.size > SHEETS_KEPT && oldest !== undefined) this.found.delete(oldest);
    try {
      const answer = await fetch(this.sheets[number]);
      if (!answer.ok) throw new Error(`${answer.status} for sheet ${number}`);
      const sheet = await createImageBitmap(await answer.blob());
      if (this.found.has(number)) this.found.set(number, sheet);
      this.loaded();
    } catch (error) {
      // A sheet that did not come is asked for again when somebody looks there a little later.
      setTimeout(() => this.found.delete(number), 5000);
      console.warn('Pictures of the atlas could not be fetched:', error.message);
    }
  }
}

// Choose points whose pictures do not cover each other, those that matter most first.
// candidates: [[i, x, y], ...]; gap: how far apart two of them are at least, in either direction.
function spread(candidates, gap, most) {
  const taken = new Map(), chosen = [];
  for (const [i, x, y] of candidates) {
    const [column, row] = [Math.floor(x / gap), Math.floor(y / gap)];
    let free = true;
    for (let r = row - 1; r <= row + 1 && free; r++) {
      for (let c = column - 1; c <= column + 1 && free; c++) {
        const other = taken.get(r * 65536 + c);
        free = !other || Math.abs(other[1] - x) >= gap || Math.abs(other[2] - y) >= gap;
      }
    }
    if (!free) continue;
    taken.set(row * 65536 + column, [i, x, y]);
    chosen.push([i, x, y]);
    if (chosen.length >= most) break;
  }
  return chosen;
}
