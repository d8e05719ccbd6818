// A small relay in memory, close enough to the contract to show the page cases that the demo model has no cause to produce:
// reasoning, tool calls, failures, a retry. Run it by hand to work on the page: `node lib/mock_relay.mjs 8081`.
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../../service/web/', import.meta.url));
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
const policy = readFileSync(`${web}assets.h`, 'utf8').match(/content_security_policy =\s*((?:"[^"]*"\s*)+);/)[1].replace(/"\s*"|^"|"\s*$/g, '');

// What each model streams: [event type, data] pairs; the text comes word by word.
const words = (text) => text.match(/\s*\S+\s*/g).map((delta) => ['message', { delta }]);
const usage = { input_tokens: 12, output_tokens: 148, source: 'provider' };
const completed = ['done', { status: 'completed', finish_reason: 'stop', usage }];
const sample = `Every token you see here was **written to a log first**, and only then sent to you.

## What happens when the line breaks

1. Your browser remembers the id of the last event it handled.
2. The relay goes on reading the model; nobody has to be listening.
3. When you come back, it replays what came after that id, and not one event more.

So the cursor is \`<run>-<seq>\`, and the verdict says which case you are in:

\`\`\`js
source.addEventListener('resumed', ({ data }) => {
  if (JSON.parse(data).verdict === 'reset') discard();
});
\`\`\`

- \`start\` – from the first event
- \`exact\` – everything after your cursor
- \`reset\` – discard what you hold, here is all of it

That is the whole trick. <b>No markup</b> from a model is ever trusted by this page.`;

const scripts = {
  demo: (prompt) => {
    const length = Number(/#long=(\d+)/.exec(prompt)?.[1] ?? 0);
    const all = words(sample);
    return [...(length ? Array.from({ length }, (_, at) => all[at % all.length]) : all), completed];
  },
  hostile: () => [
    ...words('<img src=x onerror="window.hurt=1"> **<script>window.hurt=1</script>** `<b>x</b>`\n\n# <i>h</i>\n\n```html\n<u>y</u>\n```'),
    completed,
  ],
  thinker: () => [
    ...words('The user wants the weather. I should look it up first.').map(([, data]) => ['reasoning', data]),
    ['tool_call', { index: 0, id: 'call_1', name: 'get_weather', arguments_delta: '{"city":' }],
    ['tool_call', { index: 0, arguments_delta: '"Oslo"}' }],
    ['done', { status: 'completed', finish_reason: 'tool_calls', usage }],
  ],
  broken: () => [
    ...words('This answer begins well but the upstream'),
    ['upstream', { attempt: 2, reason: 'connect_failed' }],
    ['done', { status: 'failed', finish_reason: null, usage: { source: 'unknown' },
      error: { code: 'upstream_truncated', message: 'The model ended its answer without its end mark.', retryable: true } }],
  ],
};

const id_of = (prefix, bytes) => prefix + randomBytes(bytes).toString('base64url');
const run_token = () => Array.from(randomBytes(10), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('');

class Stream {
  constructor(model, prompt, step_ms) {
    this.id = id_of('strm_', 16);
    this.run = run_token();
    this.model = model;
    this.created_at = new Date().toISOString();
    this.events = [];
    this.readers = new Set();
    this.status = 'streaming';
    this.add('start', { model, provider: 'demo', created_at: this.created_at });
    const script = scripts[model](prompt);
    this.timer = setInterval(() => this.add(...script.shift()), step_ms);
  }

  add(type, data) {
    const id = `${this.run}-${this.events.length + 1}`;
    const name = type === 'message' ? '' : `event: ${type}\n`;
    this.events.push({ type, data, block: `id: ${id}\n${name}data: ${JSON.stringify(data)}\n\n` });
    if (type === 'done') {
      clearInterval(this.timer);
      Object.assign(this, { status: data.status, end: data });
    }
    for (const reader of this.readers) this.follow(reader, this.events.length - 1);
  }

  follow(response, from) {
    response.write(this.events.slice(from).map(({ block }) => block).join(''));
    if (this.end) response.end();
  }

  state() {
    const all = (type, field) => this.events.filter((event) => event.type === type).map(({ data }) => data[field]).join('');
    return {
      id: this.id, status: this.status, model: this.model, provider: 'demo', created_at: this.created_at, updated_at: this.created_at,
      last_event_id: `${this.run}-${this.events.length}`, text: all('message', 'delta'), reasoning: all('reasoning', 'delta'),
      tool_calls: [], finish_reason: this.end?.finish_reason ?? null, usage: this.end?.usage ?? null, error: this.end?.error ?? null, metadata: {},
    };
  }
}

function answer_json(response, status, value, headers = {}) {
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
  response.end(JSON.stringify(value));
}

const problem = (response, status, code, detail) => answer_json(response, status, { type: 'about:blank', title: code, status, code, detail });

function read_events(stream, request, url, response) {
  const cursor = request.headers['last-event-id'] || url.searchParams.get('last_event_id') || '';
  const [run, seq] = [cursor.slice(0, 10), Number(cursor.slice(11))];
  const exact = run === stream.run && seq >= 1 && seq <= stream.events.length;
  if (exact && stream.end && seq === stream.events.length) return response.writeHead(204).end();
  const verdict = cursor === '' ? 'start' : exact ? 'exact' : 'reset';
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store, no-transform' });
  response.write(`retry: 1000\nevent: resumed\ndata: ${JSON.stringify({ stream: stream.id, verdict, status: stream.status })}\n\n`);
  stream.readers.add(response);
  response.on('close', () => stream.readers.delete(response));
  stream.follow(response, exact ? seq : 0);
}

function serve_page(pathname, response) {
  const name = pathname === '/' ? 'index.html' : pathname.slice(1);
  if (!/^[a-z_]+\.(html|js|css|svg)$/.test(name)) return problem(response, 404, 'not_found', 'No such page.');
  const bytes = readFileSync(web + name);
  response.writeHead(200, { 'Content-Type': types[name.split('.')[1]], 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' });
  response.end(bytes);
}

export function start_mock({ port = 0, step_ms = 30, can_cancel = true } = {}) {
  const streams = new Map();
  const keys = new Map();

  function create(request, body, response) {
    const key = request.headers['idempotency-key'];
    const { model = 'demo', prompt = '' } = JSON.parse(body);
    if (!scripts[model]) return problem(response, 404, 'unknown_model', `There is no model “${model}” here.`);
    const known = keys.get(key);
    const stream = known ?? new Stream(model, prompt, step_ms);
    streams.set(stream.id, stream);
    if (key) keys.set(key, stream);
    const path = `/v1/streams/${stream.id}`;
    answer_json(response, known ? 200 : 201, {
      id: stream.id, status: stream.status, model, created_at: stream.created_at, events_url: `${path}/events`, control_url: `${path}/ws`,
    }, { Location: path });
  }

  function route(request, url, body, response) {
    if (url.pathname === '/v1/streams' && request.method === 'POST') return create(request, body, response);
    const [, id, action = ''] = /^\/v1\/streams\/([^/]+)\/?(\w*)$/.exec(url.pathname) ?? [];
    if (!id) return serve_page(url.pathname, response);
    const stream = streams.get(id);
    if (!stream) return problem(response, 404, 'not_found', 'There is no such stream.');
    if (action === 'events') return read_events(stream, request, url, response);
    if (action === 'cancel') {
      if (!can_cancel) return problem(response, 405, 'method_not_allowed', 'Not in this version.');
      if (!stream.end) stream.add('done', { status: 'cancelled', finish_reason: null, usage });
      return answer_json(response, 200, { id, status: stream.status, last_event_id: stream.state().last_event_id });
    }
    if (request.method !== 'DELETE') return answer_json(response, 200, stream.state());
    streams.delete(id);
    return response.writeHead(204).end();
  }

  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => route(request, new URL(request.url, 'http://relay'), body, response));
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve({
      url: `http://127.0.0.1:${server.address().port}`,
      streams,
      cut_readers() {
        for (const stream of streams.values()) for (const reader of stream.readers) reader.socket.resetAndDestroy();
      },
      close() {
        for (const stream of streams.values()) clearInterval(stream.timer);
        server.closeAllConnections();
        return new Promise((closed) => server.close(closed));
      },
    }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await start_mock({ port: Number(process.argv[2] ?? 0) });
  console.log(`mock relay on ${mock.url}`);
}
