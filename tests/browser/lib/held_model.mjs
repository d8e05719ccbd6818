// A Chat Completions server whose answers run until the test lets them end, so that no test races the end of a stream.
import { createServer } from 'node:http';

const words = 'The tide comes in and the tide goes out, and the 🙂 keeper of Zürich writes it all down in 東京. '.match(/\S+\s/g);

export class HeldModel {
  #running = new Map();  // prompt → answer

  async start() {
    this.server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => { body += part; });
      request.on('end', () => this.#answer(JSON.parse(body).messages.at(-1).content, response));
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
    return this;
  }

  #answer(prompt, response) {
    let count = 0;
    const say = (delta, finish_reason = null) => response.write(
      `data: ${JSON.stringify({ id: 'held', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const timer = setInterval(() => say({ content: words[count++ % words.length] }), 25);
    response.on('close', () => clearInterval(timer));
    this.#running.set(prompt, () => {
      clearInterval(timer);
      say({}, 'stop');
      response.end('data: [DONE]\n\n');
    });
  }

  // Ends the answer to this prompt.
  finish(prompt) {
    this.#running.get(prompt)();
    this.#running.delete(prompt);
  }

  config() {
    return `default_model = "demo"
[[upstream]]
name = "builtin"
kind = "demo"
models = ["demo"]
[[upstream]]
name = "held"
kind = "openai"
base_url = "${this.url}"
models = ["held"]
`;
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
