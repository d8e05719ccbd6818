// What the Responses tests know of its wire.
import assert from 'node:assert/strict';

export const weather = {
  type: 'function', name: 'weather', strict: null,
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

export const stream_of = (id) => `strm_${id.slice('resp_'.length)}`;

export function check_numbers(events) {
  assert.deepEqual(events.map(({ sequence_number }) => sequence_number), events.map((_, i) => i));
}

// The events that `merged` stands for: a merged delta carries its last number.
export function expand(merged, uncut, from = 0) {
  const out = [];
  for (const event of merged) {
    if (!event.type.endsWith('.delta')) {
      out.push(event);
      continue;
    }
    const first = from + out.length;
    const pieces = uncut.slice(first, event.sequence_number + 1);
    assert.equal(pieces.map(({ delta }) => delta).join(''), event.delta);
    assert.ok(pieces.every(({ type, item_id }) => type === event.type && item_id === event.item_id));
    out.push(...pieces);
  }
  return out;
}
