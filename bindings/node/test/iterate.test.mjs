// for await: every message, in order, with back-pressure.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource, finish, next, open, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const turn = () => new Promise(setImmediate);
const numbered = (n) => Array.from({ length: n }, (_, i) => `data: ${i}\n\n`).join('');
const upTo = (n) => Array.from({ length: n }, (_, i) => String(i));

test('all messages of all types, none lost, whatever the body of the loop waits for', async () => {
  const body = Array.from({ length: 2000 }, (_, i) => `event: t${i % 3}\nid: ${i}\ndata: ${i}\n\n`).join('');
  const waits = { nothing: () => {}, microtasks: async () => { await null; await null; }, turns: turn };
  for (const [name, wait] of Object.entries(waits)) {
    const source = open(await server.on(`/all-${name}`, [{ sse: { framing: 'chunked' } }, { body }, 'end']), { reconnect: 'never' });
    const seen = [];
    for await (const event of source) {
      assert.ok(event instanceof MessageEvent);
      assert.equal(event.lastEventId, event.data);
      assert.equal(event.type, `t${event.data % 3}`);
      seen.push(event.data);
      await wait();
    }
    assert.deepEqual(seen, upTo(2000), name);
    assert.equal(source.readyState, EventSource.CLOSED);
  }
});

test('across reconnects', async () => {
  const source = open(`${server.url}/resume?every=7&total=100&retry=1`, { retry: { first: 1, max: 1 } });
  const seen = [];
  for await (const { data } of source) {
    seen.push(data);
    if (data % 10 === 0) await turn();
  }
  assert.deepEqual(seen, upTo(101).slice(1));
});

test('leaving the loop closes the source', async () => {
  for (const how of ['break', 'throw']) {
    const source = open(await server.on(`/leave-${how}`, ['sse', { body: numbered(10) }, 'stall']));
    const closed = next(source, 'close');
    const seen = [];
    const later = [];
    source.addEventListener('message', ({ data }) => later.push(data));
    try {
      for await (const { data } of source) {
        seen.push(data);
        if (seen.length === 3) {
          if (how === 'break') break;
          throw new Error('out');
        }
      }
    } catch (error) {
      assert.equal(error.message, 'out');
    }
    assert.equal(source.readyState, EventSource.CLOSED);
    assert.equal((await closed).code, 'NONE');
    assert.deepEqual(seen, ['0', '1', '2']);
    assert.deepEqual(later, ['0', '1', '2']);
  }
});

test('close() ends the loop; 204 ends it; a final error is thrown', async () => {
  const closing = open(await server.on('/end-close', ['sse', { body: numbered(5) }, 'stall']));
  const seen = [];
  for await (const { data } of closing) {
    seen.push(data);
    if (data === '2') closing.close();
  }
  assert.deepEqual(seen, ['0', '1', '2']);

  const done = open(await server.on('/end-204', [{ head: { status: 204 } }]));
  for await (const event of done) assert.fail(event);

  const failing = open(await server.on('/end-404', [{ head: { status: 404, length: 0 } }]));
  await assert.rejects(async () => {
    for await (const event of failing) assert.fail(event);
  }, (error) => error instanceof Error && error.code === 'HTTP_STATUS' && error.status === 404);
  for await (const event of failing) assert.fail(event); // it is closed: nothing more, and no second throw
});

test('a final error is thrown by a loop that begins after it, once', async () => {
  const source = open(await server.on('/late-loop', [{ head: { status: 404, length: 0 } }]));
  await next(source, 'close');
  await assert.rejects(async () => { for await (const event of source) assert.fail(event); }, { code: 'HTTP_STATUS', status: 404 });
  for await (const event of source) assert.fail(event);

  const closed = open(await server.on('/late-closed', ['sse', 'stall']));
  await finish(closed);
  for await (const event of closed) assert.fail(event);
});

test('an iterator that was left says nothing more; return awaits its value', async () => {
  for (const leave of [(iterator) => iterator.return(), (iterator) => iterator.throw(new Error('mine')).catch(() => {})]) {
    const source = open(await server.on('/left', [{ head: { status: 404, length: 0 } }]));
    const iterator = source[Symbol.asyncIterator]();
    await next(source, 'close');
    await leave(iterator);
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  }
  const source = open(await server.on('/left-value', ['sse', 'stall']));
  assert.deepEqual(await source[Symbol.asyncIterator]().return(Promise.resolve(7)), { value: 7, done: true });
});

test('a final error is thrown even if the loop was busy when it came', async () => {
  const source = open(await server.on('/busy-error', [{ sse: { framing: 'chunked' } }, { body: numbered(2) }, 'reset']), { reconnect: 'never' });
  const seen = [];
  await assert.rejects(async () => {
    for await (const { data } of source) {
      seen.push(data);
      if (data === '1') await next(source, 'close');
    }
  }, { code: 'IO' });
  assert.deepEqual(seen, ['0', '1']);
});

test('next may be called ahead, and by several at once', async () => {
  const source = open(await server.on('/ahead', [{ sse: { framing: 'chunked' } }, { body: numbered(4) }, 'end']), { reconnect: 'never' });
  const a = source[Symbol.asyncIterator]();
  const b = source[Symbol.asyncIterator]();
  const ahead = Array.from({ length: 6 }, () => a.next());
  const seen = [];
  for await (const { data } of b) seen.push(data);
  assert.deepEqual(seen, upTo(4));
  const results = await Promise.all(ahead);
  assert.deepEqual(results.map(({ value, done }) => (done ? 'done' : value.data)), ['0', '1', '2', '3', 'done', 'done']);
  assert.deepEqual(await a.next(), { value: undefined, done: true });
  assert.deepEqual(await a.return('x'), { value: 'x', done: true });
  await assert.rejects(() => a.throw(new Error('y')), { message: 'y' });
});

test('listeners see the same events, in the same order, and other events keep their place', async () => {
  const body = 'data: 0\n\n: c\ndata: 1\n\n';
  const source = open(await server.on('/both', ['sse', { body }, 'fin'], [{ head: { status: 204 } }]), { retry: { first: 1 } });
  const seen = [];
  for (const type of ['open', 'message', 'comment', 'error', 'close']) source.addEventListener(type, () => seen.push(type));
  for await (const { data } of source) {
    seen.push(`loop ${data}`);
    await sleep(5);
    seen.push(`loop ${data} over`);
  }
  // What follows the last message does not wait for the loop.
  assert.deepEqual(seen.slice(0, 6), ['open', 'message', 'loop 0', 'loop 0 over', 'comment', 'message']);
  assert.deepEqual(seen.slice(6).filter((what) => !what.startsWith('loop')), ['error', 'close']);
});

test('beside a loop that never waits, who awaits one event after the other misses none', async () => {
  const source = open(await server.on('/beside', [{ sse: { framing: 'chunked' } }, { body: numbered(1000) }, 'end']), { reconnect: 'never' });
  const seen = [];
  const closed = next(source, 'close');
  const beside = (async () => {
    for (let event; (event = await Promise.race([next(source, 'message'), closed])).type !== 'close';) seen.push(event.data);
  })();
  const looped = [];
  for await (const { data } of source) looped.push(data);
  await beside;
  assert.deepEqual(looped, upTo(1000));
  assert.deepEqual(seen, upTo(1000));
});

test('nothing is read while the body of the loop is busy', async () => {
  const own = await startServer();
  const source = open(`${own.url}/flood?size=1000`);
  const iterator = source[Symbol.asyncIterator]();
  await iterator.next();
  const sent = async () => (await own.call('connections'))[0].sent ?? 0;
  // The server stops sending once the socket's buffers are full: two looks that agree, some turns apart.
  let before = -1;
  let now = await sent();
  for (let i = 0; i < 200 && before !== now; i++) {
    await sleep(50);
    [before, now] = [now, await sent()];
  }
  assert.equal(before, now);
  const start = now;
  for (let i = 0; i < 20000; i++) await iterator.next();
  assert.ok((await sent()) > start, `${start}`);
  await iterator.return();
  await own.stop();
});

test('while the body of the loop waits, what has come in the meantime keeps nobody busy', async () => {
  const steps = [{ sse: {} }, { body: 'data: 0\n\n' }];
  for (let i = 1; i < 60; i++) steps.push({ pause_ms: 50 }, { body: `data: ${i}\n\n` }); // all the time
  const source = open(await server.on('/waiting', [...steps, 'stall']));
  let least = Infinity;
  for await (const { data } of source) {
    if (data === '3') break;
    const used = process.cpuUsage();
    await sleep(700); // the next events are there, and the connection is readable
    const { user, system } = process.cpuUsage(used);
    least = Math.min(least, (user + system) / 1000); // V8's own threads may be at what came before
  }
  assert.ok(least < 350, `${least} ms of CPU in 700 of waiting`);
});

test('a loop that waits for nothing but events leaves room for other work', async () => {
  const source = open(`${server.url}/flood?size=100`);
  let timers = 0;
  const timer = setInterval(() => timers++, 1);
  let n = 0;
  for await (const _ of source) if (++n > 100000 && timers > 20) break;
  clearInterval(timer);
});
