// Answers that the tests of several clients let a ChatModel give, and how they read what comes of them.
import assert from 'node:assert/strict';

export const words = ['The tide ', 'comes in 🙂, ', 'and Zürich ', 'writes it down.'];
export const said = words.join('');
export const plain = (answer) => answer.reason('Let me ', 'think.').text(...words).end();

// Two calls, told side by side.
export const both_cities = [{ city: 'Bern' }, { city: '東京' }];
export const two_calls = (answer) => answer.text('I look. ').call(0, '', 'call_a', 'weather').call(1, '', 'call_b', 'weather')
  .call(0, '{"city":').call(1, '{"city":"東京"}').call(0, '"Bern"}').end('tool_calls');
// The calls, and what follows their results.
export const with_tools = (answer, body) => (
  body.messages.at(-1).role === 'tool' ? answer.text('Sunny in both.').end() : two_calls(answer));

// Says `half`, then the error, and ends.
export function breaks_with(error, half = 'half ') {
  return (answer) => {
    answer.text(half).data({ error });
    answer.response.end();
  };
}

// An answer that says a word and waits: when it is cancelled, its connection closes.
export function held(model, prompt) {
  let begun;
  const upstream = new Promise((resolve) => { begun = resolve; });
  return { prompt: model.on(prompt, (answer) => { answer.text(words[0]); begun(answer); }), upstream };
}

export async function closes_within_a_second(upstream, since) {
  await (await upstream).closed;
  const took = Date.now() - since;
  assert.ok(took < 1000, `the upstream was closed after ${took} ms`);
}

// A script told piece by piece, the next one when the last has arrived: nothing is merged for a reader that keeps up.
export function stepped(...pieces) {
  let answer;
  const next = () => pieces.shift()?.(answer);
  const begin = (given) => { answer = given; next(); };
  const read = async (stream) => {
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type.endsWith('.delta')) next();
    }
    return events;
  };
  return { begin, read };
}

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
