// The pictures of a batch, large; beside them those of another one, up to an edge that can be moved.

class Stage {
  // act(action, values): what was pressed.
  constructor(root, act) {
    [this.root, this.act] = [root, act];
    this.place = root.querySelector('.timeline-stage');
    [this.now, this.beside] = ['.timeline-now', '.timeline-beside'].map((name) => root.querySelector(name));
    this.cells = root.querySelector('.timeline-cells');
    this.edge = root.querySelector('.timeline-edge');
    this.wipe = root.querySelector('.timeline-wipe');
    this.corners = [...root.querySelectorAll('.timeline-corner')];
    this.wipe.querySelector('input').addEventListener('input', (event) => this.moveEdge(event.target.value));
    this.cells.addEventListener('click', (event) => {
      const cell = event.target.closest('button');
      if (cell && !cell.disabled) this.act('star', { label: cell.dataset.label, starred: cell.getAttribute('aria-pressed') });
    });
    this.edge.addEventListener('pointerdown', (event) => this.edge.setPointerCapture(event.pointerId));
    this.edge.addEventListener('pointermove', (event) => {
      if (!this.edge.hasPointerCapture(event.pointerId)) return;
      const box = this.place.getBoundingClientRect();
      this.moveEdge(Math.min(100, Math.max(0, (event.clientX - box.left) / box.width * 100)));
    });
    this.moveEdge(50);
  }

  // Pixels along the longer side that the screen can show.
  get pixels() {
    return Math.max(this.place.clientWidth, 1) * (devicePixelRatio || 1);
  }

  moveEdge(at) {
    this.wipe.querySelector('input').value = at;
    this.root.style.setProperty('--wipe', `${at}%`);
  }

  show(picture) {
    this.paint(this.now, picture);
    const { dataset } = this.place;
    dataset.batch = picture.batch;
    dataset.pictures = 1 + Number(dataset.pictures ?? 0);
    this.now.setAttribute('aria-label', `The pictures of batch ${picture.batch.toLocaleString('en')}`);
    this.corners[1].textContent = `B ${picture.batch.toLocaleString('en')}`;
  }

  // null: nothing lies beside.
  showBeside(picture) {
    for (const part of [this.beside, this.edge, this.wipe, ...this.corners]) part.hidden = !picture;
    this.place.dataset.beside = picture?.batch ?? '';
    if (!picture) return;
    this.paint(this.beside, picture);
    this.corners[0].textContent = `A ${picture.batch.toLocaleString('en')}`;
  }

  paint(canvas, { bitmap }) {
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      this.place.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
    }
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
  }

  // A button over each picture. They stay as long as the same points are shown.
  layOut(labels, starred, canStar) {
    const key = labels.join(' ');
    if (this.cells.dataset.labels !== key) {
      this.cells.dataset.labels = key;
      this.cells.style.setProperty('--columns', Math.ceil(Math.sqrt(labels.length)));
      this.cells.replaceChildren(...labels.map((label) => {
        const cell = document.createElement('button');
        [cell.type, cell.className] = ['button', 'timeline-cell'];
        Object.assign(cell.dataset, { label, city: label });
        return cell;
      }));
    }
    const stars = new Set(starred);
    for (const cell of this.cells.children) {
      const { label } = cell.dataset, isStarred = stars.has(label);
      cell.disabled = !canStar;
      cell.setAttribute('aria-pressed', String(isStarred));
      cell.setAttribute('aria-label', canStar ? `Star city ${label}` : `City ${label}`);
      cell.title = canStar ? `City ${label}: ${isStarred ? 'a specimen with a star' : 'press to star it'}; the right button opens its menu` : `City ${label}`;
      cell.textContent = isStarred ? '★' : '☆';
    }
  }
}
