// How a source, a worker or the process ends: no crash, no leak, no exception lost.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { EventSource, finish, next, open, packageRoot, run, script, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const index = new URL('../index.mjs', import.meta.url).href;
const worker = (text, workerData) =>
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(text.replaceAll("'libeventsource'", JSON.stringify(index)))}`), { workerData });
const quiet = ['sse', 'stall'];

describe('exceptions in handlers', () => {
  test('are reported as uncaught, as those of any EventTarget; the stream and other listeners go on', async () => {
    const url = await server.on('/throwing', ['sse', { body: 'data: 1\n\ndata: 2\n\n' }, 'stall']);
    const { code, stdout } = await script(`
      import { EventSource } from 'libeventsource';
      process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
      const source = new EventSource(process.argv[1]);
      source.onmessage = ({ data }) => { throw new Error('from ' + data); };
      source.addEventListener('message', { handleEvent({ data }) { console.log(data); if (data === '2') source.close(); } });
      source.onclose = () => { throw new Error('from close'); };`, [url]);
    assert.equal(code, 0);
    const lines = stdout.trim().split('\n');
    assert.deepEqual(lines.filter((line) => !line.startsWith('uncaught')), ['1', '2']);
    assert.deepEqual(lines.filter((line) => line.startsWith('uncaught')),
      ['uncaughtException from 1', 'uncaughtException from 2', 'uncaughtException from close']);
  });

  test('end the process with status 1 if nobody looks', async () => {
    const url = await server.on('/fatal', ['sse', { body: 'data: 1\n\n' }, 'stall']);
    for (const handler of ["() => { throw new Error('mine'); }", "async () => { throw new Error('mine'); }", '{ handleEvent: 5 }']) {
      const { code, signal, stderr } = await script(`
        import { EventSource } from 'libeventsource';
        const source = new EventSource(process.argv[1]);
        source.addEventListener('message', ${handler});`, [url]);
      assert.deepEqual([code, signal], [1, null]);
      assert.match(stderr, handler.includes('mine') ? /Error: mine/ : /TypeError/);
    }
  });
});

describe('the process ends', () => {
  for (const type of ['open', 'message', 'comment', 'error', 'close']) {
    test(`by process.exit in a handler of ${type}`, async () => {
      const url = await server.on(`/exit-${type}`, ['sse', { body: ': c\ndata: 1\n\ndata: 2\n\n' }, 'fin']);
      const { code, signal, stdout, stderr } = await script(`
        import { EventSource } from 'libeventsource';
        const source = new EventSource(process.argv[1]);
        source.addEventListener('${type}', () => { console.log('once'); process.exit(7); });
        source.onerror = () => source.close();`, [url]);
      assert.deepEqual([code, signal, stdout, stderr], [7, null, 'once\n', '']);
    });
  }

  const ways = {
    'by process.exit in a header function': "{ headers() { process.exit(0); } }",
    'by process.exit while a header function has not answered': "{ headers: () => new Promise(() => setTimeout(() => process.exit(0), 10)) }",
  };
  for (const [way, init] of Object.entries(ways)) {
    test(way, async () => {
      const { code, signal, stderr } = await script(`
        import { EventSource } from 'libeventsource';
        new EventSource(process.argv[1], ${init});`, [server.url]);
      assert.deepEqual([code, signal, stderr], [0, null, '']);
    });
  }

  test('in the midst of a flood, by itself, by exit, by abort of the loop, many times', async () => {
    const endings = [
      'process.exit(0)', 'source.unref(); if (n > 30000) source.close()', "process.emit('SIGINT'); process.exit(0)",
      'setImmediate(() => process.exit(0))', 'queueMicrotask(() => process.exit(0))', "source.close(); process.on('exit', () => {})",
    ];
    for (const ending of endings) {
      for (let i = 0; i < 3; i++) {
        const { code, signal, stderr } = await script(`
          import { EventSource } from 'libeventsource';
          const sources = Array.from({ length: 5 }, () => new EventSource(process.argv[1] + '/flood?size=50'));
          for (const source of sources) {
            let n = 0;
            source.onmessage = () => { if (++n === ${1 + i * 5000} || n > 30000) { ${ending}; } };
          }`, [server.url]);
        assert.deepEqual([code, signal, stderr], [0, null, ''], ending);
      }
    }
  });

  test('at once, with sources in every state', async () => {
    const url = await server.on('/states', quiet);
    for (const wait of [0, 1, 5, 20]) {
      const { code, signal, stderr } = await script(`
        import { EventSource } from 'libeventsource';
        for (const [url, init] of [[process.argv[1]], ['http://10.255.255.1/'], ['http://never.invalid/'], ['http://127.0.0.1:1/'], ['ftp://x/'],
          [process.argv[1], { headers: () => new Promise(() => {}) }]]) {
          for (const what of [() => {}, (source) => source.close(), (source) => source.pause(), (source) => { source.pause(); source.resume(); }])
            what(new EventSource(url, init));
        }
        setTimeout(() => process.exit(0), ${wait});`, [url]);
      assert.deepEqual([code, signal, stderr], [0, null, ''], String(wait));
    }
  });
});

describe('workers', () => {
  test('each has its own sources; several at once', async () => {
    const url = `${server.url}/resume?every=1000&total=5000&retry=1`;
    const text = `
      import { EventSource } from 'libeventsource';
      import { parentPort, workerData } from 'node:worker_threads';
      const source = new EventSource(workerData, { retry: { first: 1, max: 1 } });
      let last = 0;
      source.onmessage = ({ data }) => { if (Number(data) !== ++last) throw new Error(data); };
      source.onclose = () => parentPort.postMessage(last);`;
    const results = await Promise.all(Array.from({ length: 4 }, () => new Promise((resolve, reject) => {
      worker(text, url).on('message', resolve).on('error', reject);
    })));
    assert.deepEqual(results, [5000, 5000, 5000, 5000]);
  });

  test('terminated at any moment, in the midst of a flood', async () => {
    const text = `
      import { EventSource } from 'libeventsource';
      import { parentPort, workerData } from 'node:worker_threads';
      for (let i = 0; i < 3; i++) {
        const source = new EventSource(workerData + '/flood?size=60');
        source.onmessage = () => {};
        (async () => { for await (const event of new EventSource(workerData + '/flood?size=60')) await null; })();
        new EventSource(workerData, { headers: () => new Promise(() => {}) });
        new EventSource('http://127.0.0.1:1/');
      }
      parentPort.postMessage('up');`;
    for (let round = 0; round < 12; round++) {
      const workers = Array.from({ length: 2 }, () => worker(text, server.url));
      await Promise.all(workers.map(async (one, i) => {
        if (round > 3) await new Promise((resolve) => one.once('message', resolve));
        await sleep((round * 7 + i * 3) % 40);
        await one.terminate();
      }));
    }
  });

  test('terminated in the midst of a constructor', async () => {
    const text = `
      import { EventSource } from 'libeventsource';
      import { parentPort, workerData } from 'node:worker_threads';
      const headers = Object.fromEntries(Array.from({ length: 100 }, (_, i) => ['X-' + i, 'value']));
      parentPort.postMessage('up');
      // Some: each keeps its thread until the loop gets its turn.
      for (let i = 0; i < 500; i++) new EventSource(workerData, { headers, body: 'x'.repeat(1000) }).close();
      setInterval(() => {}, 1000);`;
    for (let round = 0; round < 40; round++) {
      const one = worker(text, server.url);
      await new Promise((resolve) => one.once('message', resolve));
      await sleep(round % 7);
      await one.terminate();
    }
  });

  test('that end by process.exit, or of themselves', async () => {
    const url = await server.on('/worker-exit', ['sse', { body: 'data: 1\n\n'.repeat(100) }, 'stall']);
    for (const ending of ['process.exit(3)', 'source.close()', 'source.unref()']) {
      const one = worker(`
        import { EventSource } from 'libeventsource';
        import { workerData } from 'node:worker_threads';
        const source = new EventSource(workerData);
        source.onmessage = () => { ${ending}; };`, url);
      const code = await new Promise((resolve, reject) => one.on('exit', resolve).on('error', reject));
      assert.equal(code, ending.includes('3') ? 3 : 0, ending);
    }
  });

  test('an exception in a handler is the error of the worker', async () => {
    const url = await server.on('/worker-throws', ['sse', { body: 'data: 1\n\n' }, 'stall']);
    const one = worker(`
      import { EventSource } from 'libeventsource';
      import { workerData } from 'node:worker_threads';
      new EventSource(workerData).onmessage = () => { throw new Error('in the worker'); };`, url);
    const error = await new Promise((resolve) => one.on('error', resolve));
    assert.equal(error.message, 'in the worker');
  });

  test('the process exits while workers are busy', async () => {
    const text = `
      import { Worker, isMainThread, workerData } from 'node:worker_threads';
      import { EventSource } from 'libeventsource';
      const url = isMainThread ? process.argv[2] : workerData;
      let n = 0;
      new EventSource(url + '/flood?size=60').onmessage = () => {
        if (isMainThread && ++n === 20000) process.exit(5);
      };
      if (isMainThread) for (let i = 0; i < 3; i++) new Worker(new URL(import.meta.url), { workerData: url });`;
    const folder = fs.mkdtempSync('/tmp/libeventsource-');
    const file = `${folder}/main.mjs`;
    fs.writeFileSync(file, text.replaceAll("'libeventsource'", JSON.stringify(index)));
    for (let i = 0; i < 5; i++) {
      const { code, signal, stderr } = await run(process.execPath, [file, server.url]);
      assert.deepEqual([code, signal, stderr], [5, null, '']);
    }
    fs.rmSync(folder, { recursive: true });
  });
});

test('the addon loads twice in one process, also from two files, and stays loaded', async () => {
  const folder = fs.mkdtempSync('/tmp/libeventsource-');
  const built = ['build/Release', `prebuilds/${process.platform}-${process.arch}`].map((place) => `${packageRoot}/${place}/eventsource.node`).find(fs.existsSync);
  for (const name of ['lib', 'index.js', 'package.json']) fs.cpSync(`${packageRoot}/${name}`, `${folder}/${name}`, { recursive: true });
  fs.cpSync(built, `${folder}/build/Release/eventsource.node`);
  const url = await server.on('/twice', ['sse', { body: 'data: 1\n\n' }, 'stall']);
  const { code, stdout, stderr } = await script(`
    import { EventSource as First } from 'libeventsource';
    import { createRequire } from 'node:module';
    import { Worker } from 'node:worker_threads';
    const require = createRequire(import.meta.url);
    const { EventSource: Second } = require(process.argv[2]);
    delete require.cache[require.resolve(process.argv[2] + '/lib/native.js')];
    delete require.cache[require.resolve(process.argv[2] + '/lib/source.js')];
    delete require.cache[require.resolve(process.argv[2] + '/index.js')];
    const { EventSource: Third } = require(process.argv[2]);
    if (new Set([First, Second, Third]).size !== 3) throw new Error('not loaded again');
    for (const EventSource of [First, Second, Third]) {
      const source = new EventSource(process.argv[1]);
      await new Promise((resolve) => { source.onmessage = resolve; });
      source.close();
      await new Promise((resolve) => { source.onclose = resolve; });
    }
    const worker = new Worker("require('worker_threads').parentPort.postMessage(typeof require(" + JSON.stringify(process.argv[2]) + ").EventSource)", { eval: true, execArgv: [] });
    console.log(await new Promise((resolve) => worker.on('message', resolve)));
    await worker.terminate();
    console.log('done');`, [url, folder]);
  assert.deepEqual([code, stdout, stderr], [0, 'function\ndone\n', '']);
  fs.rmSync(folder, { recursive: true });
});

test('in a vm context: the class handed in, and the modules loaded there anew, as test runners do', async () => {
  const url = await server.on('/realm', ['sse', { body: 'data: 1\n\n' }, 'stall']);
  const globals = { Event, EventTarget, MessageEvent, Headers, URL, DOMException, AbortController, Buffer, process, performance, setImmediate, setTimeout, clearTimeout };
  const context = vm.createContext({ ...globals, EventSource, url });
  const require = createRequire(import.meta.url);
  const modules = new Map();
  const load = (file) => {
    if (!modules.has(file)) {
      const module = { exports: {} };
      modules.set(file, module);
      const inside = (id) => (id.startsWith('.') ? load(path.join(path.dirname(file), id)) : require(id));
      const text = `(function (require, module, exports, __dirname) {${fs.readFileSync(file, 'utf8')}})`;
      vm.runInContext(text, context, { filename: file })(inside, module, module.exports, path.dirname(file));
    }
    return modules.get(file).exports;
  };
  const anew = load(path.join(packageRoot, 'index.js')).EventSource;
  assert.notEqual(anew, EventSource);
  for (const given of [EventSource, anew]) {
    context.EventSource = given;
    const [data, state] = await vm.runInContext(`new Promise((resolve) => {
      const source = new EventSource(url, { headers: [['X-A', 'a']], secretHeaders: async () => ({ 'X-B': 'b' }), retry: { first: 5 }, body: new Uint8Array([1]).buffer });
      source.onmessage = ({ data }) => { source.close(); source.onclose = () => resolve([data, source.readyState]); };
      source.onerror = ({ message }) => resolve([message]);
    })`, context);
    assert.deepEqual([data, state], ['1', 2]);
  }
});

test('async context: a handler runs in that of the constructor', async () => {
  const { AsyncLocalStorage } = await import('node:async_hooks');
  const storage = new AsyncLocalStorage();
  const url = await server.on('/context', ['sse', { body: 'data: 1\n\n' }, 'stall']);
  const source = storage.run('mine', () => open(url));
  assert.equal(await new Promise((resolve) => { source.onmessage = () => resolve(storage.getStore()); }), 'mine');
  await finish(source);
});

const isLinux = process.platform === 'linux';

test('closed sources that nobody holds are collected', async () => {
  const url = await server.on('/collected', ['sse', { body: 'data: 1\n\n' }, 'stall']);
  const { code, stdout, stderr } = await script(`
    import { EventSource } from 'libeventsource';
    let collected = 0;
    const registry = new FinalizationRegistry(() => collected++);
    await (async () => {
      for (let i = 0; i < 50; i++) {
        let source = new EventSource(process.argv[1]);
        registry.register(source);
        await new Promise((resolve) => { source.onmessage = resolve; });
        source.close();
        await new Promise((resolve) => { source.onclose = resolve; });
        source = null;
      }
    })();
    for (let i = 0; i < 100 && collected < 49; i++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log(collected >= 49);`, [url], { flags: ['--expose-gc'] });
  assert.deepEqual([code, stdout, stderr], [0, 'true\n', '']);
});

test('an open source that nobody holds goes on', async () => {
  const { code, stdout } = await script(`
    import { EventSource } from 'libeventsource';
    (() => {
      let n = 0;
      new EventSource(process.argv[1]).onmessage = () => { globalThis.gc(); if (++n === 20) { console.log(n); process.exit(0); } };
    })();`, [`${server.url}/ticks?ms=2&count=30`], { flags: ['--expose-gc'] });
  assert.deepEqual([code, stdout], [0, '20\n']);
});

test('10,000 sources leave nothing behind: memory, descriptors and threads are flat', async () => {
  const own = await startServer();
  const url = await own.on('/leak', ['sse', { body: 'id: 1\ndata: 1\n\n: c\ndata: ü\n\n' }, 'stall']);
  const text = `
    import fs from 'node:fs';
    import { EventSource } from 'libeventsource';
    const linux = process.platform === 'linux';
    const count = (where) => (linux ? fs.readdirSync(where).length : 0);
    let n = 0;
    async function one() {
      const init = { ...[undefined, { headers: async () => ({ a: 'b' }) }, { secretHeaders: { a: 'b' } }][n % 3], retry: { retries: 0 } };
      const source = new EventSource(n % 10 === 9 ? 'http://127.0.0.1:1/' : process.argv[1], init);
      const over = new Promise((resolve) => source.addEventListener('close', resolve));
      if (n % 7 === 1) source.close();
      else if (n % 7 === 2) { source.pause(); source.close(); }
      else if (n % 7 === 3) { try { for await (const event of source) { if (event.data === 'ü') break; } } catch {} }
      else { source.onmessage = source.onerror = () => source.close(); }
      await over;
    }
    async function some(many) {
      const end = n + many;
      await Promise.all(Array.from({ length: 8 }, async () => { while (n < end) { n++; await one(); } }));
      for (let i = 0; i < 5; i++) { globalThis.gc(); await new Promise((resolve) => setTimeout(resolve, 20)); }
    }
    await some(2000);
    // The least of several looks: threads that are about to end, and what V8 keeps in reserve for new objects, are no leak.
    const look = async () => {
      let least;
      for (let i = 0; i < 20; i++) {
        const { rss, heapTotal, heapUsed } = process.memoryUsage();
        const seen = { native: rss - heapTotal, heapUsed, files: count('/proc/self/fd'), threads: count('/proc/self/task') };
        least ??= seen;
        for (const name in seen) least[name] = Math.min(least[name], seen[name]);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return least;
    };
    const before = await look();
    await some(8000);
    console.log(JSON.stringify({ before, later: await look() }));`;
  const { code, stdout, stderr } = await script(text, [url], { flags: ['--expose-gc'], timeout: 300000 });
  assert.deepEqual([code, stderr], [0, '']);
  const { before, later } = JSON.parse(stdout);
  // A source leaked is some 5 KB at least, a thread's stack touched 8 KB: 8,000 of them would be 40 MB and more.
  assert.ok(later.native - before.native < 16 * 2 ** 20, `memory outside the heap grew by ${later.native - before.native} bytes`);
  assert.ok(later.heapUsed - before.heapUsed < 2 * 2 ** 20, `the heap grew by ${later.heapUsed - before.heapUsed} bytes`);
  if (isLinux) {
    assert.ok(later.files <= before.files, `${before.files} descriptors became ${later.files}`);
    assert.ok(later.threads <= before.threads, `${before.threads} threads became ${later.threads}`);
  }
  await own.stop();
});
