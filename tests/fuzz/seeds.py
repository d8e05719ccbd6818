#!/usr/bin/env python3
"""Writes the bodies of tests/fixtures/foreign/ as seeds of the targets KIND_call: tests/fuzz/seeds.py [KIND…]

Seeds named own-* were written by hand.
"""
import base64
import json
import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
kinds = sys.argv[1:] or ['anthropic', 'gemini', 'openai']
for path in sorted((here / '../fixtures/foreign').glob('*.json')):
    case = json.loads(path.read_text())
    if case['kind'] not in kinds:
        continue
    body = b''.join(step['chunk'].encode() if 'chunk' in step else base64.b64decode(step.get('chunk64', ''))
                    for step in case['attempts'][0])
    folder = here / 'corpus' / (case['kind'].replace('-', '_') + '_call')
    folder.mkdir(parents=True, exist_ok=True)
    # The first byte: a clean end, and a handler that never quits early.
    (folder / path.stem).write_bytes(b'\x30' + body)
