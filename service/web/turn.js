// One turn on the screen: the prompt, the answer as it grows, and a line under it that says how it ended.

import { copy } from './plain_http.js';
import { TextView } from './text.js';

const endings = {
  completed: 'Complete',
  cancelled: 'Stopped',
  failed: 'Failed',
  interrupted: 'Interrupted: the relay stopped while this was being written. Everything up to here is kept.',
};

function make(parent, name, className, text = '') {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  parent.append(node);
  return node;
}

function button(parent, text, action) {
  const node = make(parent, 'button', 'quiet', text);
  node.type = 'button';
  node.addEventListener('click', () => action(node));
  return node;
}

const count = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;

function show_usage(usage) {
  if (!usage || usage.source === 'unknown') return '';
  const tokens = `${(usage.input_tokens ?? 0).toLocaleString('en')} in, ${count(usage.output_tokens ?? 0, 'token')} out`;
  return usage.source === 'estimated' ? `about ${tokens}` : tokens;
}

export class TurnView {
  constructor(parent, answer) {
    this.answer = answer;
    this.root = make(parent, 'article', 'turn');
    if (answer.prompt !== null) make(this.root, 'p', 'prompt', answer.prompt);
    this.reasoning = make(this.root, 'details', 'reasoning');
    this.reasoning.hidden = true;
    make(this.reasoning, 'summary', '', 'Reasoning');
    this.reasoning_view = new TextView(make(this.reasoning, 'div', 'text'));
    this.body = make(this.root, 'div', 'body');
    this.parts = [];  // TextView, one an answer; a steer stands before each but the first
    this.tools = make(this.root, 'div', 'tools');
    this.waiting = make(this.root, 'p', 'waiting', 'Waiting for the first token');
    this.foot = make(this.root, 'footer', 'foot');
    this.status = make(this.foot, 'span', 'ending');
    this.detail = make(this.foot, 'span', 'detail');
    this.actions = make(this.foot, 'span', 'actions');
    button(this.actions, 'Copy', (node) => this.#copy(node));
    button(this.actions, 'Plain text', (node) => this.#toggle_raw(node));
    this.raw = false;
    this.explained = false;
    this.update();
  }

  async #copy(node) {
    const worked = await copy(this.answer.text);
    node.textContent = worked ? 'Copied' : 'Not allowed';
    setTimeout(() => { node.textContent = 'Copy'; }, 1500);
  }

  #toggle_raw(node) {
    this.raw = !this.raw;
    for (const part of this.parts) part.raw = this.raw;
    node.textContent = this.raw ? 'Formatted' : 'Plain text';
  }

  update() {
    if (this.explained) return;
    const { answer } = this;
    this.root.dataset.status = answer.status;
    this.#show_parts();
    this.reasoning.hidden = answer.reasoning === '';
    this.reasoning_view.show(answer.reasoning);
    this.#show_tools();
    this.waiting.hidden = answer.ended || answer.text !== '' || answer.tool_calls.length > 0;
    this.waiting.textContent = answer.reasoning ? 'Thinking' : 'Waiting for the first token';
    this.foot.hidden = !answer.ended;
    if (answer.ended) this.#show_end();
  }

  #show_parts() {
    const texts = this.answer.parts();
    if (this.parts.length > texts.length) {
      this.parts = [];
      this.body.replaceChildren();
    }
    texts.forEach((text, at) => {
      if (!this.parts[at]) {
        if (at > 0) make(this.body, 'p', 'prompt steer', this.answer.steers[at - 1].content);
        this.parts[at] = new TextView(make(this.body, 'div', 'text answer'));
        this.parts[at].raw = this.raw;
      }
      this.parts[at].show(text);
    });
  }

  #show_tools() {
    this.answer.tool_calls.forEach((call, at) => {
      let box = this.tools.children[at];
      if (!box) {
        box = make(this.tools, 'div', 'tool');
        make(box, 'span', 'tool-name');
        make(box, 'code', 'tool-arguments');
      }
      box.children[0].textContent = call.name || 'tool';
      box.children[1].textContent = call.arguments;
    });
    while (this.tools.childElementCount > this.answer.tool_calls.length) this.tools.lastElementChild.remove();
  }

  #show_end() {
    const { answer } = this;
    const error = answer.error ? ` (${answer.error.code})` : '';
    this.status.textContent = (endings[answer.status] ?? answer.status) + error;
    const unusual = answer.finish_reason && answer.finish_reason !== 'stop' ? `finish: ${answer.finish_reason}` : '';
    const again = answer.connections > 1 ? `read over ${count(answer.connections, 'connection')}` : '';
    this.detail.textContent = [answer.error?.message, unusual, show_usage(answer.usage), again, ...answer.notes]
      .filter(Boolean).join(' · ');
  }

  // Something to say in place of an answer: the relay no longer has it, or never took the prompt.
  explain(text, retry) {
    this.explained = true;
    this.waiting.hidden = true;
    this.foot.hidden = false;
    this.root.dataset.status = 'failed';
    this.actions.hidden = this.answer.text === '';
    this.status.textContent = text;
    this.detail.textContent = '';
    if (retry) button(this.foot, 'Try again', retry);
  }
}
