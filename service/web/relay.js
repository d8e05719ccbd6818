// The relay as this page sees it: a few requests, and one Reader per stream over the browser's own EventSource.

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const event_types = ['message', 'resumed', 'start', 'reasoning', 'tool_call', 'steer', 'upstream', 'done'];

const stream_url = (id) => `/v1/streams/${encodeURIComponent(id)}`;

export const events_url = (id) => `${stream_url(id)}/events`;
export const socket_url = (id) => `${location.origin.replace('http', 'ws')}${stream_url(id)}/ws`;

// An answer of the relay that is not what was asked for: the problem body's words, and its status (0: not reached).
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The relay answered ${status}`);
    this.status = status;
    this.code = problem.code ?? '';
  }
}

async function request(method, url, { headers = {}, body } = {}) {
  let response;
  try {
    response = await fetch(url, { method, headers, body, cache: 'no-store' });
  } catch {
    throw new Refusal(0, { detail: 'The relay cannot be reached.' });
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    const refusal = new Refusal(response.status, problem ?? {});
    refusal.retry_after_s = Number(response.headers.get('Retry-After')) || 0;
    throw refusal;
  }
  return response.status === 204 ? null : response.json();
}

// Creates the stream. The key makes it safe to send again: whatever got lost, there is one generation.
export async function create_stream({ key, body }, on_retry) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request('POST', '/v1/streams', {
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
        body,
      });
    } catch (refusal) {
      const passing = [0, 429, 503].includes(refusal.status);
      if (!passing || attempt === 8) throw refusal;
      on_retry(refusal);
      await delay(Math.min(refusal.retry_after_s * 1000 || 250 * 2 ** attempt, 10000));
    }
  }
}

export const read_state = (id) => request('GET', stream_url(id));
export const cancel_stream = (id) => request('POST', `${stream_url(id)}/cancel`);
export const steer_stream = (id, content) => request('POST', `${stream_url(id)}/steer`, {
  headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ content }),
});
export const delete_stream = (id) => request('DELETE', stream_url(id));

// The events of a stream that has ended, in order: what an Answer takes.
export async function read_events(id) {
  const response = await fetch(events_url(id), { cache: 'no-store' }).catch(() => null);
  if (response && !response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
  const text = await response?.text().catch(() => null);
  if (!text?.includes('\nevent: done\n')) throw new Refusal(0, { detail: 'The relay cannot be reached.' });
  return text.split('\n\n').filter((block) => /^data: /m.test(block)).map((block) => ({
    type: /^event: (.*)$/m.exec(block)?.[1] ?? 'message',
    id: /^id: (.*)$/m.exec(block)?.[1] ?? '',
    data: /^data: (.*)$/m.exec(block)[1],
  }));
}

// Follows one stream. EventSource reconnects by itself and repeats its cursor; what it cannot do is tell why it was refused
// for good, so on_refused() is called then. `on_event` gets {type, id, data}; id is '' for what must not move the cursor.
export class Reader {
  #source = null;
  #handlers;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  open(id, cursor) {
    this.close();
    const query = cursor ? `?last_event_id=${encodeURIComponent(cursor)}` : '';
    const source = new EventSource(events_url(id) + query);
    this.#source = source;
    this.#handlers.on_state('connecting');
    source.onopen = () => this.#handlers.on_state('live');
    source.onerror = () => {
      if (source.readyState === EventSource.CONNECTING) {
        this.#handlers.on_state('reconnecting');
      } else {
        this.close();
        this.#handlers.on_refused();
      }
    };
    for (const type of event_types) {
      source.addEventListener(type, (event) => {
        this.#handlers.on_event({ type, id: type === 'resumed' ? '' : event.lastEventId, data: event.data });
      });
    }
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  get is_open() {
    return this.#source !== null;
  }
}
