// The npm SSE clients against the real binary: a plain run, cuts by reset in the middle, the resume, and the end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChaosProxy } from './lib/chaos_proxy.mjs';
import { Transcript, read_eventsource, read_eventsource_client, read_fetch, read_fetch_event_source } from './lib/clients.mjs';
import { HeldModel } from './lib/held_model.mjs';
import { relay_for, until } from './lib/relay.mjs';

const seed = Number(process.env.SEED ?? Date.now() % 1e9);
let random_state = seed;
function random(below) {  // mulberry32
  random_state = (random_state + 0x6d2b79f5) | 0;
  let t = Math.imul(random_state ^ (random_state >>> 15), 1 | random_state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

const model = new HeldModel();
const relay = relay_for([model]);

// Reads one stream through the cuts of `plan`; its model ends it only when all of them are done.
async function read_through(plan, prompt, read, transcript) {
  const { id, events_url } = await relay.create(prompt, { model: 'held' });
  const proxy = await new ChaosProxy(relay.port).start();
  proxy.plan = [...plan];
  try {
    const reading = read(proxy.url + events_url, transcript);
    await Promise.race([reading, until(`${plan.length} cuts (seed ${seed})`, () => proxy.cuts === plan.length)]);
    model.finish(prompt);
    return { id, end: await reading };
  } finally {
    await proxy.close();
  }
}

async function through_proxy(plan, use) {
  const proxy = await new ChaosProxy(relay.port).start();
  proxy.plan = plan;
  try {
    return await use(proxy);
  } finally {
    await proxy.close();
  }
}

async function check_whole(transcript, id) {
  const state = await relay.ended_state(id);
  assert.equal(state.status, 'completed');
  assert.ok(state.text.length > 0, 'the model said something');
  assert.equal(transcript.text, state.text);
  assert.equal(transcript.order_broken, null);
  assert.equal(transcript.ids.at(-1), state.last_event_id);
  assert.equal(transcript.dones.at(-1).status, 'completed');
}

const clients = [
  { name: 'eventsource', read: read_eventsource, at_end: 'closed by 204' },
  { name: 'eventsource-client', read: read_eventsource_client, at_end: 'closed by 204' },
  // It moves its cursor when it has read the id line, not when it has delivered the event: a cut between the two makes it skip
  // that event, and no server can know. So its cuts spare that place, which is one byte wide where the id is the block's last line.
  { name: '@microsoft/fetch-event-source', read: read_fetch_event_source, at_end: 'resolved', spare_ids: true },
  { name: 'fetch', read: read_fetch, at_end: 'clean end' },
];

describe('clients', { concurrency: true }, () => {
  for (const { name, read, at_end, spare_ids } of clients) {
    describe(name, { concurrency: true, timeout: 90000 }, () => {
      test('reads a stream to its end', async () => {
        const { id, events_url } = await relay.create('A short word from the harbour, please. #long=30');
        const transcript = new Transcript();
        assert.equal(await read(relay.url + events_url, transcript), at_end);
        assert.deepEqual(transcript.verdicts, ['start']);
        assert.equal(transcript.dones.length, 1);
        await check_whole(transcript, id);
      });

      test('is cut between events, and loses and repeats nothing', async () => {
        const transcript = new Transcript();
        const plan = [{ after_blocks: 3 + random(8) }, { after_blocks: 2 }, { after_blocks: 2 + random(6) }];
        const { id, end } = await read_through(plan, `Tell ${name} of rivers.`, read, transcript);
        assert.equal(end, at_end, `seed ${seed}`);
        assert.deepEqual(transcript.verdicts, ['start', 'exact', 'exact', 'exact'], `seed ${seed}`);
        await check_whole(transcript, id);
      });

      test('is cut at any byte, head included, and loses and repeats nothing', async (t) => {
        const transcript = new Transcript();
        const places = [150 + random(300), 350 + random(700), 350 + random(700)];
        t.diagnostic(`seed ${seed}, cuts after ${places} bytes`);
        const plan = places.map((after_bytes) => ({ after_bytes, spare_ids }));
        const { id, end } = await read_through(plan, `Zürich, 東京 and 🙂, said to ${name}.`, read, transcript);
        assert.equal(end, at_end);
        assert.ok(transcript.verdicts.every((verdict) => ['start', 'exact'].includes(verdict)), transcript.verdicts.join());
        await check_whole(transcript, id);
      });
    });
  }
});

describe('a POST that is sent again', { concurrency: true, timeout: 90000 }, () => {
  async function run(prompt, plan) {
    const transcript = new Transcript();
    const responses = [];
    await through_proxy(plan, (proxy) => read_fetch_event_source(`${proxy.url}/v1/streams`, transcript, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ prompt }),
      onopen: async (response) => {
        responses.push({ status: response.status, stream: response.headers.get('location') });
        assert.equal(response.status, 200);
      },
      onerror: (error) => {
        if (error instanceof assert.AssertionError) throw error;  // without this it would try for ever
      },
    }));
    return { transcript, responses, id: responses[0].stream.split('/').at(-1) };
  }

  test('resumes the stream it began, and starts no second one', async () => {
    const { transcript, responses, id } = await run('One generation, however often. #long=150', [{ after_blocks: 6 }, { after_blocks: 5 }]);
    assert.equal(responses.length, 3);
    assert.equal(new Set(responses.map(({ stream }) => stream)).size, 1);
    assert.deepEqual(transcript.verdicts, ['start', 'exact', 'exact']);
    await check_whole(transcript, id);
  });

  test('gets the terminal event again when the cut came right after it', async () => {
    const { transcript, responses, id } = await run('The last word twice. #long=12', [{ after_text: 'event: done' }]);
    assert.deepEqual(responses.map(({ status }) => status), [200, 200]);
    assert.equal(transcript.dones.length, 2, 'once before the cut, once on the re-sent POST');
    assert.deepEqual(transcript.dones[0], transcript.dones[1]);
    await check_whole(transcript, id);
  });
});

test('a cut is an error to fetch, a finished stream is not', { timeout: 60000 }, async () => {
  const { events_url } = await relay.create('A cut must not look like an end. #long=40');
  await through_proxy([{ after_blocks: 5 }], async (proxy) => {
    const response = await fetch(proxy.url + events_url);
    assert.equal(response.headers.get('connection') === 'close', false, 'undici takes a cut for an end after Connection: close');
    await assert.rejects(response.text(), TypeError);
  });
  const whole = await (await fetch(relay.url + events_url)).text();
  assert.match(whole, /event: done\n/);
  assert.ok(whole.endsWith('\n\n'));
});
