// Model text on the page: paragraphs, headings, lists, code fences, inline code and bold; links stay text. Only textContent is ever
// set, so nothing a model writes can become markup. While a stream runs only its last block is built again.

const fence = /^\s{0,3}(```+|~~~+)\s*([\w+#.-]*)/;
const heading = /^(#{1,4})\s+(.*)$/;
const item = /^\s{0,3}(?:[-*•]|(\d{1,9})[.)])\s+(.*)$/;

// Splits text into blocks {kind, start, …}; `start` is where the block begins, so that reading can go on from there.
export function split_blocks(text, from = 0) {
  const blocks = [];
  let open = null;
  let at = from;
  for (const line of text.slice(from).split('\n')) {
    open = add_line(blocks, open, line, at);
    at += line.length + 1;
  }
  return blocks;
}

function add_line(blocks, open, line, at) {
  const begin = (block) => {
    blocks.push({ start: at, ...block });
    return blocks.at(-1);
  };
  if (open?.kind === 'code') {
    if (line.trimStart().startsWith(open.mark) && line.trim() === open.mark) return null;
    open.lines.push(line);
    return open;
  }
  const fenced = fence.exec(line);
  if (fenced) return begin({ kind: 'code', mark: fenced[1], language: fenced[2], lines: [] });
  if (line.trim() === '') return null;
  const headed = heading.exec(line);
  if (headed) {
    begin({ kind: 'heading', level: headed[1].length, lines: [headed[2]] });
    return null;
  }
  const listed = item.exec(line);
  if (listed) {
    const kind = listed[1] ? 'ordered' : 'bullets';
    const list = open?.kind === kind ? open : begin({ kind, first: Number(listed[1] ?? 1), lines: [] });
    list.lines.push(listed[2]);
    return list;
  }
  if (open?.kind === 'ordered' || open?.kind === 'bullets') {
    open.lines[open.lines.length - 1] += `\n${line.trim()}`;
    return open;
  }
  const paragraph = open ?? begin({ kind: 'paragraph', lines: [] });
  paragraph.lines.push(line);
  return paragraph;
}

function element(name, text = '') {
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}

function append_inline(node, text) {
  for (const part of text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/)) {
    if (part.length > 2 && part.startsWith('`') && part.endsWith('`')) node.append(element('code', part.slice(1, -1)));
    else if (part.length > 4 && part.startsWith('**') && part.endsWith('**')) node.append(element('strong', part.slice(2, -2)));
    else if (part) node.append(part);
  }
  return node;
}

function build(block) {
  switch (block.kind) {
    case 'code': {
      const pre = element('pre');
      pre.tabIndex = 0;
      if (block.language) pre.dataset.language = block.language;
      pre.append(element('code', block.lines.join('\n')));
      return pre;
    }
    case 'heading': return append_inline(element(`h${block.level + 2}`), block.lines[0]);
    case 'bullets':
    case 'ordered': {
      const list = element(block.kind === 'ordered' ? 'ol' : 'ul');
      if (block.kind === 'ordered') list.start = block.first;
      for (const line of block.lines) list.append(append_inline(element('li'), line));
      return list;
    }
    default: return append_inline(element('p'), block.lines.join('\n'));
  }
}

export class TextView {
  #starts = [];
  #text = '';
  #raw = false;

  constructor(root) {
    this.root = root;
  }

  set raw(raw) {
    this.#raw = raw;
    const text = this.#text;
    this.clear();
    this.show(text);
  }

  clear() {
    this.#starts = [];
    this.#text = '';
    this.root.replaceChildren();
  }

  show(text) {
    if (text === this.#text) return;
    if (!text.startsWith(this.#text)) this.clear();
    const added = text.slice(this.#text.length);
    this.#text = text;
    if (this.#raw) this.#append_raw(added);
    else this.#rebuild_tail();
  }

  #append_raw(added) {
    const pre = this.root.firstChild ?? this.root.appendChild(element('pre'));
    pre.className = 'raw';
    pre.append(added);
  }

  #rebuild_tail() {
    const from = this.#starts.pop() ?? 0;
    if (this.root.lastChild) this.root.lastChild.remove();
    for (const block of split_blocks(this.#text, from)) {
      this.#starts.push(block.start);
      this.root.append(build(block));
    }
  }
}
