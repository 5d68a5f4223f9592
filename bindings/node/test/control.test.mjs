// Header functions, pause, resume, reconnect, retry, setHeader, ref and unref.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EventSource, finish, header, next, open, record, script, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const quiet = ['sse', 'stall'];
const turn = () => new Promise(setImmediate);

describe('header functions', () => {
  for (const [kind, make] of Object.entries({
    sync: (f) => f,
    async: (f) => async (about) => { await turn(); return f(about); },
    thenable: (f) => (about) => ({ then: (resolve) => setImmediate(() => resolve(f(about))) }),
  })) {
    test(`${kind}: called before every attempt, and its answer goes with that attempt`, async () => {
      const where = `/provider-${kind}`;
      const url = await server.on(where, ['sse', { body: 'id: 5\ndata: x\n\n' }, 'fin'], quiet);
      const asked = [];
      const source = open(url, {
        retry: { first: 5 },
        headers: make(({ url: to, lastEventId, signal }) => {
          asked.push([to, lastEventId, signal.aborted]);
          return { 'X-Attempt': String(asked.length), Authorization: `token ${asked.length}` };
        }),
      });
      await next(source, 'error');
      await next(source, 'open');
      const requests = await server.requestsOf(where, 2);
      assert.deepEqual(requests.map((request) => [header(request, 'x-attempt'), header(request, 'authorization')]), [['1', 'token 1'], ['2', 'token 2']]);
      assert.deepEqual(asked, [[url, '', false], [url, '5', false]]);
      await finish(source);
    });
  }

  test('what it leaves out is not sent any more; Headers, pairs and undefined are answers', async () => {
    const url = await server.on('/provider-less', ['fin'], ['fin'], ['fin'], quiet);
    const answers = [{ 'X-A': '1', 'X-B': '2' }, new Headers({ 'x-b': '3' }), [['X-C', '4']], undefined];
    const source = open(url, { retry: { first: 1, max: 1 }, headers: () => answers.shift() });
    await next(source, 'open');
    const requests = await server.requestsOf('/provider-less', 4);
    assert.deepEqual(requests.map((request) => ['x-a', 'x-b', 'x-c'].map((name) => header(request, name))),
      [['1', '2', undefined], [undefined, '3', undefined], [undefined, undefined, '4'], [undefined, undefined, undefined]]);
    await finish(source);
  });

  test('secretHeaders as a function: its headers stay in the origin', async () => {
    const other = await server.call('start', {}, null);
    await server.call('on', { path: '/there', steps: quiet }, other.server);
    const url = await server.on('/provider-secret', [{ redirect: [307, `${other.url}/there`] }]);
    const source = open(url, { headers: async () => ({ 'X-Open': '1' }), secretHeaders: () => ({ 'X-Secret': '2' }) });
    await next(source, 'open');
    const [first] = await server.requestsOf('/provider-secret', 1);
    const [second] = await server.call('wait_for_requests', { n: 1 }, other.server);
    assert.deepEqual([header(first, 'x-open'), header(first, 'x-secret')], ['1', '2']);
    assert.deepEqual([header(second, 'x-open'), header(second, 'x-secret')], ['1', undefined]);
    await finish(source);
  });

  for (const [what, headers] of Object.entries({
    'a throw': () => { throw new Error('no token'); },
    'a rejection': async () => { throw new Error('no token'); },
    'a rejection with no error': () => Promise.reject('no token'),
    'a header that cannot be sent': () => ({ 'no token': '1' }),
    'an asynchronous header that cannot be sent': async () => ({ 'no token': '1' }),
    'an answer of the wrong type': () => 'no token',
    'silence for the connect timeout': () => new Promise(() => {}),
  })) {
    test(`${what} fails the attempt, with the usual wait and no request`, async () => {
      const where = `/provider-${what.replaceAll(' ', '-')}`;
      const source = new EventSource(await server.on(where, quiet), { connectTimeout: 30, retry: { first: 3, max: 3, retries: 2 }, headers });
      const errors = [];
      source.onerror = ({ code, message, retryIn }) => errors.push([code, message, retryIn]);
      await next(source, 'close');
      assert.equal(errors.length, 3);
      assert.ok(errors.every(([code]) => code === 'APPLICATION'), JSON.stringify(errors));
      if (what.includes('no error') || what.startsWith('a throw')) assert.ok(errors[0][1].includes('no token'), errors[0][1]);
      assert.deepEqual(errors.map(([, , retryIn]) => retryIn < 0), [false, false, true]);
      assert.equal((await server.requests()).filter(({ target }) => target === where).length, 0);
    });
  }

  test('one function throws, the other rejects: one error, and no rejection that nobody handles', async () => {
    const { code, stdout, stderr } = await script(`
      import { EventSource } from 'libeventsource';
      let aborted = false;
      const source = new EventSource(process.argv[1], {
        retry: { retries: 0 },
        headers: ({ signal }) => {
          signal.onabort = () => { aborted = true; };
          return new Promise((resolve, reject) => setTimeout(reject, 5, new Error('late')));
        },
        secretHeaders: () => { throw new Error('early'); },
      });
      source.onerror = ({ code, message }) => console.log(code, message, aborted);
      setTimeout(() => {}, 50);`, [server.url]);
    assert.deepEqual([code, stdout, stderr], [0, 'APPLICATION the header function: early true\n', '']);
  });

  test('what a failing answer has set is left out like everything else', async () => {
    const url = await server.on('/provider-partly', quiet);
    const answers = [{ 'X-A': '1' }, [['X-B', '2'], ['not a name', '3']], { 'X-C': '4' }];
    const source = open(url, { retry: { first: 1, max: 1 }, headers: () => answers.shift() });
    await next(source, 'open');
    source.reconnect();
    const { code } = await next(source, 'error');
    assert.equal(code, 'APPLICATION');
    await next(source, 'open');
    const requests = await server.requestsOf('/provider-partly', 2);
    assert.deepEqual(requests.map((request) => ['x-a', 'x-b', 'x-c'].map((name) => header(request, name))),
      [['1', undefined, undefined], [undefined, undefined, '4']]);
    await finish(source);
  });

  test('a Last-Event-ID that it leaves out the next time is not taken back', async () => {
    const url = await server.on('/provider-place', ['sse', { body: 'id: 9\ndata: x\n\n' }, 'fin'], quiet);
    const answers = [{ 'Last-Event-ID': '5' }, {}];
    const source = open(url, { retry: { first: 1, max: 1 }, headers: () => answers.shift() });
    await next(source, 'error');
    await next(source, 'open');
    const requests = await server.requestsOf('/provider-place', 2);
    assert.deepEqual(requests.map((request) => header(request, 'last-event-id')), ['5', '9']);
    await finish(source);
  });

  test('after a failed answer the source goes on: the next attempt is asked for and made', async () => {
    const url = await server.on('/provider-recovers', ['sse', { body: 'data: x\n\n' }, 'stall']);
    const ways = [() => Promise.reject(new Error('no')), () => { throw new Error('no'); }, () => new Promise(() => {}), async () => ({})];
    const source = open(url, { connectTimeout: 500, retry: { first: 1, max: 1 }, headers: () => (ways.length > 1 ? ways.shift() : ways[0])() });
    const seen = record(source, 'open', 'message', 'error', 'close');
    await next(source, 'message');
    // Three, or more where the half second is too short for the connection.
    assert.deepEqual(seen.slice(0, 3), [['error'], ['error'], ['error']]);
    assert.deepEqual(seen.slice(3).filter(([type]) => type !== 'error'), [['open'], ['message', 'x']]);
    await finish(source);
  });

  test('the signal is aborted when the time is up', async () => {
    const reasons = [];
    const source = open(`${server.url}/provider-signal`, {
      connectTimeout: 20,
      headers: ({ signal }) => new Promise(() => signal.addEventListener('abort', () => reasons.push('aborted'))),
    });
    await next(source, 'error');
    assert.deepEqual(reasons, ['aborted']);
    await finish(source);
  });

  test('a late rejection does not fail the next attempt', async () => {
    const url = await server.on('/late-rejection', quiet);
    const questions = [];
    const source = open(url, { headers: () => new Promise((resolve, reject) => questions.push({ resolve, reject })) });
    const seen = record(source, 'open', 'error');
    const asked = async (n) => { while (questions.length < n) await turn(); };
    await asked(1);
    source.reconnect();
    await asked(2);
    questions[0].reject(new Error('late'));
    for (let i = 0; i < 5; i++) await turn();
    questions[1].resolve({});
    await next(source, 'open');
    assert.deepEqual(seen, [['open']]);
    await finish(source);
  });

  test('nothing else of the source is delayed: close abandons the question', async () => {
    const source = new EventSource(`${server.url}/abandoned-1`, { headers: ({ signal: given }) => { signal = given; return new Promise(() => {}); } });
    let signal;
    while (signal === undefined) await turn();
    assert.equal(signal.aborted, false);
    const seen = record(source, 'open', 'error', 'close');
    const close = await finish(source);
    assert.equal(close.code, 'NONE');
    assert.equal(signal.aborted, true);
    assert.deepEqual(seen, [['close']]);
  });

  test('pause and reconnect abandon the question; a late answer is not used', async () => {
    const url = await server.on('/abandoned-2', quiet);
    const questions = [];
    const source = open(url, { headers: ({ signal }) => new Promise((resolve) => questions.push({ signal, resolve })) });
    const asked = async (n) => { while (questions.length < n) await turn(); };
    await asked(1);
    source.reconnect();
    await asked(2);
    assert.equal(questions[0].signal.aborted, true);
    source.pause();
    assert.equal(questions[1].signal.aborted, true);
    questions[1].resolve({ 'X-A': 'late' });
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(questions.length, 2);
    source.resume();
    await asked(3);
    questions[0].resolve({ 'X-A': 'late' });
    for (let i = 0; i < 5; i++) await turn();
    questions[2].resolve({ 'X-A': 'now' });
    await next(source, 'open');
    const requests = await server.requestsOf('/abandoned-2', 1);
    assert.deepEqual(requests.map((request) => header(request, 'x-a')), ['now']);
    await finish(source);
  });

  test('close, pause and reconnect from inside the function', async () => {
    const closing = new EventSource(`${server.url}/inside-1`, { headers: () => { closing.close(); return {}; } });
    const seen = record(closing, 'open', 'error', 'close');
    await next(closing, 'close');
    assert.deepEqual(seen, [['close']]);
    assert.equal((await server.requests()).filter(({ target }) => target === '/inside-1').length, 0);

    let calls = 0;
    const pausing = open(await server.on('/inside-2', quiet), { headers: () => { if (++calls === 1) pausing.pause(); return {}; } });
    while (calls === 0) await turn();
    for (let i = 0; i < 50; i++) await turn();
    assert.deepEqual([pausing.readyState, calls], [0, 1]);
    pausing.resume();
    await next(pausing, 'open');
    assert.equal(calls, 2);
    await finish(pausing);

    let times = 0;
    const again = open(await server.on('/inside-3', quiet), { headers: () => { if (++times === 1) again.reconnect(); return {}; } });
    await next(again, 'open');
    assert.equal(times, 2);
    assert.equal((await server.requests()).filter(({ target }) => target === '/inside-3').length, 1);
    await finish(again);
  });

  test('the same from inside of one that answers later, or never', async () => {
    let signal;
    const never = (act) => async ({ signal: given }) => {
      signal = given;
      act();
      await new Promise(() => {});
    };
    const closing = new EventSource(`${server.url}/within-1`, { connectTimeout: 0, headers: never(() => closing.close()) });
    const seen = record(closing, 'open', 'error', 'close');
    await next(closing, 'close');
    assert.deepEqual([seen, signal.aborted], [[['close']], true]);

    for (const call of ['pause', 'reconnect']) {
      let calls = 0;
      const source = open(await server.on(`/within-${call}`, quiet), {
        connectTimeout: 0,
        headers: async (about) => (++calls === 1 ? never(() => source[call]())(about) : { 'X-A': `${calls}` }),
      });
      if (call === 'pause') {
        while (calls === 0) await turn();
        for (let i = 0; i < 20; i++) await turn();
        assert.equal(calls, 1);
        source.resume();
      }
      await next(source, 'open');
      assert.equal(signal.aborted, true);
      assert.deepEqual((await server.requestsOf(`/within-${call}`, 1)).map((request) => header(request, 'x-a')), ['2']);
      await finish(source);
    }
  });

  test('resume without a pause, and reconnect in one, change nothing', async () => {
    let give;
    const url = await server.on('/needless', quiet);
    const source = open(url, { headers: () => new Promise((resolve) => (give = resolve)) });
    while (give === undefined) await turn();
    source.resume(); // and does not take the question back
    for (let i = 0; i < 20; i++) await turn();
    give({ 'X-A': 'asked' });
    await next(source, 'open');
    assert.equal(header((await server.requestsOf('/needless', 1))[0], 'x-a'), 'asked');
    source.resume();
    assert.equal(source.readyState, EventSource.OPEN);
    source.pause();
    source.pause();
    source.reconnect();
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(source.readyState, EventSource.CONNECTING);
    assert.equal((await server.requestsOf('/needless', 1)).length, 1);
    give = undefined;
    source.resume();
    while (give === undefined) await turn();
    give({});
    await next(source, 'open');
    await finish(source);
  });

  test('whatever it throws is an error of the attempt', async () => {
    const wild = [Object.create(null), { get message() { throw new Error('no'); } }, { toString: null }, Symbol('s'), undefined, null, 0, 'a\0b'];
    for (const thrown of wild) {
      for (const headers of [() => { throw thrown; }, () => Promise.reject(thrown)]) {
        const source = new EventSource(`${server.url}/wild`, { headers, retry: { retries: 0 } });
        assert.equal((await next(source, 'error')).code, 'APPLICATION');
        await next(source, 'close');
      }
    }
    const source = new EventSource(`${server.url}/wild`, { headers: () => ({ get then() { throw new Error('no then'); } }), retry: { retries: 0 } });
    assert.match((await next(source, 'error')).message, /no then/);
    await next(source, 'close');
  });

  test('a header that one function leaves out and the other gives is sent', async () => {
    const where = '/taken-over';
    const url = await server.on(where, ['sse', 'fin'], ['sse', 'fin'], quiet);
    let attempt = 0;
    const source = open(url, {
      retry: { first: 1, max: 1 },
      headers: () => (++attempt === 2 ? { 'X-A': 'plain' } : {}),
      secretHeaders: () => (attempt === 2 ? {} : { 'x-a': 'secret' }),
    });
    const requests = await server.requestsOf(where, 3);
    assert.deepEqual(requests.map((request) => header(request, 'x-a')), ['secret', 'plain', 'secret']);
    await finish(source);
  });

  test('an open question keeps the process alive, an unref source does not', async () => {
    const text = (extra) => `
      import { EventSource } from 'libeventsource';
      const source = new EventSource(process.argv[1], { headers: () => new Promise((resolve) => setTimeout(resolve, 50, {}).unref()) })${extra};
      source.onopen = () => { console.log('open'); source.close(); };`;
    const url = await server.on('/question', quiet);
    const held = await script(text(''), [url]);
    assert.deepEqual([held.code, held.stdout, held.stderr], [0, 'open\n', '']);
    const free = await script(text('.unref()'), [url]);
    assert.deepEqual([free.code, free.stdout, free.stderr], [0, '', '']);
  });
});

describe('setHeader', () => {
  test('from the next attempt on; null removes; secret', async () => {
    const url = await server.on('/set', ['sse', 'fin'], ['sse', 'fin'], ['sse', 'fin'], quiet);
    const source = open(url, { headers: { 'X-A': '0' }, retry: { first: 1, max: 1 } });
    const values = ['1', null, 2];
    source.onerror = () => source.setHeader('X-A', values.shift(), { secret: true });
    for (let i = 0; i < 4; i++) await next(source, 'open');
    const requests = await server.requestsOf('/set', 4);
    assert.deepEqual(requests.map((request) => header(request, 'x-a')), ['0', '1', undefined, '2']);
    await finish(source);
  });

  test('stays, though a function that has given it before leaves it out', async () => {
    const url = await server.on('/set-over', ['sse', 'fin'], ['sse', 'fin'], ['sse', 'fin'], quiet);
    const answers = [{ 'X-A': '0' }, {}, { 'X-A': '2' }, {}];
    const source = open(url, { headers: () => answers.shift(), retry: { first: 1, max: 1 } });
    source.addEventListener('error', () => source.setHeader('x-a', '1'), { once: true });
    for (let i = 0; i < 4; i++) await next(source, 'open');
    const requests = await server.requestsOf('/set-over', 4);
    assert.deepEqual(requests.map((request) => header(request, 'x-a')), ['0', '1', '2', undefined]);
    await finish(source);
  });

  test('wrong ones are TypeErrors with the name', async () => {
    const source = open(await server.on('/set-wrong', quiet));
    for (const [name, value, options] of [['a b', 'x'], ['a', 'x\ny'], ['a', 'x\0'], ['a\0', 'x'], ['Host', 'x'], ['', 'x']])
      assert.throws(() => source.setHeader(name, value, options), (error) => error instanceof TypeError && error.message.includes(`'${name}'`));
    assert.throws(() => source.setHeader('a', 'x', { sercet: true }), /sercet/);
    for (const secret of [1, 'yes', {}, 0, ''])
      assert.throws(() => source.setHeader('a', 'x', { secret }), { name: 'TypeError', message: /'secret'/ });
    source.setHeader('a', 'x', { secret: undefined });
    for (const options of [true, 1, 'secret']) assert.throws(() => source.setHeader('a', 'x', options), TypeError);
    for (const few of [[], ['a']]) assert.throws(() => source.setHeader(...few), TypeError);
    await finish(source);
    source.setHeader('a', 'x'); // nothing left to set it on
  });
});

describe('retry', () => {
  test('in an error handler, with a delay of its own, revives a final error', async () => {
    const url = await server.on('/retry', [{ head: { status: 401, length: 0 } }], quiet);
    const source = open(url);
    const seen = record(source, 'open', 'error', 'close');
    let answered;
    source.addEventListener('error', () => {
      assert.equal(source.readyState, EventSource.CLOSED);
      source.setHeader('Authorization', 'fresh');
      answered = source.retry(0);
      assert.equal(source.readyState, EventSource.CONNECTING);
    }, { once: true });
    await next(source, 'open');
    assert.equal(answered, true);
    assert.deepEqual(seen, [['error'], ['open']]);
    const requests = await server.requestsOf('/retry', 2);
    assert.deepEqual(requests.map((request) => header(request, 'authorization')), [undefined, 'fresh']);
    await finish(source);
  });

  test('without a delay it is the wait of the library', async () => {
    const source = open(await server.on('/retry-own', [{ head: { status: 401, length: 0 } }], quiet), { retry: { first: 5 } });
    source.onerror = () => assert.equal(source.retry(), true);
    await next(source, 'open');
    await finish(source);
  });

  test('replaces the wait of an error that is retried anyway', async () => {
    const source = open(await server.on('/retry-sooner', ['fin'], quiet), { retry: { first: 3600_000, max: 3600_000 } });
    source.onerror = () => source.retry(1);
    await next(source, 'open');
    await finish(source);
  });

  test('microtasks of the handler are still in time, later tasks are not', async () => {
    const source = open(await server.on('/retry-micro', [{ head: { status: 401, length: 0 } }], quiet));
    source.onerror = async () => {
      await null;
      await Promise.resolve();
      assert.equal(source.retry(0), true);
    };
    await next(source, 'open');
    await finish(source);

    const late = new EventSource(await server.on('/retry-late', [{ head: { status: 401, length: 0 } }]));
    await next(late, 'close');
    assert.equal(late.retry(0), false);
    assert.equal(late.readyState, EventSource.CLOSED);
  });

  test('elsewhere it does nothing; a wrong delay is a TypeError', async () => {
    const source = open(await server.on('/retry-elsewhere', ['sse', { body: 'data: x\n\n' }, 'fin']), { retry: { first: 3600_000, max: 3600_000 } });
    assert.equal(source.retry(0), false);
    source.onmessage = () => assert.equal(source.retry(0), false);
    await next(source, 'error');
    for (const delay of [-1, NaN, '1', null]) assert.throws(() => source.retry(delay), TypeError);
    await finish(source);
  });
});

describe('pause, resume, reconnect', () => {
  test('pause disconnects and keeps the place', async () => {
    const own = await startServer();
    const url = await own.on('/x', ['sse', { body: 'id: 1\ndata: a\n\n' }, 'stall'], ['sse', { body: 'data: b\n\n' }, 'stall']);
    const source = open(url);
    const seen = record(source, 'open', 'message', 'error', 'close');
    await next(source, 'message');
    source.pause();
    assert.equal(source.readyState, EventSource.CONNECTING);
    source.pause();
    await own.call('wait_for_peer_end', { number: 0 });
    for (let i = 0; i < 20; i++) await turn();
    assert.equal((await own.requests()).length, 1);
    source.resume();
    source.resume();
    await next(source, 'message');
    assert.deepEqual(seen, [['open'], ['message', 'a'], ['open'], ['message', 'b']]);
    const requests = await own.requestsOf('/x', 2);
    assert.equal(header(requests[1], 'last-event-id'), '1');
    await finish(source);
    await own.stop();
  });

  test('the rest of a burst is handed out after pause and reconnect; nothing comes twice', async () => {
    for (const call of ['pause', 'reconnect']) {
      const where = `/rest-${call}`;
      const body = Array.from({ length: 50 }, (_, i) => `id: ${i}\ndata: ${i}\n\n`).join('');
      const source = open(await server.on(where, ['sse', { body }, 'stall'], ['sse', { body: 'data: end\n\n' }, 'stall']));
      const seen = [];
      source.addEventListener('message', ({ data }) => {
        if (seen.push(data) === 1) {
          source[call]();
          assert.equal(source.readyState, EventSource.CONNECTING);
        }
      });
      await next(source, 'message');
      for (let i = 0; i < 20; i++) await turn();
      source.resume();
      while (seen.at(-1) !== 'end') await next(source, 'message');
      const [, again] = await server.requestsOf(where, 2);
      const place = Number(header(again, 'last-event-id'));
      assert.deepEqual(seen, [...Array.from({ length: place + 1 }, (_, i) => String(i)), 'end']);
      await finish(source);
    }
  });

  test('reconnect drops the connection, or the wait, and connects at once', async () => {
    const url = await server.on('/reconnect', ['fin'], quiet, quiet);
    const source = open(url, { retry: { first: 3600_000, max: 3600_000 } });
    const seen = record(source, 'open', 'error');
    await next(source, 'error');
    source.reconnect();
    await next(source, 'open');
    source.reconnect();
    assert.equal(source.readyState, EventSource.CONNECTING);
    await next(source, 'open');
    assert.deepEqual(seen, [['error'], ['open'], ['open']]);
    await finish(source);
  });

  test('a source paused at once does nothing until it is resumed', async () => {
    const source = open(await server.on('/paused-first', quiet));
    source.pause();
    for (let i = 0; i < 50; i++) await turn();
    assert.equal((await server.requests()).filter(({ target }) => target === '/paused-first').length, 0);
    source.resume();
    await next(source, 'open');
    await finish(source);
  });

  test('on a closed source all of them do nothing', async () => {
    const source = new EventSource(await server.on('/closed', quiet));
    await next(source, 'open');
    await finish(source);
    source.pause();
    source.resume();
    source.reconnect();
    source.close();
    assert.equal(source.ref(), source);
    assert.equal(source.unref(), source);
    assert.equal(source.readyState, EventSource.CLOSED);
  });
});

describe('ref and unref', () => {
  test('an open source keeps the process alive', async () => {
    const url = await server.on('/alive', ['sse', { body: 'data: 1\n\n' }, { pause_ms: 100 }, { body: 'data: 2\n\n' }, 'stall']);
    const { code, stdout } = await script(`
      import { EventSource } from 'libeventsource';
      const source = new EventSource(process.argv[1]);
      source.onmessage = ({ data }) => { console.log(data); if (data === '2') source.close(); };`, [url]);
    assert.deepEqual([code, stdout], [0, '1\n2\n']);
  });

  test('unref lets it end, in whatever state; ref takes that back', async () => {
    const url = await server.on('/unref', quiet);
    const begin = "import { EventSource } from 'libeventsource'; const source = new EventSource(process.argv[1]); process.on('exit', () => console.log(source.readyState));";
    for (const [text, state] of [
      ['source.unref();', '0'],
      ['source.onopen = () => source.unref();', '1'],
      ['source.unref().ref(); source.onopen = () => source.unref();', '1'],
      ['source.onopen = () => { source.close(); source.unref(); }', '2'],
      ['source.unref(); source.close(); ', '2'],
    ]) {
      const { code, stdout, stderr } = await script(`${begin} ${text}`, [url]);
      assert.deepEqual([code, stdout, stderr], [0, `${state}\n`, ''], text);
    }
  });

  test('a wait of an hour keeps it alive only while referenced', async () => {
    const url = await server.on('/unref-wait', ['fin']);
    const { code } = await script(`
      import { EventSource } from 'libeventsource';
      const source = new EventSource(process.argv[1], { retry: { first: 3600_000, max: 3600_000 } });
      source.onerror = () => source.unref();`, [url]);
    assert.equal(code, 0);
  });
});
