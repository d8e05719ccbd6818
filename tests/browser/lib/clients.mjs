// The SSE clients people use from JavaScript, each behind one face: read(url, transcript) follows a stream until its end, reconnecting
// in the client's own way, and resolves to what the client did at the end.
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { fetchEventSource } from '@microsoft/fetch-event-source';

const names = ['message', 'resumed', 'start', 'reasoning', 'tool_call', 'steer', 'upstream', 'done'];

// What a complete page does with the events (PROTOCOL.md, Read): text by deltas, discard unless the verdict is exact.
export class Transcript {
  text = '';
  ids = [];
  verdicts = [];
  dones = [];
  order_broken = null;

  take(event, data, id) {
    const value = JSON.parse(data);
    if (event === 'resumed') {
      this.verdicts.push(value.verdict);
      if (value.verdict !== 'exact') Object.assign(this, { text: '', ids: [] });
      return;
    }
    const last = this.ids.at(-1);
    const again = event === 'done' && id === last;  // a re-sent POST gets the terminal event again
    if (!again && last && seq_of(id) <= seq_of(last)) this.order_broken ??= `${id} after ${last}`;
    this.ids.push(id);
    if (event === 'message') this.text += value.delta;
    if (event === 'done') this.dones.push(value);
  }
}

const seq_of = (id) => Number(id.slice(id.lastIndexOf('-') + 1));

// npm eventsource: at the end it is left alone, as a page that forgets to close it would; a 204 closes it.
export function read_eventsource(url, transcript) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(url);
    for (const name of names) source.addEventListener(name, (event) => transcript.take(name, event.data, event.lastEventId));
    source.onerror = (error) => {
      if (source.readyState !== EventSource.CLOSED) return;
      if (error.code === 204) resolve('closed by 204');
      else reject(new Error(`closed by ${error.code}: ${error.message}`));
    };
  });
}

// It tells nobody when a 204 closes it, so its fetch is watched.
export async function read_eventsource_client(url, transcript) {
  let status = 0;
  const source = createEventSource({
    url,
    fetch: async (...args) => {
      const response = await fetch(...args);
      status = response.status;
      return response;
    },
    onMessage: ({ event = 'message', data, id }) => transcript.take(event, data, id),
  });
  try {
    const end = Date.now() + 60000;
    while (source.readyState !== 'closed' && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    return `${source.readyState} by ${status}`;
  } finally {
    source.close();
  }
}

// Node lacks the three names of the browser that it touches whatever its options.
export async function read_fetch_event_source(url, transcript, options = {}) {
  globalThis.window ??= globalThis;
  globalThis.document ??= { removeEventListener() {}, addEventListener() {}, hidden: false };
  await fetchEventSource(url, {
    openWhenHidden: true,
    fetch: globalThis.fetch,
    onmessage: ({ event, data, id }) => transcript.take(event || 'message', data, id),
    ...options,
  });
  return 'resolved';
}

// Plain fetch, with the loop anyone would write: a cut throws, a clean end is the end.
export async function read_fetch(url, transcript) {
  let last_id = '';
  for (;;) {
    try {
      const response = await fetch(url, { headers: last_id ? { 'Last-Event-ID': last_id } : {} });
      if (response.status === 204) return 'ended by 204';
      if (response.status !== 200) throw new RangeError(`status ${response.status}`);
      let rest = '';
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + part).split('\n\n');
        rest = blocks.pop();
        for (const block of blocks) last_id = take_block(block, transcript) || last_id;
      }
      return 'clean end';
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

function take_block(block, transcript) {
  const fields = {};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, '');
  }
  if (fields.data !== undefined) transcript.take(fields.event ?? 'message', fields.data, fields.id);
  return fields.id;
}
