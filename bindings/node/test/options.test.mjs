// Options: what each does on the wire, and that a wrong one is named.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import vm from 'node:vm';
import { after, before, describe, test } from 'node:test';
import { EventSource, finish, header, next, open, record, script, startServer } from './support.mjs';

let server;
let tls;
before(async () => { [server, tls] = await Promise.all([startServer(), startServer('--tls')]); });
after(() => Promise.all([server.stop(), tls.stop()]));

const quiet = ['sse', 'stall'];

function shared(text) {
  const bytes = new TextEncoder().encode(text);
  const memory = new SharedArrayBuffer(bytes.length);
  new Uint8Array(memory).set(bytes);
  return memory;
}

describe('wrong options are a TypeError that names the option', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n';
  const wrong = [
    ['nonsense', { nonsense: 1 }],
    ['fetch', { fetch }],
    ['retry.frist', { retry: { frist: 1 } }],
    ['retry', { retry: 5 }],
    ['retry', { retry: [1] }],
    ['retry.first', { retry: { first: '1' } }],
    ['retry.first', { retry: { first: -1 } }],
    ['retry.max', { retry: { max: NaN } }],
    ['retry.retries', { retry: { retries: -1 } }],
    ['tls.rejectUnauthorized', { tls: { rejectUnauthorized: false } }],
    ['tls', { tls: true }],
    ['tls.ca', { tls: { ca: 5 } }],
    ['tls.ca', { tls: { ca: pem } }],
    ['tls.onlyCa', { tls: { onlyCa: 'no certificate' } }],
    ['tls.cert', { tls: { cert: pem, key: pem } }],
    ['tls.key', { tls: { cert: pem } }],
    ['tls.key', { tls: { cert: '' } }],
    ['tls.cert', { tls: { key: pem } }],
    ['tls.onlyCa', { tls: { onlyCa: [] } }],
    ['tls.pins', { tls: { pins: 'short' } }],
    ['tls.pins', { tls: { pins: [5] } }],
    ['headers', { headers: 'Authorization: x' }],
    ['headers', { headers: { 'a b': 'x' } }],
    ['headers', { headers: { a: 'x\r\ny: z' } }],
    ['headers', { headers: { a: 'x\0y' } }],
    ['headers', { headers: { a: {} } }],
    ['headers', { headers: { Host: 'x' } }],
    ['headers', { headers: { 'Content-Length': 1 } }],
    ['headers', { headers: [['a']] }],
    ['secretHeaders', { secretHeaders: { 'a:': 'x' } }],
    ['method', { method: 5 }],
    ['method', { method: 'a b' }],
    ['method', { method: 'HEAD' }],
    ['body', { body: {} }],
    ['lastEventId', { lastEventId: 5 }],
    ['lastEventId', { lastEventId: 'a\0b' }],
    ['reconnect', { reconnect: 'sometimes' }],
    ['reconnect', { reconnect: 'toString' }],
    ['standardStatus', { standardStatus: 1 }],
    ['reconnect', { reconnect: ['auto'] }],
    ['reconnect', { reconnect: Symbol('auto') }],
    ['lastEventId', { lastEventId: 5 }],
    ['lastEventId', { lastEventId: 'a\nb' }],
    ['standardStatus', { standardStatus: 1 }],
    ['body', { body: null }],
    ['body', { body: 5 }],
    ['method', { method: '' }],
    ['maxEventSize', { maxEventSize: '1' }],
    ['connectTimeout', { connectTimeout: '10' }],
    ['connectTimeout', { connectTimeout: Infinity }],
    ['responseTimeout', { responseTimeout: -1 }],
    ['idleTimeout', { idleTimeout: NaN }],
    ['keepAlive', { keepAlive: true }],
    ['maxEventSize', { maxEventSize: 0 }],
    ['compression', { compression: 'gzip' }],
    ['httpsOnly', { httpsOnly: 'yes' }],
    ['httpsOnly', { httpsOnly: true }], // with a URL of http
    ['proxy', { proxy: 5 }],
    ['proxy', { proxy: 'ftp://127.0.0.1' }],
    ['proxy', { proxy: 'nonsense' }],
  ];
  for (const [name, init] of wrong) {
    test(`${name} in ${JSON.stringify(init)?.slice(0, 60)}`, () => {
      assert.throws(() => new EventSource('http://127.0.0.1:1/', init), (error) => {
        assert.ok(error instanceof TypeError, `${error}`);
        assert.ok(error.message.includes(`'${name}'`), error.message);
        return true;
      });
    });
  }
  for (const init of [5, 'x', true, () => {}, [], Buffer.from('x')]) {
    test(`${typeof init} ${init} is no options object`, () => {
      assert.throws(() => new EventSource('http://127.0.0.1:1/', init), TypeError);
    });
  }
  test('secrets do not show in the message', () => {
    assert.throws(() => new EventSource('http://127.0.0.1:1/', { secretHeaders: { a: 'top\nsecret' } }), (error) => !error.message.includes('secret\''));
  });
  test('null, undefined and undefined members are no options', async () => {
    for (const init of [null, undefined, {}, { headers: undefined, retry: undefined, proxy: null, tls: {} }]) await finish(open('http://127.0.0.1:1/', init));
  });
});

describe('headers', () => {
  const given = {
    object: { 'X-A': 'a', 'X-N': 5, 'X-None': undefined },
    Headers: new Headers({ 'X-A': 'a', 'X-N': '5' }),
    pairs: [['X-A', 'a'], ['X-N', '5']],
    Map: new Map([['X-A', 'a'], ['X-N', '5']]),
  };
  for (const [form, headers] of Object.entries(given)) {
    for (const option of ['headers', 'secretHeaders']) {
      test(`${option} as ${form}`, async () => {
        const where = `/${option}-${form}`;
        const source = open(await server.on(where, quiet), { [option]: headers });
        await next(source, 'open');
        const [request] = await server.requestsOf(where, 1);
        assert.equal(header(request, 'x-a'), 'a');
        assert.equal(header(request, 'x-n'), '5');
        assert.equal(header(request, 'x-none'), undefined);
        await finish(source);
      });
    }
  }

  test('those of the library may be replaced', async () => {
    const source = open(await server.on('/replaced', quiet), { headers: { accept: 'text/*', 'user-agent': 'me' } });
    await next(source, 'open');
    const [request] = await server.requestsOf('/replaced', 1);
    assert.deepEqual([header(request, 'accept'), header(request, 'user-agent')], ['text/*', 'me']);
    await finish(source);
  });

  test('row 21: secret headers stay in the origin, others go along', async () => {
    const other = await server.call('start', {}, null);
    await server.call('on', { path: '/there', steps: quiet }, other.server);
    const url = await server.on('/leaving', [{ redirect: [307, `${other.url}/there`] }]);
    const source = open(url, { headers: { 'X-Open': '1', Authorization: 'x' }, secretHeaders: { 'X-Secret': '2' } });
    await next(source, 'open');
    const [first] = await server.requestsOf('/leaving', 1);
    const [second] = await server.call('wait_for_requests', { n: 1 }, other.server);
    assert.deepEqual([header(first, 'x-open'), header(first, 'x-secret'), header(first, 'authorization')], ['1', '2', 'x']);
    assert.deepEqual([header(second, 'x-open'), header(second, 'x-secret'), header(second, 'authorization')], ['1', undefined, undefined]);
    await finish(source);
  });
});

describe('method and body', () => {
  for (const [form, body] of Object.entries({
    string: 'häl\0lo', Buffer: Buffer.from('häl\0lo'), Uint8Array: new TextEncoder().encode('häl\0lo'),
    'ArrayBuffer of another realm': vm.runInNewContext('new Uint8Array([104, 195, 164, 108, 0, 108, 111]).buffer'),
    'SharedArrayBuffer': shared('häl\0lo'), 'part of a buffer': Buffer.from('(häl\0lo)').subarray(1, -1),
    ArrayBuffer: new TextEncoder().encode('häl\0lo').buffer, DataView: new DataView(new TextEncoder().encode('häl\0lo').buffer),
  })) {
    test(`body as ${form} makes it POST`, async () => {
      const where = `/body-${form.replaceAll(' ', '-')}`;
      const source = open(await server.on(where, quiet), { body });
      await next(source, 'open');
      const [request] = await server.requestsOf(where, 1);
      assert.deepEqual([request.method, request.body], ['POST', 'häl\0lo']);
      await finish(source);
    });
  }

  test('an empty body is a body', async () => {
    const source = open(await server.on('/empty-body', quiet), { body: '' });
    await next(source, 'open');
    const [request] = await server.requestsOf('/empty-body', 1);
    assert.deepEqual([request.method, header(request, 'content-length')], ['POST', '0']);
    await finish(source);
  });

  test('a method of any name', async () => {
    const source = open(await server.on('/report', quiet), { method: 'REPORT', body: 'x' });
    await next(source, 'open');
    assert.equal((await server.requestsOf('/report', 1))[0].method, 'REPORT');
    await finish(source);
  });

  test('a POST whose stream is complete ends with close and no error', async () => {
    const url = await server.on('/chat', [{ sse: { framing: 'chunked' } }, { body: 'data: a\n\ndata: b\n\n' }, 'end']);
    const source = new EventSource(url, { body: 'x' });
    const seen = record(source, 'open', 'message', 'error', 'close');
    const close = await next(source, 'close');
    assert.equal(close.code, 'ENDED');
    assert.deepEqual(seen, [['open'], ['message', 'a'], ['message', 'b'], ['close']]);
  });

  test('reconnect: always repeats a POST, never does not repeat a GET', async () => {
    const url = await server.on('/always', [{ events: 'data: a\n\n' }], quiet);
    const always = open(url, { body: 'x', reconnect: 'always', retry: { first: 10 } });
    await next(always, 'error');
    await next(always, 'open');
    const requests = await server.requestsOf('/always', 2);
    assert.deepEqual(requests.map(({ method, body }) => [method, body]), [['POST', 'x'], ['POST', 'x']]);
    await finish(always);

    const never = new EventSource(await server.on('/never', [{ events: 'data: a\n\n' }]), { reconnect: 'never' });
    const seen = record(never, 'message', 'error', 'close');
    await next(never, 'close');
    assert.deepEqual(seen, [['message', 'a'], ['close']]);
  });
});

test('lastEventId is sent, and stands until the server gives another', async () => {
  const source = open(await server.on('/preset', ['sse', { body: 'data: x\n\n' }, 'stall']), { lastEventId: 'Ä7' });
  assert.equal((await next(source, 'message')).lastEventId, 'Ä7');
  assert.equal(header((await server.requestsOf('/preset', 1))[0], 'last-event-id'), 'Ä7');
  await finish(source);
});

describe('time', () => {
  test('retry.first, and retry.retries as the limit of failures in a row', async () => {
    const source = new EventSource(await server.on('/retries', ['reset']), { retry: { first: 5, max: 40, retries: 3 } });
    const waits = [];
    source.onerror = ({ retryIn }) => waits.push(retryIn);
    await next(source, 'close');
    assert.equal(waits.length, 4);
    assert.equal(waits.at(-1), -1);
    assert.ok(waits[0] >= 5 && waits[0] <= 6 && waits[2] <= 48, String(waits));
  });

  test('a longest wait below the default of the first counts', async () => {
    const source = open(await server.on('/max', ['reset']), { retry: { max: 20, retries: 4 } });
    const waits = [];
    source.onerror = ({ retryIn }) => waits.push(retryIn);
    await next(source, 'close');
    assert.equal(waits.pop(), -1);
    assert.ok(waits.length === 4 && waits.every((wait) => wait >= 20 && wait <= 24), String(waits));
    assert.throws(() => new EventSource(server.url, { retry: { max: null } }), { name: 'TypeError', message: /'retry.max'/ });
  });

  test('retries: Infinity is no limit', async () => {
    const source = open(await server.on('/infinite', ['reset']), { retry: { first: 1, max: 1, retries: Infinity } });
    for (let i = 0; i < 3; i++) assert.ok((await next(source, 'error')).retryIn >= 0);
    await finish(source);
  });

  test('responseTimeout', async () => {
    const source = new EventSource(await server.on('/silent', ['stall']), { responseTimeout: 30, retry: { retries: 0 } });
    const { code, status } = await next(source, 'error');
    assert.deepEqual([code, status], ['TIMED_OUT', 0]);
    await next(source, 'close');
  });

  test('idleTimeout', async () => {
    const source = new EventSource(await server.on('/idle', quiet), { idleTimeout: 30, retry: { retries: 0 } });
    await next(source, 'open');
    assert.equal((await next(source, 'error')).code, 'TIMED_OUT');
    await next(source, 'close');
  });

  test('connectTimeout', async () => {
    const own = await startServer();
    await own.call('stop_accepting');
    // The kernel accepts, nobody shakes hands.
    const source = new EventSource(own.url.replace('http', 'https'), { connectTimeout: 50, retry: { retries: 0 } });
    const { code } = await next(source, 'error');
    assert.equal(code, 'TIMED_OUT');
    await next(source, 'close');
    await own.stop();
  });

  test('keepAlive: any value is taken', async () => {
    for (const keepAlive of [0, 1, 1500, 3600_000]) {
      const source = open(await server.on(`/keepalive-${keepAlive}`, quiet), { keepAlive });
      await next(source, 'open');
      await finish(source);
    }
  });
});

describe('limits and coding', () => {
  test('maxEventSize: an event above it is an error, and the stream goes on', async () => {
    const body = `data: ${'x'.repeat(100)}\n\ndata: ok\n\n`;
    const source = open(await server.on('/large', ['sse', { body }, 'stall']), { maxEventSize: 50 });
    const seen = record(source, 'message', 'error');
    const error = next(source, 'error');
    await next(source, 'message');
    const { code, retryIn } = await error;
    assert.deepEqual([code, retryIn, source.readyState], ['EVENT_TOO_LARGE', -1, EventSource.OPEN]);
    assert.deepEqual(seen, [['error'], ['message', 'ok']]);
    assert.equal(source.retry(), false);
    await finish(source);
  });

  test('the end of a burst that a pause has overtaken does not open the source again', async () => {
    const body = `data: first\n\ndata: ${'x'.repeat(100)}\n\n`;
    const source = open(await server.on('/overtaken', ['sse', { body }, 'stall']), { maxEventSize: 50 });
    source.onmessage = () => source.pause();
    await next(source, 'message');
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    assert.equal(source.readyState, EventSource.CONNECTING);
    await finish(source);
  });

  test('compression asks for gzip', async () => {
    const url = await server.on('/gzip', [{ sse: { gzip: true } }, { body: 'data: small\n\n' }, 'stall']);
    for (const [compression, asked] of [[true, 'gzip'], [false, 'identity']]) {
      const source = open(url, { compression });
      assert.equal((await next(source, 'message')).data, 'small');
      const requests = await server.requestsOf('/gzip', 1);
      assert.equal(header(requests.at(-1), 'accept-encoding'), asked);
      await finish(source);
    }
  });
});

describe('TLS', () => {
  test('without the authority the certificate does not verify; with tls.ca it does', async () => {
    const url = await tls.on('/ca', ['sse', { body: 'data: x\n\n' }, 'stall']);
    const { ca_pem: ca } = await tls.call('describe');
    const refused = new EventSource(url, { retry: { retries: 0 } });
    assert.equal((await next(refused, 'error')).code, 'TLS');
    await next(refused, 'close');
    for (const options of [{ ca }, { ca: Buffer.from(ca) }, { ca: [ca] }, { onlyCa: ca }, { onlyCa: [Buffer.from(ca)] }]) {
      const source = open(url, { tls: options, httpsOnly: true });
      const event = await next(source, 'message');
      assert.equal(event.origin, tls.url);
      await finish(source);
    }
  });

  test('tls.pins', async () => {
    const url = await tls.on('/pins', quiet);
    const { ca_pem: ca, leaf_pin: pin } = await tls.call('describe');
    const source = open(url, { tls: { ca, pins: [pin] } });
    await next(source, 'open');
    await finish(source);
    const other = new EventSource(url, { tls: { ca, pins: `${'A'.repeat(43)}=` }, retry: { retries: 0 } });
    assert.equal((await next(other, 'error')).code, 'TLS');
    await next(other, 'close');
    assert.throws(() => new EventSource(url, { tls: { pins: [] } }), { name: 'TypeError', message: /'tls.pins'/ });
  });

  test('tls.cert and tls.key', async () => {
    const own = await server.call('start', { tls: { client_ca: true } }, null);
    await server.call('on', { path: '/', steps: quiet }, own.server);
    const identity = await server.call('client_identity', { name: 'me' }, own.server);
    const pem = typeof identity === 'string' ? identity : identity.pem ?? Object.values(identity).join('\n');
    const blocks = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g);
    const cert = blocks.filter((block) => block.includes('CERTIFICATE'));
    const key = blocks.find((block) => block.includes('PRIVATE KEY'));
    const source = open(`${own.url}/`, { tls: { ca: own.ca_pem, cert, key } });
    await next(source, 'open');
    await finish(source);
    const stranger = new EventSource(`${own.url}/`, { tls: { ca: own.ca_pem }, retry: { retries: 0 } });
    assert.ok(['TLS', 'IO'].includes((await next(stranger, 'error')).code));
    await next(stranger, 'close');
  });

  test('httpsOnly refuses a redirect to http', async () => {
    const { ca_pem: ca } = await tls.call('describe');
    const url = await tls.on('/down', [{ redirect: [302, `${server.url}/x`] }]);
    const source = new EventSource(url, { tls: { ca }, httpsOnly: true });
    assert.equal((await next(source, 'error')).code, 'REDIRECT');
    await next(source, 'close');
  });
});

describe('proxy', () => {
  // A CONNECT proxy of a few lines, which connects to where it is asked to, or always to one place.
  async function startProxy(always) {
    const asked = [];
    const proxy = net.createServer((socket) => {
      socket.on('error', () => {}).once('data', (head) => {
        asked.push(head.toString());
        const [, host, port] = /^CONNECT ([^:]+):(\d+)/.exec(head.toString());
        const other = net.connect(always?.port ?? port, always?.hostname ?? host, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          socket.pipe(other).pipe(socket);
        }).on('error', () => socket.destroy());
        socket.on('close', () => other.destroy());
      });
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    proxy.unref();
    return { asked, url: `http://me:pass@127.0.0.1:${proxy.address().port}`, stop: () => proxy.close() };
  }

  test('a URL, with credentials', async () => {
    const proxy = await startProxy();
    for (const value of [proxy.url, new URL(proxy.url)]) {
      const source = open(await server.on('/proxied', quiet), { proxy: value });
      await next(source, 'open');
      await finish(source);
    }
    assert.equal(proxy.asked.length, 2);
    assert.match(proxy.asked[0], new RegExp(`proxy-authorization: basic ${btoa('me:pass')}`, 'i'));
    proxy.stop();
  });

  test('the origin of a host that URL cannot parse, to which a redirect may lead', async () => {
    const proxy = await startProxy(new URL(server.url));
    const strange = 'http://1.2.3.4.5:8080';
    assert.throws(() => new URL(strange));
    await server.on('/strange', ['sse', { body: 'data: x\n\n' }, 'stall']);
    const url = await server.on('/to-strange', [{ redirect: [302, `${strange}/strange?a/b`] }]);
    const source = open(url, { proxy: proxy.url });
    assert.equal((await next(source, 'message')).origin, strange);
    assert.match(proxy.asked[1], /^CONNECT 1\.2\.3\.4\.5:8080 /);
    await finish(source);
    proxy.stop();
  });

  test("'env' follows the variables, and null does not", async () => {
    const proxy = await startProxy();
    const url = await server.on('/env', quiet);
    const text = `
      import { EventSource } from 'libeventsource';
      for (const proxy of ['env', null, undefined]) {
        await new Promise((resolve) => {
          const source = new EventSource(process.argv[1], { proxy });
          source.onopen = () => source.close();
          source.onclose = resolve;
        });
      }`;
    const { code, stderr } = await script(text, [url], { env: { http_proxy: proxy.url, no_proxy: '', NO_PROXY: '' } });
    assert.equal(stderr, '');
    assert.equal(code, 0);
    assert.equal(proxy.asked.length, 1);
    proxy.stop();
  });

  test('variables that make no sense are an error of the option', async () => {
    const { stdout } = await script(`
      import { EventSource } from 'libeventsource';
      try { new EventSource(process.argv[1], { proxy: 'env' }); } catch (error) { console.log(error.name, error.message); }`,
    [server.url], { env: { http_proxy: 'ftp://127.0.0.1/', no_proxy: '' } });
    assert.match(stdout, /^TypeError .*'proxy'/);
  });

  test('a URL object means the port 80 that URL leaves out', async () => {
    const source = new EventSource(server.url, { proxy: new URL('http://me:pass@127.0.0.1:80/'), retry: { retries: 0 } });
    const { code, message } = await next(source, 'error');
    // Whether there is something at port 80 or not: it is no proxy.
    assert.ok(code === 'PROXY' && !message.includes('1080'), `${code} ${message}`);
    await next(source, 'close');
  });

  test('a proxy that refuses is an error PROXY', async () => {
    const proxy = net.createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 407 No\r\n\r\n'));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const source = new EventSource(`${server.url}/refused-by-proxy`, { proxy: `http://127.0.0.1:${proxy.address().port}` });
    const { code, status, retryIn } = await next(source, 'error');
    assert.deepEqual([code, status, retryIn], ['PROXY', 407, -1]);
    await next(source, 'close');
    proxy.close();
  });
});
