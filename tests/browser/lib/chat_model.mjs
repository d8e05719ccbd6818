// A Chat Completions server that answers each prompt as its script says: `script(answer, body)`, where `answer` writes chunks by hand.
import { ModelServer, upstream } from './model_server.mjs';

export class ChatModel extends ModelServer {
  #scripts = new Map();  // the last user message's text → script
  requests = [];

  on(prompt, script) {
    this.#scripts.set(prompt, script);
    return prompt;
  }

  answer(response, body) {
    this.requests.push(body);
    const asked = body.messages.filter(({ role }) => role === 'user').at(-1).content;
    this.#scripts.get(asked)(new Answer(response), body);
  }

  config() {
    return `default_model = "m"
${upstream('openai', 'fake', ['m'], `${this.url}/v1`)}`;
  }
}

class Answer {
  constructor(response) {
    this.response = response;
    this.closed = new Promise((resolve) => response.on('close', resolve));
  }

  refuse(status, error, headers = {}) {
    this.response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    this.response.end(JSON.stringify({ error }));
  }

  data(value) {
    if (!this.response.headersSent) this.response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    this.response.write(`data: ${JSON.stringify(value)}\n\n`);
  }

  say(delta, finish_reason = null) {
    this.data({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] });
  }

  text(...parts) {
    for (const content of parts) this.say({ content });
    return this;
  }

  reason(...parts) {
    for (const reasoning_content of parts) this.say({ reasoning_content });
    return this;
  }

  call(index, piece, id, name) {
    this.say({ tool_calls: [{ index, ...(id && { id, type: 'function' }), function: { ...(name && { name }), arguments: piece } }] });
    return this;
  }

  end(finish_reason = 'stop', usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 }) {
    this.say({}, finish_reason);
    this.data({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage });
    this.response.end('data: [DONE]\n\n');
  }

  cut() {
    this.response.socket.destroy();
  }
}
