// Messages are made and delivered without Node's constructors and, to one plain listener, without its dispatchEvent. All of it
// must be as if they were: one program runs with our way and with Node's own, and must see the same.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { packageRoot, script, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const program = `
import { createRequire } from 'node:module';
const [url, way, packageRoot] = process.argv.slice(1);
const symbols = Object.getOwnPropertySymbols;
if (way === 'node') Object.getOwnPropertySymbols = () => []; // a Node that has changed
const { EventSource } = await import('libeventsource');
Object.getOwnPropertySymbols = symbols;
const { lean } = createRequire(packageRoot + '/')('./lib/message.js');
const seen = [];
const note = (...what) => seen.push(what);
const attempt = (call) => { try { return call(); } catch (error) { return error.name; } };
process.on('uncaughtException', (error) => note('uncaught', String(error?.message ?? error)));

const source = new EventSource(url);
const describe = (event) => {
  const names = [];
  for (const name in event) names.push(name);
  note(event.type, event.data, event.lastEventId, event.origin === new URL(url).origin, event.source, event.ports.length);
  note(event.target === source, event.currentTarget === source, event.srcElement === source, event.eventPhase,
    event.composedPath().length, event.bubbles, event.cancelable, event.composed, event.defaultPrevented, event.returnValue,
    event.cancelBubble, event.isTrusted, event.timeStamp > 0 && event.timeStamp <= performance.now());
  note(event instanceof MessageEvent, event instanceof Event, Object.prototype.toString.call(event), event.constructor === MessageEvent,
    names.sort().join(), Object.keys(event).length, JSON.stringify(event));
};
const later = () => new Promise((resolve) => setImmediate(resolve));
const second = (event) => note('second', event.data, event.currentTarget === source);
const aborter = new AbortController();
let kept;

// What each message meets; the listeners that it leaves are those of the next.
const steps = {
  1: (event) => {
    describe(event);
    event.preventDefault();
    attempt(() => { event.returnValue = false; }); // some versions of Node have no setter
    event.initEvent('no', true, true); // not during the dispatch
    event.stopPropagation();
    describe(event);
    note(attempt(() => source.dispatchEvent(event)));
    kept = event;
  },
  2: () => { throw new Error('thrown'); },
  3: async () => { throw new Error('rejected'); },
  4: () => ({ then: (_, reject) => { reject(new Error('then')); } }),
  5: () => ({ get then() { throw new Error('getter'); } }),
  6: () => { source.addEventListener('message', second); note(7); return 0; },
  7: () => { throw new Error('thrown before the second'); },
  8: (event) => { event.stopImmediatePropagation(); note(event.cancelBubble); },
  9: () => { source.removeEventListener('message', second); return null; },
  10: () => { EventTarget.prototype.addEventListener.call(source, 'message', second, { once: true }); },
  11: () => {},
  12: () => { source.addEventListener('message', second, { signal: aborter.signal }); },
  13: () => { aborter.abort(); },
  14: () => { source.addEventListener('message', { handleEvent: second }); },
  15: () => { source.removeEventListener('message', first); source.addEventListener('message', first, true); },
  16: () => { source.removeEventListener('message', first); },
  17: () => { source.removeEventListener('message', first, { capture: true }); source.onmessage = first; },
  18: () => { source.onmessage = function (event) { note(this === source); first(event); }; },
  19: (event) => {
    source.dispatchEvent(new MessageEvent('message', { data: 'own' }));
    note(event.currentTarget === source);
  },
};
function first(event) {
  note('first', this === source || this, event.data);
  return steps[event.data]?.(event);
}
source.addEventListener('message', first);
source.addEventListener('named', function named(event) {
  note('named', event.type, event.data);
  source.removeEventListener('named', named);
  source.addEventListener('named', (other) => note('once', other.data), { once: true });
});
source.addEventListener('gone', function gone() {
  note('gone');
  source.removeEventListener('gone', gone);
});
source.addEventListener('end', () => source.close());
await new Promise((resolve) => source.addEventListener('close', resolve));
await later();
note(kept.currentTarget, kept.eventPhase, kept.target === source, kept.composedPath().length, kept.cancelBubble);
kept.initEvent('again', true, true);
note(kept.type, kept.bubbles, kept.cancelable, kept.defaultPrevented);
const other = new EventTarget();
other.addEventListener('again', (event) => {
  note(event === kept, event.target === other, event.eventPhase, event.data);
  event.preventDefault();
  event.stopImmediatePropagation();
});
other.addEventListener('again', () => note('stopped'));
note(other.dispatchEvent(kept), kept.defaultPrevented, kept.returnValue, kept.target === other, kept.currentTarget);
kept.cancelBubble = true;
note(kept.cancelBubble, attempt(() => kept.initEvent()));
console.log(JSON.stringify({ lean, seen }));
`;

test('what listeners see is what they see of events that Node makes and dispatches', async () => {
  const message = (n) => `data: ${n}\n\n${[5, 6, 7].includes(n) ? 'event: named\nid: an id\ndata: x\n\nevent: gone\ndata: x\n\n' : ''}`;
  // Each in a turn of its own, or together: what is thrown is reported between turns.
  const all = Array.from({ length: 20 }, (_, i) => message(i + 1));
  for (const [where, body] of [['/together', [{ body: all.join('') }]], ['/apart', all.flatMap((one) => [{ body: one }, { pause_ms: 3 }])]]) {
    const url = await server.on(where, ['sse', ...body, { body: 'event: end\ndata: x\n\n' }, 'stall']);
    const outcomes = [];
    for (const way of ['ours', 'node']) {
      const { stdout, stderr } = await script(program, [url, way, packageRoot]);
      assert.equal(stderr, '', way);
      outcomes.push(JSON.parse(stdout));
    }
    const [ours, node] = outcomes;
    assert.deepEqual([ours.lean, node.lean], [true, false]);
    const calls = (seen) => seen.filter(([what]) => what !== 'uncaught');
    // In which order depends on what arrives together.
    const uncaught = (seen) => seen.filter(([what]) => what === 'uncaught').sort();
    assert.deepEqual(calls(ours.seen), calls(node.seen));
    assert.deepEqual(uncaught(ours.seen), uncaught(node.seen));
    assert.equal(uncaught(ours.seen).length, 5);
    for (const what of ['named', 'once', 'gone']) assert.equal(calls(ours.seen).filter(([first]) => first === what).length, 1, what);
    assert.ok(calls(ours.seen).some(([what, data]) => what === 'second' && data === '16'));
  }
});
