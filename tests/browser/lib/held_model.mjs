// A Chat Completions server whose answers run until the test lets them end, so that no test races the end of a stream.
import { ModelServer, upstream } from './model_server.mjs';

const words = 'The tide comes in and the tide goes out, and the 🙂 keeper of Zürich writes it all down in 東京. '.match(/\S+\s/g);

export class HeldModel extends ModelServer {
  #running = new Map();  // prompt → answer

  answer(response, { messages }) {
    const prompt = messages.at(-1).content;
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
${upstream('demo', 'builtin', ['demo'])}${upstream('openai', 'held', ['held'], `${this.url}/v1`)}`;
  }
}
