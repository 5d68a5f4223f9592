// Bursts: order, completeness, the time budget, back-pressure, and the vectors.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource, finish, next, open, script, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const turn = () => new Promise(setImmediate);

// Runs until the source is closed: [type, data, lastEventId] of every message, and the comments.
async function all(url, types, init) {
  const source = open(url, { reconnect: 'never', ...init });
  const seen = [];
  for (const type of new Set(types)) {
    source.addEventListener(type, (event) => {
      if (event instanceof MessageEvent) seen.push([event.type, event.data, event.lastEventId]);
    });
  }
  source.addEventListener('comment', (event) => {
    if (!(event instanceof MessageEvent)) seen.push(['(comment)', event.data]);
  });
  source.addEventListener('error', (event) => {
    if (!(event instanceof MessageEvent)) seen.push(['(error)', event.code]);
  });
  await new Promise((resolve) => source.addEventListener('close', (event) => event instanceof MessageEvent || resolve()));
  return seen;
}

describe('vectors', async () => {
  const own = await startServer();
  after(() => own.stop());
  const vectors = await (await fetch(`${own.url}/vectors`)).json();
  assert.ok(vectors.length > 50);
  const splits = ['split=whole', 'split=byte', 'split=random&seed=1', 'split=random&seed=2'];
  for (const vector of vectors) {
    test(`${vector.name} (rows ${vector.rows.join(', ')})`, async () => {
      const items = vector.items.filter(({ kind }) => kind !== 'retry');
      const expected = items.map(({ kind, type, data, id }) =>
        kind === 'message' ? [type, data, id] : kind === 'comment' ? ['(comment)', data] : ['(error)', 'EVENT_TOO_LARGE']);
      const types = ['message', ...items.filter(({ kind }) => kind === 'message').map(({ type }) => type)];
      const url = `${own.url}/vectors/${encodeURIComponent(vector.name)}`;
      // Byte by byte only where that is not millions of chunks.
      for (const split of vector.input.length > 100000 ? [splits[0], splits[2]] : splits) {
        const seen = await all(`${url}?${split}`, types, { maxEventSize: vector.max_event_size });
        // The end of the connection: of a one-shot stream it is no error.
        assert.deepEqual(seen, expected, split);
      }
    });
  }
});

test('a burst of everything: short and huge, ASCII and not, in order', async () => {
  const texts = ['', 'a', 'é', '😀', 'x'.repeat(12), 'y'.repeat(13), 'z'.repeat(16383), 'u'.repeat(16384), 'v'.repeat(16385), 'ü'.repeat(9000),
    'w'.repeat(200000), `${'a'.repeat(5000)}\n${'b'.repeat(5000)}`, '\0', '\ufeff', '\u2028'];
  const expected = [];
  let body = '';
  let random = 12345;
  for (let i = 0; i < 3000; i++) {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    const data = texts[i % 5 ? (random >> 8) % 6 : (random >> 8) % texts.length] + i;
    const type = ['message', 'a', 'é', 'message', 'message'][(random >> 16) % 5];
    if (random % 3 === 0) body += `id: ${i}\n`;
    if (random % 7 === 0) { body += `: ${i}\n`; expected.push(['(comment)', ` ${i}`]); }
    body += type === 'message' ? '' : `event: ${type}\n`;
    body += data.split('\n').map((line) => `data: ${line}\n`).join('') + '\n';
    expected.push([type, data, random % 3 === 0 ? String(i) : expected.findLast((e) => e.length === 3)?.[2] ?? '']);
  }
  // From a server of our own: the body is some 10 MB.
  const serving = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(body);
  }).listen(0, '127.0.0.1');
  await once(serving, 'listening');
  const seen = await all(`http://127.0.0.1:${serving.address().port}/`, ['message', 'a', 'é']);
  serving.close();
  assert.equal(seen.length, expected.length);
  for (let i = 0; i < seen.length; i++) assert.deepEqual(seen[i], expected[i], String(i));
});

test('100,000 events arrive in order, each once, over many reconnects', async () => {
  const source = open(`${server.url}/resume?every=20000&total=100000&reset=1&retry=0`, { retry: { first: 0, max: 1 } });
  let last = 0;
  source.onmessage = ({ data, lastEventId }) => {
    assert.equal(Number(data), ++last);
    assert.equal(lastEventId, data);
  };
  await next(source, 'close');
  assert.equal(last, 100000);
});

test('one event of 14 MB, in one piece', async () => {
  const source = open(await server.on('/14mb', ['sse', { body: 'data: ' }, { body: { repeat: '0123456', times: 2_000_000 } }, { body: '\n\n' }, 'stall']));
  const { data } = await next(source, 'message');
  assert.equal(data.length, 14_000_000);
  assert.equal(data.slice(-8), '60123456');
  await finish(source);
});

test('a flood leaves room for timers and immediates', async () => {
  const source = open(`${server.url}/flood?size=100`);
  let events = 0;
  let most = 0;
  let last = 0;
  let turns = 0;
  let sum = 0;
  source.onmessage = () => {
    // Slower than the server, so that there is always more: with no budget there would be no other turn at all.
    for (let i = 0; i < 2000; i++) sum += i;
    if (++events === 600000) source.close();
  };
  const watch = () => {
    most = Math.max(most, events - last);
    last = events;
    turns++;
    if (events < 300000) setImmediate(watch);
  };
  await next(source, 'message');
  setImmediate(watch);
  while (events < 300000) await sleep(1);
  if (source.readyState !== EventSource.CLOSED) await finish(source);
  assert.ok(turns > 20, String(turns));
  // Some thousand events fit into the 5 ms of a turn. Counted, since other programs may hold this one up for any time.
  assert.ok(most < 100000, `${most} events in one turn`);
  assert.ok(sum > 0);
});

test('slow handlers leave room too: an event at a time if need be', async () => {
  const source = open(`${server.url}/flood?size=20`);
  let events = 0;
  let most = 0;
  let since = 0;
  source.onmessage = () => {
    events++;
    most = Math.max(most, ++since);
    const until = performance.now() + 10;
    while (performance.now() < until);
  };
  const timer = setInterval(() => { since = 0; }, 1);
  while (events < 60) await sleep(5);
  clearInterval(timer);
  await finish(source);
  // A turn of 5 ms has room for one such handler, and each turn for a timer; a burst holds 256 events.
  assert.ok(most <= 3, `${most} events without a timer`);
});

test('many sources share the loop fairly', async () => {
  const counts = [0, 0, 0, 0];
  const sources = counts.map((_, i) => {
    const source = open(`${server.url}/flood?size=50`);
    source.onmessage = () => counts[i]++;
    return source;
  });
  const giveUp = Date.now() + 30000;
  while (Math.min(...counts) < 1000 && Date.now() < giveUp) await sleep(5);
  assert.ok(Math.min(...counts) >= 1000, String(counts));
  await Promise.all(sources.map(finish));
});

// A server that says one event, is silent for a moment, sends 64 MB of events as fast as it can, and stays. It tells of each
// connection how many bytes were on their way when nothing moved any more for half a second, when it makes the file `mark`.
async function startFlood(size, mark) {
  const stalls = [];
  const total = Math.ceil(64e6 / size);
  const block = `data: ${'x'.repeat(size - 8)}\n\n`.repeat(100);
  const serving = net.createServer((socket) => {
    const number = stalls.push(0) - 1;
    let left = total;
    let timer;
    const go = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        stalls[number] ||= socket.bytesWritten - socket.writableLength;
        fs.writeFileSync(mark, '');
      }, 500);
      while (left > 0) {
        const events = Math.min(left, 100);
        left -= events;
        if (!socket.write(block.slice(0, events * size))) return;
      }
      clearTimeout(timer);
    };
    socket.on('error', () => {}).on('drain', go).once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n');
      setTimeout(go, 300);
    });
  }).listen(0, '127.0.0.1');
  await once(serving, 'listening');
  return { url: `http://127.0.0.1:${serving.address().port}/`, events: total + 1, stalls, stop: () => serving.close() };
}

for (const size of [100, 1000, 4000]) {
  test(`while JavaScript is busy for seconds nothing piles up: events of ${size} bytes`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'libeventsource-'));
    const mark = path.join(folder, 'stalled');
    const flood = await startFlood(size, mark);
    const { code, stdout, stderr } = await script(`
      import fs from 'node:fs';
      import { EventSource } from 'libeventsource';
      const [url, total, mark] = [process.argv[1], Number(process.argv[2]), process.argv[3]];
      // What Linux gives otherwise is a sum of counters that lag behind by hundreds of kilobytes.
      const exact = () => Number(/Rss: +(\\d+)/.exec(fs.readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024;
      const resident = process.platform === 'linux' ? exact : () => process.memoryUsage.rss();
      const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      const follow = async (then) => {
        const source = new EventSource(url);
        let events = 0;
        await new Promise((resolve) => source.addEventListener('message', () => {
          if (++events === 1) then();
          if (events === total) resolve();
        }));
        source.close();
        await new Promise((resolve) => { source.onclose = resolve; });
      };
      await follow(resident); // what is made once has been made
      let least = Infinity; // V8's own threads work on what came before
      for (let i = 0; i < 3; i++) {
        globalThis.gc();
        await follow(() => {
          // The server is silent: this is what an idle source takes. Then it sends while no JavaScript runs, until it has to wait.
          const idle = resident();
          fs.rmSync(mark, { force: true });
          for (let i = 0; i < 300 && !fs.existsSync(mark); i++) wait(100);
          least = Math.min(least, resident() - idle);
        });
      }
      console.log(least);`, [flood.url, String(flood.events), mark], { flags: ['--expose-gc'] });
    flood.stop();
    fs.rmSync(folder, { recursive: true });
    assert.deepEqual([code, stderr], [0, '']);
    // The library's read buffers; the rest is in those of the sockets, and the server had to wait.
    assert.ok(Number(stdout) <= 256 * 1024, `${stdout} bytes`);
    const stalls = flood.stalls.slice(1);
    assert.ok(stalls.length === 3 && stalls.every((bytes) => bytes > 0 && bytes < 60e6), String(stalls));
  });
}
