// The source as an EventTarget: listeners and handler attributes (row 83), and what an event is while it is dispatched.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EventSource, finish, next, open, record, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const stream = (body, ...then) => ['sse', { body }, ...then];
const waiting = (name, body) => ['sse', { wait_for: name }, { body }, 'stall'];

describe('EventTarget', () => {
  test('listeners: several, each once, removed, once, signal, handleEvent', async () => {
    const source = open(await server.on('/listeners', ['sse', { wait_for: 'set up' }, { body: 'data: 1\n\ndata: 2\n\ndata: 3\n\n' }, 'stall']));
    const seen = [];
    const twice = ({ data }) => seen.push(`twice ${data}`);
    const removed = () => seen.push('removed');
    const aborter = new AbortController();
    source.addEventListener('message', twice);
    source.addEventListener('message', twice);
    source.addEventListener('message', removed);
    source.addEventListener('message', ({ data }) => seen.push(`once ${data}`), { once: true });
    source.addEventListener('message', ({ data }) => {
      seen.push(`signal ${data}`);
      aborter.abort();
    }, { signal: aborter.signal });
    const object = { prefix: 'object', handleEvent({ data }) { seen.push(`${this.prefix} ${data}`); } };
    source.addEventListener('message', object);
    source.removeEventListener('message', removed);
    source.addEventListener('message', function () { seen.push(this === source); }, { once: true });
    const third = new Promise((resolve) => source.addEventListener('message', ({ data }) => data === '3' && resolve()));
    await server.go('set up');
    await third;
    assert.deepEqual(seen, ['twice 1', 'once 1', 'signal 1', 'object 1', true, 'twice 2', 'object 2', 'twice 3', 'object 3']);
    await finish(source);
  });

  test('row 83: handler attributes can be set, replaced and removed, and keep their place', async () => {
    const source = open(await server.on('/handlers', ['sse', { wait_for: 'handlers' }, { body: 'data: 1\n\n' }, 'stall']));
    const seen = [];
    for (const name of ['onopen', 'onmessage', 'onerror', 'onclose']) assert.equal(source[name], null);
    source.onmessage = () => seen.push('never');
    source.addEventListener('message', () => seen.push('listener'));
    const handler = function (event) { seen.push(['handler', this === source, event.target === source]); };
    source.onmessage = handler;
    assert.equal(source.onmessage, handler);
    source.onerror = () => {};
    source.onerror = null;
    assert.equal(source.onerror, null);
    for (const value of [undefined, 1, 'x', true]) {
      source.onopen = value;
      assert.equal(source.onopen, null);
    }
    const object = { handleEvent() { seen.push('an object is no handler'); } };
    source.onopen = object;
    assert.equal(source.onopen, object);
    const message = next(source, 'message');
    await server.go('handlers');
    await message;
    assert.deepEqual(seen, [['handler', true, true], 'listener']);
    await finish(source);
  });

  test('dispatchEvent of others works, as on any EventTarget', async () => {
    const source = open(await server.on('/dispatch', ['stall']));
    const seen = record(source, 'own', 'message');
    source.dispatchEvent(new Event('own'));
    source.dispatchEvent(new MessageEvent('message', { data: 'mine' }));
    assert.deepEqual(seen, [['own'], ['message', 'mine']]);
    await finish(source);
  });

  test('an event can be dispatched again, to somebody else', async () => {
    const source = open(await server.on('/redispatch', stream('data: x\n\n', 'stall')));
    const event = await next(source, 'message');
    const other = new EventTarget();
    const seen = [];
    other.addEventListener('message', ({ data, target }) => seen.push(data, target === other));
    other.dispatchEvent(event);
    assert.deepEqual(seen, ['x', true]);
    await finish(source);
  });

  test('a subclass gets its events', async () => {
    class Mine extends EventSource {
      seen = [];
      constructor(...args) {
        super(...args);
        this.addEventListener('message', ({ data }) => this.seen.push(data));
      }
    }
    const source = new Mine(await server.on('/subclass', stream('data: x\n\n', 'stall')));
    await next(source, 'message');
    assert.deepEqual(source.seen, ['x']);
    await finish(source);
  });

  test('a listener that an earlier one removes is not called', async () => {
    const source = open(await server.on('/changing', waiting('changing', 'data: 1\n\ndata: 2\n\n')));
    const seen = [];
    const never = () => seen.push('never');
    source.addEventListener('message', ({ data }) => {
      seen.push(`first ${data}`);
      source.removeEventListener('message', never);
    });
    source.addEventListener('message', never);
    const second = new Promise((resolve) => source.addEventListener('message', ({ data }) => data === '2' && resolve()));
    await server.go('changing');
    await second;
    assert.deepEqual(seen, ['first 1', 'first 2']);
    await finish(source);
  });

  test('handleEvent is looked up when the event is there; a capturing listener is another listener', async () => {
    const source = open(await server.on('/looked-up', waiting('looked-up', 'data: 1\n\ndata: 2\n\n')));
    const seen = [];
    const object = { handleEvent: null };
    const both = () => seen.push('both');
    source.addEventListener('message', object);
    source.addEventListener('message', both);
    source.addEventListener('message', both, { capture: true });
    source.removeEventListener('message', both);
    source.addEventListener('message', both, true);
    object.handleEvent = ({ data }) => {
      seen.push(`old ${data}`);
      object.handleEvent = (event) => seen.push(`new ${event.data}`);
    };
    const second = new Promise((resolve) => source.addEventListener('message', ({ data }) => data === '2' && resolve()));
    await server.go('looked-up');
    await second;
    assert.deepEqual(seen.filter((what) => what !== 'both'), ['old 1', 'new 2']);
    assert.equal(seen.filter((what) => what === 'both').length, 2);
    await finish(source);
  });

  test('stopImmediatePropagation stops the rest, for that event', async () => {
    const source = open(await server.on('/stopped', waiting('stopped', 'data: 1\n\ndata: 2\n\n')));
    const seen = [];
    source.addEventListener('message', (event) => { if (event.data === '1') event.stopImmediatePropagation(); });
    source.onmessage = ({ data }) => seen.push(data);
    const message = next(source, 'x');
    source.addEventListener('message', ({ data }) => data === '2' && source.dispatchEvent(new Event('x')));
    await server.go('stopped');
    await message;
    assert.deepEqual(seen, ['2']);
    await finish(source);
  });

  test('during the dispatch the event knows where it is, and afterwards no more', async () => {
    const source = open(await server.on('/phase', stream('data: x\n\n', 'stall')));
    const event = await new Promise((resolve) => source.addEventListener('message', (it) => {
      assert.equal(it.target, source);
      assert.equal(it.currentTarget, source);
      assert.equal(it.srcElement, source);
      assert.equal(it.eventPhase, Event.AT_TARGET);
      assert.deepEqual(it.composedPath(), [source]);
      assert.deepEqual([it.bubbles, it.cancelable, it.composed, it.defaultPrevented], [false, false, false, false]);
      it.preventDefault();
      assert.equal(it.defaultPrevented, false);
      assert.ok(it.timeStamp > 0 && it.timeStamp <= performance.now());
      assert.throws(() => source.dispatchEvent(it), { name: /InvalidState|Error/ });
      resolve(it);
    }));
    assert.equal(event.eventPhase, Event.NONE);
    assert.deepEqual(event.composedPath(), []);
    assert.equal(event.target, source);
    await finish(source);
  });

  test('row 81: what the server calls error, open or close reaches the handlers of that name as a MessageEvent', async () => {
    const source = open(await server.on('/names', stream('event: error\ndata: 1\n\nevent: open\ndata: 2\n\nevent: close\ndata: 3\n\ndata: end\n\n', 'stall')));
    const seen = [];
    for (const name of ['onopen', 'onerror', 'onclose', 'onmessage'])
      source[name] = (event) => seen.push([name, event instanceof MessageEvent, event.data, source.readyState]);
    await next(source, 'message');
    assert.deepEqual(seen, [
      ['onopen', false, undefined, 1], ['onerror', true, '1', 1], ['onopen', true, '2', 1], ['onclose', true, '3', 1], ['onmessage', true, 'end', 1]]);
    source.onclose = null;
    await finish(source);
  });

  test('a handler that is replaced or removed while it runs; one set during a dispatch waits for the next event', async () => {
    const source = open(await server.on('/replacing', waiting('replacing', 'data: 1\n\ndata: 2\n\ndata: 3\n\n')));
    const seen = [];
    source.onmessage = function first({ data }) {
      seen.push(`first ${data}`);
      source.onmessage = (event) => {
        seen.push(`second ${event.data}`);
        source.onmessage = null;
      };
    };
    const third = new Promise((resolve) => source.addEventListener('message', ({ data }) => data === '3' && resolve()));
    await server.go('replacing');
    await third;
    assert.deepEqual(seen, ['first 1', 'second 2']);
    await finish(source);
  });

  test('events.once and events.on of Node work with it', async () => {
    const { on, once } = await import('node:events');
    const source = open(await server.on('/node-events', stream('data: 1\n\n', 'stall')));
    const [event] = await once(source, 'message');
    assert.equal(event.data, '1');
    setImmediate(() => source.close());
    for await (const [close] of on(source, 'close')) {
      assert.equal(close.code, 'NONE');
      break;
    }
  });
});
