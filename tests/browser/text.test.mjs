// The page's own parts that need no browser: text into blocks, events into an answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answer } from '../../service/web/answer.js';
import { Rate } from '../../service/web/gauges.js';
import { split_blocks } from '../../service/web/text.js';

const sample = 'One\ntwo **three**\n\n## Head\nafter it\n- a\n- b\n  more\n\n1. x\n2. y\n```js\n# no head\n\n- no list\n```\nend\n~~~\nopen fence';

test('text falls into paragraphs, headings, lists and fences', () => {
  const kinds = split_blocks(sample).map(({ kind, lines }) => [kind, ...lines]);
  assert.deepEqual(kinds, [
    ['paragraph', 'One', 'two **three**'], ['heading', 'Head'], ['paragraph', 'after it'], ['bullets', 'a', 'b\nmore'],
    ['ordered', 'x', 'y'], ['code', '# no head', '', '- no list'], ['paragraph', 'end'], ['code', 'open fence'],
  ]);
});

// The page builds again only the last block when text arrives. That must give what splitting the whole text gives.
test('going on from the last block equals splitting the whole text, however the text arrives', () => {
  for (const step of [1, 2, 3, 7]) {
    let blocks = [];
    for (let end = step; end < sample.length + step; end += step) {
      const text = sample.slice(0, end);
      const from = blocks.pop()?.start ?? 0;
      blocks = [...blocks, ...split_blocks(text, from)];
      assert.deepEqual(blocks, split_blocks(text), `after ${end} characters in steps of ${step}`);
    }
  }
});

const event = (type, id, value) => ({ type, id, data: JSON.stringify(value) });

test('an answer keeps its text on exact and discards it on reset and start', () => {
  for (const [verdict, text, cursor] of [['exact', 'ab', 'r-2'], ['reset', 'b', 'r-2'], ['start', 'b', 'r-2']]) {
    const answer = new Answer('strm_x');
    answer.apply(event('message', 'r-1', { delta: 'a' }));
    answer.apply(event('resumed', '', { verdict, status: 'streaming' }));
    answer.apply(event('message', 'r-2', { delta: 'b' }));
    assert.deepEqual([answer.text, answer.cursor, answer.ended], [text, cursor, false], verdict);
  }
});

test('an answer ends with the status, reason and error of its terminal event', () => {
  const answer = new Answer('strm_x');
  answer.apply(event('tool_call', 'r-1', { index: 0, id: 'c', name: 'f', arguments_delta: '{' }));
  answer.apply(event('tool_call', 'r-2', { index: 0, arguments_delta: '}' }));
  answer.apply(event('done', 'r-3', { status: 'failed', error: { code: 'x', message: 'y' } }));
  assert.deepEqual(answer.tool_calls, [{ index: 0, id: 'c', name: 'f', arguments: '{}' }]);
  assert.equal(answer.ended, true);
  assert.equal(answer.error.code, 'x');
});

test('the rate forgets what is older than its window', () => {
  const rate = new Rate();
  for (let at = 0; at <= 1000; at += 100) rate.add(at);
  assert.equal(rate.per_second(1000), 10);
  assert.equal(rate.per_second(9000), null);
});
