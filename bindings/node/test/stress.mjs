// Sources made, steered and ended at random, in the main thread and in workers that are terminated: node stress.mjs URL ROUNDS
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { EventSource } from '../index.mjs';

const [url, rounds] = isMainThread ? [process.argv[2], Number(process.argv[3])] : workerData;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function storm(n) {
  const paths = ['/flood?size=50', '/resume?every=50&total=200&retry=1', '/ticks?ms=1', '/nothing', '/flood?size=3000'];
  for (let i = 0; i < n; i++) {
    const headers = i % 3 ? undefined : async () => ({ a: 'b' });
    const source = new EventSource(url + paths[i % paths.length], { retry: { first: 1, max: 2, retries: 3 }, headers });
    const over = new Promise((resolve) => source.addEventListener('close', (event) => event instanceof MessageEvent || resolve()));
    let events = 0;
    source.onmessage = () => { if (++events === (i * 37) % 300) source.close(); };
    source.onerror = () => { if (i % 5 === 0) source.retry(1); };
    if (i % 7 === 0) {
      (async () => {
        let n = 0;
        for await (const _ of source) if (++n > 20) break;
      })().catch(() => {});
    }
    if (i % 11 === 0) {
      source.pause();
      setTimeout(() => source.resume(), 2);
    }
    if (i % 13 === 0) setTimeout(() => source.reconnect(), 3);
    if (i % 2 === 0) await sleep(i % 5);
    setTimeout(() => source.close(), (i * 17) % 60);
    if (i % 3 === 0) await over;
  }
}

await storm(rounds);
if (isMainThread) {
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: [url, rounds] });
    await sleep(20 + i * 13);
    if (i % 3) await worker.terminate();
  }
  await storm(rounds);
  console.log('done');
}
