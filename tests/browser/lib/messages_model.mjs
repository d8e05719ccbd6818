// An Anthropic Messages server that plays recorded streams and scripted failures, chosen by the model's name, and remembers
// what it was asked.
import { readFileSync } from 'node:fs';
import { ModelServer, upstream } from './model_server.mjs';

const fixture = (name) => readFileSync(new URL(`../../fixtures/anthropic-${name}.chunks.txt`, import.meta.url), 'utf8')
  .split('\n').filter(Boolean).map((line) => JSON.parse(line));

const failure = (type, message) => ({ type: 'error', error: { type, message }, request_id: 'req_up' });
const statuses = { overloaded: [529, 'overloaded_error'], bad: [400, 'invalid_request_error'], slow_down: [429, 'rate_limit_error'] };

// A long thought has one; it is handed on whole.
export const long_signature = 'Ev+/'.repeat(40000) + '==';

export class MessagesModel extends ModelServer {
  requests = [];  // {url, headers, body}
  closed = 0;     // answers that the relay cut

  answer(response, body, { url, headers }) {
    this.requests.push({ url, headers, body });
    const { model } = body;
    if (statuses[model]) {
      const [status, type] = statuses[model];
      const limits = status === 429 ? { 'Retry-After': '7', 'x-should-retry': 'false' } : {};
      response.writeHead(status, { 'Content-Type': 'application/json', ...limits });
      return response.end(JSON.stringify(failure(type, `the model is ${model}`)));
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const say = (event) => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    if (model === 'breaks') {
      fixture('text').slice(0, 6).forEach(say);
      say(failure('overloaded_error', 'Overloaded'));
      return response.end();
    }
    if (model === 'endless') {
      fixture('text').slice(0, 2).forEach(say);
      const timer = setInterval(() => say({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'on and ' } }), 20);
      response.on('close', () => {
        clearInterval(timer);
        this.closed += 1;
      });
      return undefined;
    }
    if (model === 'long-signature') {
      const event = fixture('thinking').find((one) => one.delta?.type === 'signature_delta');
      const pieces = long_signature.match(/.{1,50000}/g).map((signature) => ({ ...event, delta: { ...event.delta, signature } }));
      fixture('thinking').flatMap((one) => one.delta?.type === 'signature_delta' ? pieces : [one]).forEach(say);
      return response.end();
    }
    fixture(model).forEach(say);
    return response.end();
  }

  config() {
    const models = ['text', 'thinking', 'tool-use', 'long-signature', 'breaks', 'endless', ...Object.keys(statuses)];
    return `default_model = "text"
${upstream('demo', 'builtin', ['demo'])}${upstream('anthropic', 'messages', models, this.url)}`;
  }
}

// What the recordings say.
export const recorded = {
  text: "Hello! I'm doing well, thank you for asking. How are you doing today? Is there anything I can help you with?",
  thinking: 'The previous result was 925. Now I need to divide that by 5.\n\n925 ÷ 5 = 185',
  answer: '925 ÷ 5 = 185',
  signature: fixture('thinking').find((event) => event.delta?.type === 'signature_delta').delta.signature,
  tool: { id: 'toolu_019Zvehfe1XQWweT1pm7okyt', name: 'weather', input: { location: 'San Francisco' } },
};
