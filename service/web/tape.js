// The tape: what came over the wire, one row an event, newest last; breaks and resumes of the connection are rows too.

const most_rows = 500;
const utf8 = new TextEncoder();

function cell(name, text) {
  const node = document.createElement('span');
  node.className = name;
  node.textContent = text;
  return node;
}

// The id is opaque; only for the eye is its counting end set off from its beginning.
function id_cell(id) {
  const node = cell('id', '');
  const cut = id.lastIndexOf('-') + 1;
  node.append(cell('run', id.slice(0, cut)), id.slice(cut));
  return node;
}

function preview(type, value) {
  if (type === 'message' || type === 'reasoning') return JSON.stringify(value.delta);
  if (type === 'tool_call') return `${value.name ?? ''} ${value.arguments_delta ?? ''}`;
  if (type === 'start') return [value.model, value.provider].filter(Boolean).join(' · ');
  if (type === 'steer') return value.content;
  if (type === 'upstream') return value.reason;
  if (type === 'done') return [value.status, value.finish_reason, value.error?.code].filter(Boolean).join(' · ');
  return '';
}

export class Tape {
  #pending = [];

  constructor(list) {
    this.list = list;
  }

  event({ type, id, data }, value) {
    const row = document.createElement('li');
    row.className = `event ${type}`;
    row.append(id_cell(id), cell('type', type === 'message' ? 'text' : type), cell('bytes', String(utf8.encode(data).length)),
      cell('preview', preview(type, value)));
    row.title = data.length > 600 ? `${data.slice(0, 600)}…` : data;
    this.#add(row);
  }

  seam(kind, text) {
    const row = document.createElement('li');
    row.className = `seam ${kind}`;
    row.textContent = text;
    this.#add(row);
  }

  #add(row) {
    this.#pending.push(row);
    if (this.#pending.length > most_rows) this.#pending.shift();
  }

  clear() {
    this.#pending = [];
    this.list.replaceChildren();
  }

  // Called once a frame, however many events came in between.
  flush() {
    if (this.#pending.length === 0) return;
    const box = this.list.parentElement;
    const following = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    this.list.append(...this.#pending);
    this.#pending = [];
    while (this.list.childElementCount > most_rows) this.list.firstElementChild.remove();
    if (following) this.follow();
  }

  follow() {
    const box = this.list.parentElement;
    box.scrollTop = box.scrollHeight;
  }
}
