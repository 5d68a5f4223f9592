// One measurement of one client in a process of its own: node client.mjs CLIENT SCENARIO URL. Prints JSON.

import { createRequire } from 'node:module';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , client, scenario, url] = process.argv;
const here = path.dirname(new URL(import.meta.url).pathname);
const peers = createRequire(process.env.PEERS);

// Calls `each` with the data of every event; gives a function that ends it.
const clients = {
  async libeventsource(to, each) {
    const { EventSource } = await import(pathToFileURL(path.join(here, '../../../bindings/node/index.mjs')));
    return classic(EventSource, to, each);
  },
  eventsource4: async (to, each) => classic((await import(pathToFileURL(peers.resolve('eventsource4')))).EventSource, to, each),
  eventsource5: async (to, each) => classic((await import(pathToFileURL(peers.resolve('eventsource5')))).EventSource, to, each),
  undici: async (to, each) => classic(peers('undici').EventSource, to, each),
  // No client: what Node's own HTTP costs without a parser, as a mark. An event is what it takes for one.
  async 'http.get'(to, each) {
    const size = Number(new URL(to).searchParams.get('size') ?? 0);
    const request = http.get(to, (response) => {
      let rest = 0;
      if (size > 0) response.on('data', (bytes) => { for (rest += bytes.length; rest >= size; rest -= size) each(''); });
      else response.on('data', (bytes) => { for (const event of bytes.latin1Slice().split('\n\n')) if (event !== '') each(event.slice(6)); });
    });
    request.on('error', () => {});
    return () => request.destroy();
  },
};

function classic(EventSource, to, each) {
  const source = new EventSource(to);
  source.addEventListener('message', (event) => each(event.data));
  return () => source.close();
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cpu = (since) => { const { user, system } = process.cpuUsage(since); return (user + system) / 1e6; };

const scenarios = {
  // As fast as it goes: events a second, CPU seconds a million events, highest memory.
  async flood() {
    let events = 0;
    let bytes = 0;
    const end = await clients[client](url, (data) => { events++; bytes += data.length; });
    await sleep(1000);
    const first = events;
    const start = process.hrtime.bigint();
    const used = process.cpuUsage();
    await sleep(3000);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const million = (events - first) / 1e6;
    const result = { rate: million / seconds, cpu: cpu(used) / million, rss: process.resourceUsage().maxRSS / 1024, bytes };
    end();
    return result;
  },
  // From the server's write to the listener.
  async latency() {
    const waits = [];
    let end;
    await new Promise((resolve) => {
      clients[client](url, (data) => {
        const now = process.hrtime.bigint();
        waits.push(Number(now - BigInt(data.trim())) / 1000);
        if (waits.length === 3000) resolve();
      }).then((stop) => { end = stop; });
    });
    end();
    const steady = waits.slice(500).sort((a, b) => a - b);
    return { p50: steady[steady.length >> 1], p99: steady[Math.floor(steady.length * 0.99)] };
  },
  // CPU for a steady trickle: 500 events a second for 10 s.
  async trickle() {
    let events = 0;
    const end = await clients[client](url, () => events++);
    while (events < 200) await sleep(10);
    const used = process.cpuUsage();
    const first = events;
    await sleep(10000);
    const result = { cpu: (cpu(used) / (events - first)) * 5000 };
    end();
    return result;
  },
  // Memory while no JavaScript runs for 5 s and the server sends all it can: over that of the idle connection before.
  async blocked() {
    const follow = (then) => new Promise((resolve, reject) => {
      let end;
      let events = 0;
      clients[client](url, () => {
        if (++events === 1) then();
        if (events === 10000) resolve(end());
      }).then((stop) => { end = stop; }, reject);
    });
    await follow(() => process.memoryUsage.rss());
    globalThis.gc();
    let kilobytes;
    await follow(() => {
      const idle = process.memoryUsage.rss();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000);
      kilobytes = (process.memoryUsage.rss() - idle) / 1024;
    });
    return { kilobytes };
  },
  // Memory of connections that say nothing.
  async idle() {
    globalThis.gc();
    await sleep(200);
    let open = 0;
    const opening = [await clients[client](url, () => open++)];
    while (open < 1) await sleep(10);
    globalThis.gc();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 200; i++) opening.push(await clients[client](url, () => open++));
    while (open < 201) await sleep(10);
    for (let i = 0; i < 3; i++) { globalThis.gc(); await sleep(100); }
    const result = { kilobytes: (process.memoryUsage.rss() - before) / 200 / 1024 };
    for (const end of opening) end();
    return result;
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
process.exit(0);
