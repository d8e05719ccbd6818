// An HTTP server in the place of a model. A class derived from it says what it answers, in `answer(response, body, request)`, and
// what the relay must know of it, in `config()`.
import { createServer } from 'node:http';

export class ModelServer {
  async start() {
    this.server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (part) => { text += part; });
      request.on('end', () => this.answer(response, JSON.parse(text), request));
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  close() {
    this.server?.closeAllConnections();
    return new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve()));
  }
}

// An upstream in the relay's configuration; the demo model has no address.
export const upstream = (kind, name, models, base_url) => `[[upstream]]
name = "${name}"
kind = "${kind}"
${base_url ? `base_url = "${base_url}"\n` : ''}models = [${models.map((model) => `"${model}"`).join(', ')}]
`;
