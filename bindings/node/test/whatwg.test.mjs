// The interface of the standard: rows 1 to 9, 26 to 34 and 77 to 84 as far as they concern the class.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { EventSource, finish, next, open, record, script, several, startServer } from './support.mjs';

const { CONNECTING, OPEN, CLOSED } = EventSource;
let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const stream = (body, ...then) => ['sse', { body }, ...then];

describe('construction', () => {
  test('row 4: the constants are on class and instance, and cannot be changed', async () => {
    assert.deepEqual([CONNECTING, OPEN, CLOSED], [0, 1, 2]);
    const source = open(await server.on('/constants', ['stall']));
    assert.deepEqual([source.CONNECTING, source.OPEN, source.CLOSED], [0, 1, 2]);
    assert.throws(() => { 'use strict'; EventSource.OPEN = 7; }, TypeError);
    assert.throws(() => { 'use strict'; EventSource.prototype.OPEN = 7; }, TypeError);
    for (const where of [EventSource, EventSource.prototype]) {
      for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSED: 2 }))
        assert.deepEqual(Object.getOwnPropertyDescriptor(where, name), { value, writable: false, enumerable: true, configurable: false });
    }
    assert.equal(source.readyState, CONNECTING);
    await finish(source);
  });

  test('row 84: without new, and without an argument, it is a TypeError', () => {
    assert.throws(() => EventSource('http://127.0.0.1/'), TypeError);
    assert.throws(() => new EventSource(), TypeError);
    assert.equal(EventSource.length, 1);
    assert.equal(EventSource.name, 'EventSource');
  });

  test('row 84: the URL argument is made a string', async () => {
    const url = await server.on('/string', stream('data: x\n\n', 'stall'));
    for (const given of [new URL(url), { toString: () => url }]) {
      const source = open(given);
      assert.equal(source.url, url);
      await next(source, 'message');
      await finish(source);
    }
    assert.throws(() => new EventSource(Symbol('x')), TypeError);
  });

  test('row 1: a URL that cannot be parsed is a SyntaxError, at once', () => {
    for (const url of ['', 'nonsense', '/relative', '//127.0.0.1/', '?', 'http://', 'http://a b/', 'http://127.0.0.1:99999/', undefined, null]) {
      assert.throws(() => new EventSource(url), (error) => error instanceof DOMException && error.name === 'SyntaxError', String(url));
    }
  });

  test('row 2: url is the serialised URL, without userinfo', async () => {
    const source = open('HTTP://u:p%40@127.0.0.1:1/a b?ü#f');
    assert.equal(source.url, 'http://127.0.0.1:1/a%20b?%C3%BC#f');
    await finish(source);
  });

  test('row 2: what is no Unicode text becomes U+FFFD, a default port goes', async () => {
    const source = open('http://127.0.0.1:80/\ud800?\udc00', { retry: { retries: 0 } });
    assert.equal(source.url, 'http://127.0.0.1/%EF%BF%BD?%EF%BF%BD');
    await finish(source);
  });

  test('the message about a URL shows no password', () => {
    for (const url of ['http://me:secret@ho st/', 'http://me:sec@ret@ho st/', 'http://me:secret@127.0.0.1:99999/'])
      assert.throws(() => new EventSource(url), ({ name, message }) => name === 'SyntaxError' && !message.includes('sec'), url);
  });

  test('row 84: arguments are converted in order, before the URL is parsed', () => {
    const seen = [];
    const url = { toString: () => { seen.push('url'); return 'nonsense'; } };
    const init = { get headers() { seen.push('headers'); return undefined; }, get body() { seen.push('body'); return undefined; } };
    assert.throws(() => new EventSource(url, init), { name: 'SyntaxError' });
    assert.deepEqual(seen, ['url', 'headers', 'body']);
    assert.throws(() => new EventSource('nonsense', { nonsense: 1 }), TypeError);
    assert.throws(() => new EventSource({ toString() { throw new RangeError('mine'); } }), RangeError);
  });

  test('row 2: userinfo becomes Basic credentials', async () => {
    const url = await server.on('/basic', stream('', 'stall'));
    const source = open(url.replace('http://', 'http://me:s%C3%A9cret@'));
    await next(source, 'open');
    const [request] = await server.requestsOf('/basic', 1);
    assert.ok(request.raw_head.includes(`Basic ${Buffer.from('me:sécret').toString('base64')}`), request.raw_head);
    await finish(source);
  });

  test('an international name is sent as punycode', async () => {
    const source = open('http://bücher.invalid:1/', { retry: { retries: 0 }, connectTimeout: 0 }); // a resolver may take its time
    assert.equal(source.url, 'http://xn--bcher-kva.invalid:1/');
    const error = await next(source, 'error');
    assert.equal(error.code, 'DNS');
    await next(source, 'close');
  });

  test('row 3: withCredentials is reported and changes nothing', async () => {
    const url = await server.on('/credentials', stream('', 'stall'));
    const plain = open(url);
    const other = open(url, { withCredentials: true });
    assert.equal(plain.withCredentials, false);
    assert.equal(other.withCredentials, true);
    await Promise.all([next(plain, 'open'), next(other, 'open')]);
    const [a, b] = await server.requestsOf('/credentials', 2);
    assert.equal(a.raw_head, b.raw_head);
    await Promise.all([finish(plain), finish(other)]);
  });

  test('row 9: another scheme fails later, without a throw', async () => {
    for (const url of ['ftp://127.0.0.1/', 'data:text/event-stream,data:x%0A%0A', 'file:///etc/hosts']) {
      const source = new EventSource(url);
      const seen = record(source, 'open', 'message', 'error', 'close');
      assert.equal(source.readyState, CONNECTING);
      assert.deepEqual(seen, []);
      const error = await next(source, 'error');
      assert.equal(source.readyState, CLOSED);
      assert.equal(error.retryIn, -1);
      const close = await next(source, 'close');
      assert.equal(close.code, error.code);
      assert.deepEqual(seen, [['error'], ['close']]);
    }
    const closed = new EventSource('ftp://127.0.0.1/');
    const seen = record(closed, 'error', 'close');
    await finish(closed);
    assert.deepEqual(seen, [['close']]);
  });

  test('rows 5 to 8: the request', async () => {
    const source = open(await server.on('/request', stream('', 'stall')));
    await next(source, 'open');
    const [{ method, headers }] = await server.requestsOf('/request', 1);
    assert.equal(method, 'GET');
    const sent = (name) => headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
    assert.deepEqual(sent('accept'), ['text/event-stream']);
    assert.deepEqual(sent('cache-control'), ['no-cache']);
    assert.deepEqual(sent('pragma'), ['no-cache']);
    assert.deepEqual(sent('last-event-id'), []);
    await finish(source);
  });

  test('ESM and CommonJS give the same class', () => {
    assert.equal(createRequire(import.meta.url)('../index.js').EventSource, EventSource);
  });

  test('names, tags and attributes are where the IDL has them', async () => {
    const { prototype } = EventSource;
    for (const name of ['url', 'withCredentials', 'readyState', 'onopen', 'onmessage', 'onerror', 'onclose', 'close'])
      assert.equal(Object.getOwnPropertyDescriptor(prototype, name).enumerable, true, name);
    assert.equal(Object.prototype.toString.call(prototype), '[object EventSource]');
    assert.throws(() => prototype.readyState, TypeError);
    assert.throws(() => prototype.onopen, TypeError);
    const { get, set } = Object.getOwnPropertyDescriptor(prototype, 'onmessage');
    assert.deepEqual([get.name, set.name], ['get onmessage', 'set onmessage']);
    const source = open('http://127.0.0.1:1/');
    assert.throws(() => { 'use strict'; source.OPEN = 7; }, TypeError);
    assert.throws(() => { 'use strict'; source.url = 'x'; }, TypeError);
    assert.throws(() => { 'use strict'; source.readyState = 2; }, TypeError);
    assert.deepEqual(Object.keys(source), []);
    await finish(source);
  });
});

describe('events', () => {
  test('row 26: readyState is OPEN when open is dispatched, before any message arrives', async () => {
    const source = open(await server.on('/announce', ['sse', { wait_for: 'announced' }, { body: 'data: x\n\n' }, 'stall']));
    const event = await next(source, 'open');
    assert.equal(source.readyState, OPEN);
    assert.ok(event instanceof Event && !(event instanceof MessageEvent));
    assert.deepEqual([event.type, event.bubbles, event.cancelable, event.data], ['open', false, false, undefined]);
    assert.equal(event.target, source);
    const message = next(source, 'message');
    await server.go('announced');
    await message;
    await finish(source);
  });

  test('MessageEvent: data, lastEventId, origin, and what else it has', async () => {
    const source = open(await server.on('/message', stream('id: 7\nevent: add\ndata: a\ndata: b\n\n', 'stall')));
    const event = await next(source, 'add');
    assert.ok(event instanceof MessageEvent);
    assert.ok(event instanceof Event);
    assert.equal(event.constructor, MessageEvent);
    assert.equal(event.data, 'a\nb');
    assert.equal(event.lastEventId, '7');
    assert.equal(event.origin, server.url);
    assert.equal(event.source, null);
    assert.deepEqual(event.ports, []);
    assert.deepEqual([event.bubbles, event.cancelable, event.type], [false, false, 'add']);
    assert.equal(event.target, source);
    assert.equal(Object.prototype.toString.call(event), Object.prototype.toString.call(new MessageEvent('x')));
    assert.throws(() => { 'use strict'; event.data = 1; }, TypeError);
    if (MessageEvent.prototype.initMessageEvent !== undefined) {
      event.initMessageEvent('other', true, false, 'x', 'y', 'z');
      assert.deepEqual([event.type, event.bubbles, event.data, event.origin, event.lastEventId], ['other', true, 'x', 'y', 'z']);
    }
    await finish(source);
  });

  test('row 79: lastEventId stays until it is changed; row 78: type message is the default', async () => {
    const source = open(await server.on('/ids', stream(
      'data: 1\n\nid: a\ndata: 2\n\ndata: 3\n\nevent: x\nid\ndata: 4\n\ndata: 5\n\nid: ü\ndata: 6\n\nevent: é\ndata: 7\n\n'
        + `id: ${'long'.repeat(40)}\nevent: ${'type'.repeat(40)}\ndata: 8\n\nevent: ${'type'.repeat(40)}\ndata: 9\n\n`, 'stall')));
    const seen = [];
    const note = ({ type, data, lastEventId }) => seen.push([type, data, lastEventId]);
    for (const type of ['message', 'x', 'é']) source.addEventListener(type, note);
    source.addEventListener('type'.repeat(40), note);
    while (seen.length < 9) await new Promise(setImmediate);
    const long = 'long'.repeat(40);
    assert.deepEqual(seen, [
      ['message', '1', ''], ['message', '2', 'a'], ['message', '3', 'a'], ['x', '4', ''], ['message', '5', ''],
      ['message', '6', 'ü'], ['é', '7', 'ü'], ['type'.repeat(40), '8', long], ['type'.repeat(40), '9', long],
    ]);
    await finish(source);
  });

  test('row 80: origin is that of the final URL; row 2: url is not changed by redirects', async () => {
    const other = await server.call('start', {}, null);
    await server.call('on', { path: '/there', steps: stream('data: x\n\n', 'stall') }, other.server);
    const url = await server.on('/here', [{ redirect: [302, `${other.url}/there`] }]);
    const source = open(url);
    const event = await next(source, 'message');
    assert.equal(event.origin, other.url);
    assert.equal(source.url, url);
    await finish(source);
  });

  test('row 81: typed events go to their listeners only; names of ours are ordinary types', async () => {
    const source = open(await server.on('/typed', stream(
      'event: open\ndata: 1\n\nevent: error\ndata: 2\n\nevent: close\ndata: 3\n\nevent: comment\ndata: 4\n\n: 5\nevent: x\ndata: 6\n\ndata: end\n\n', 'stall')));
    const seen = record(source, 'open', 'error', 'close', 'comment', 'x', 'message');
    await next(source, 'message');
    assert.deepEqual(seen, [['open'], ['open', '1'], ['error', '2'], ['close', '3'], ['comment', '4'], ['comment'], ['x', '6'], ['message', 'end']]);
    assert.equal(source.readyState, OPEN);
    await finish(source);
  });

  test('a comment is an event of its own', async () => {
    const source = open(await server.on('/comment', stream(': keep alive\n:ü\n', 'stall')));
    const comments = await several(source, 'comment', 2);
    assert.deepEqual(comments.map(({ data }) => data), [' keep alive', 'ü']);
    assert.ok(!(comments[0] instanceof MessageEvent));
    await finish(source);
  });

  test('row 82: an event is dispatched while the server holds the connection', async () => {
    const source = open(await server.on('/once-complete', ['sse', { body: 'data: 1\n\n' }, { wait_for: 'more' }, { body: 'data: 2\n\n' }, 'stall']));
    assert.equal((await next(source, 'message')).data, '1');
    const second = next(source, 'message');
    await server.go('more');
    assert.equal((await second).data, '2');
    await finish(source);
  });

  test('rows 35, 36: the end of a connection gives CONNECTING, then error, then another attempt', async () => {
    const url = await server.on('/again', stream('id: 1\ndata: a\n\n', 'fin'), stream('data: b\n\n', 'stall'));
    const source = open(url, { retry: { first: 20 } });
    const seen = record(source, 'open', 'message', 'error');
    const error = await next(source, 'error');
    assert.equal(source.readyState, CONNECTING);
    assert.equal(error.code, 'ENDED');
    assert.ok(error.retryIn >= 20 && error.retryIn <= 24, String(error.retryIn));
    assert.deepEqual([error.bubbles, error.cancelable], [false, false]);
    await next(source, 'message');
    assert.deepEqual(seen, [['open'], ['message', 'a'], ['error'], ['open'], ['message', 'b']]);
    const [, second] = await server.requestsOf('/again', 2);
    assert.ok(second.raw_head.includes('1'));
    assert.equal(second.headers.find(([name]) => name.toLowerCase() === 'last-event-id')[1], '1');
    await finish(source);
  });

  test('row 28: fail: CLOSED, one error, close, never again', async () => {
    const url = await server.on('/refused', [
      { head: { status: 404, headers: [['X-Why', 'gone'], ['X-Latin', { base64: '6Q==' }], ['Content-Type', 'text/plain']], length: 9 } }, { body: 'not hereü' }]);
    const source = new EventSource(url);
    const seen = record(source, 'open', 'message', 'error', 'close');
    let ready;
    source.onerror = () => { ready = source.readyState; };
    const [error] = await once(source, 'error');
    assert.equal(ready, CLOSED);
    assert.deepEqual([error.code, error.status, error.retryIn, error.body], ['HTTP_STATUS', 404, -1, 'not here\ufffd']);
    assert.ok(error.headers instanceof Headers);
    assert.equal(error.headers.get('x-why'), 'gone');
    assert.equal(typeof error.message, 'string');
    assert.ok(error.message.length > 0);
    const close = await next(source, 'close');
    assert.deepEqual([close.code, close.status, close.message.length > 0], ['HTTP_STATUS', 404, true]);
    assert.deepEqual(seen, [['error'], ['close']]);
    assert.equal((await server.requests()).filter(({ target }) => target === '/refused').length, 1);
  });

  test('row 12: 204 gives close with code ENDED and status 204, and no error', async () => {
    const url = await server.on('/204', [{ head: { status: 204 } }]);
    const source = new EventSource(url);
    const seen = record(source, 'error', 'close');
    const close = await next(source, 'close');
    assert.deepEqual([close.code, close.status, source.readyState], ['ENDED', 204, CLOSED]);
    assert.deepEqual(seen, [['close']]);
  });

  test('rows 11, 12: with standardStatus 204 and 503 are final errors', async () => {
    for (const status of [204, 206, 503]) {
      const url = await server.on(`/standard-${status}`, [{ head: { status, length: 0 } }]);
      const source = new EventSource(url, { standardStatus: true });
      const seen = record(source, 'error', 'close');
      const error = await next(source, 'error');
      assert.deepEqual([error.code, error.status, error.retryIn], ['HTTP_STATUS', status, -1]);
      await next(source, 'close');
      assert.deepEqual(seen, [['error'], ['close']]);
    }
  });
});

// What comes after open has arrived when the handler of open returns.
const dawdle = () => { for (const until = performance.now() + 100; performance.now() < until;); };

describe('who awaits one event after the other', () => {
  test('misses none that came along with it', async () => {
    const url = await server.on('/awaited', stream('data: 1\n\ndata: 2\n\n: c\ndata: 3\n\n', 'fin'), [{ head: { status: 404 } }]);
    const source = open(url, { retry: { first: 1 } });
    source.onopen = dawdle;
    await once(source, 'open');
    for (const data of ['1', '2']) assert.equal((await once(source, 'message'))[0].data, data);
    await once(source, 'comment');
    assert.equal((await once(source, 'message'))[0].data, '3');
    for (const code of ['ENDED', 'HTTP_STATUS']) assert.equal((await once(source, 'error'))[0].code, code);
    assert.equal((await once(source, 'close'))[0].status, 404);
  });

  test('begins a loop after open that has everything', async () => {
    // Head and events in one write, so that they are read together.
    const serving = net.createServer((socket) => socket.on('error', () => {}).once('data', () =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n'))).listen(0, '127.0.0.1').unref();
    await once(serving, 'listening');
    const source = open(`http://127.0.0.1:${serving.address().port}/`);
    const dispatched = record(source, 'message');
    await once(source, 'open');
    assert.deepEqual(dispatched, []);
    const seen = [];
    for await (const { data } of source) if (seen.push(data) === 2) break;
    assert.deepEqual(seen, ['1', '2']);
    serving.close();
  });

  test('closes before the next', async () => {
    const source = open(await server.on('/awaited-close', stream('data: 1\n\ndata: 2\n\n', 'stall')));
    source.onopen = dawdle;
    const seen = record(source, 'message', 'close');
    await once(source, 'message');
    source.close();
    await once(source, 'close');
    assert.deepEqual(seen, [['message', '1'], ['close']]);
  });
});

describe('close', () => {
  test('row 30: its code is NONE though the stream has ended meanwhile, and nothing of what is dropped shows', async () => {
    const body = 'data: \u00e41\n\ndata: \u00e42 secret\n\ndata: \u00e43\n\n';
    const source = open(await server.on('/close-ended', [{ sse: { framing: 'chunked' } }, { body }, 'end']), { reconnect: 'never' });
    source.onopen = dawdle;
    const seen = record(source, 'message', 'error');
    source.onmessage = () => source.close();
    const { code, message, status } = await next(source, 'close');
    assert.deepEqual([code, message, status], ['NONE', 'closed by the application', 200]);
    assert.deepEqual(seen, [['message', '\u00e41']]);
  });

  test('rows 30, 31: CLOSED at once; nothing but close, from a task of its own', async () => {
    const source = open(await server.on('/close', stream('data: 1\n\ndata: 2\n\n: c\ndata: 3\n\n', 'fin')), { retry: { first: 0 } });
    const seen = record(source, 'open', 'message', 'comment', 'error', 'close');
    let task = 'none';
    source.addEventListener('message', () => {
      source.close();
      assert.equal(source.readyState, CLOSED);
      source.close();
      task = 'handler';
      queueMicrotask(() => { task = 'microtask'; });
    });
    const close = await next(source, 'close');
    assert.equal(task, 'microtask');
    assert.deepEqual([close.code, close.status, close.bubbles, close.cancelable], ['NONE', 200, false, false]);
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    assert.deepEqual(seen, [['open'], ['message', '1'], ['close']]);
    source.close();
    assert.equal(source.readyState, CLOSED);
  });

  test('the close of a stream that has ended has a task of its own, too', async () => {
    // Message and end come in one burst more often than not, and then the library is done before the handlers are.
    for (let i = 0; i < 20; i++) {
      const source = open(await server.on('/own-task', [{ events: 'data: 1\n\ndata: 2\n\n' }]), { reconnect: 'never' });
      let task = 'none';
      source.onmessage = () => {
        task = 'handler';
        const until = performance.now() + 2;
        while (performance.now() < until);
        queueMicrotask(() => { task = 'microtask'; });
      };
      await new Promise((resolve) => { source.onclose = () => resolve(assert.equal(task, 'microtask')); });
    }
  });

  test('row 32: close in each kind of handler', async () => {
    const paths = {
      open: stream('data: x\n\n', 'stall'),
      message: stream('data: x\n\ndata: y\n\n', 'stall'),
      comment: stream(': x\ndata: y\n\n', 'stall'),
      error: ['fin'],
    };
    for (const [type, steps] of Object.entries(paths)) {
      const source = new EventSource(await server.on(`/close-in-${type}`, steps));
      const seen = record(source, 'open', 'message', 'comment', 'error', 'close');
      source.addEventListener(type, () => source.close());
      const close = await next(source, 'close');
      assert.equal(close.code, 'NONE', type);
      assert.deepEqual(seen.at(-2)[0], type);
      assert.equal(seen.length, type === 'open' || type === 'error' ? 2 : 3, JSON.stringify(seen));
    }
  });

  test('the listeners of an event in progress are all called, as in any EventTarget', async () => {
    const source = open(await server.on('/close-listeners', stream('data: 1\n\ndata: 2\n\n', 'stall')));
    const seen = [];
    source.addEventListener('message', ({ data }) => { seen.push(`a${data}`); source.close(); });
    source.addEventListener('message', ({ data }) => seen.push(`b${data}`));
    await next(source, 'close');
    assert.deepEqual(seen, ['a1', 'b1']);
  });

  test('a source closed in the turn that made it gives close alone, and makes no request', async () => {
    const source = new EventSource(await server.on('/at-once', ['stall']));
    const seen = record(source, 'open', 'error', 'close');
    source.close();
    assert.deepEqual(seen, []);
    await next(source, 'close');
    assert.deepEqual(seen, [['close']]);
    assert.equal((await server.requests()).filter(({ target }) => target === '/at-once').length, 0);
  });

  test('row 33: close during the wait for a retry', async () => {
    const source = new EventSource(await server.on('/wait', ['fin']), { retry: { first: 3600_000, max: 3600_000 } });
    await next(source, 'error');
    const close = await finish(source);
    assert.equal(close.code, 'NONE');
  });

  test('row 34: close ends the connection', async () => {
    const own = await startServer();
    const source = new EventSource(await own.on('/x', stream('', 'stall')));
    await next(source, 'open');
    await own.call('wait_for_open', { n: 1 });
    await finish(source);
    await own.call('wait_for_peer_end', { number: 0 });
    await own.stop();
  });
});

test('the program of the README', async () => {
  const url = await server.on('/readme', stream('data: hello\n\n', 'stall'));
  const { code, stdout, stderr } = await script(`
    import { EventSource } from 'libeventsource';

    const source = new EventSource(process.argv[1]);
    source.addEventListener('open', () => console.log('open', source.readyState));
    source.addEventListener('message', (event) => {
      console.log('message', event.data);
      source.close();
    });
    source.addEventListener('error', (event) => console.log('error', event.message));
    source.addEventListener('close', () => console.log('close', source.readyState));
  `, [url]);
  assert.equal(stderr, '');
  assert.equal(stdout, 'open 1\nmessage hello\nclose 2\n');
  assert.equal(code, 0);
});

test('a look at a source and its events in the console', async () => {
  const { inspect } = await import('node:util');
  const source = open(await server.on('/inspect', stream('data: hello\n\n', 'stall')));
  const event = await next(source, 'message');
  assert.match(inspect(event), /MessageEvent \{.*data: 'hello'/s);
  assert.match(inspect(source), /EventSource \{.*readyState: 1/s);
  for (const prototype of [Object.getPrototypeOf(event), EventSource.prototype]) assert.equal(typeof inspect(prototype), 'string');
  await finish(source);
});
