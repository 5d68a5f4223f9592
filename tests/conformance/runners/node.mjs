// The Node class as a conformance runner; README.md has the protocol.

import { createInterface } from 'node:readline';
import { EventSource } from '../../../bindings/node/index.mjs';

const decode = (word) => (word === '%' ? '' : decodeURIComponent(word));
const say = (...words) => process.stdout.write(words.map((word) => encodeURIComponent(word) || '%').join(' ') + '\n');
const STATES = ['connecting', 'open', 'closed'];

function options(sets) {
  const all = { headers: {}, secretHeaders: {}, retry: {} };
  const setters = {
    header: (name, value) => { all.headers[name] = value; },
    secret_header: (name, value) => { all.secretHeaders[name] = value; },
    method: (value) => { all.method = value; },
    body: (value) => { all.body = value; },
    last_event_id: (value) => { all.lastEventId = value; },
    retry: (first, max) => Object.assign(all.retry, { first: Number(first), max: Number(max) }),
    max_retries: (value) => { all.retry.retries = Number(value); },
    reconnect: (value) => { all.reconnect = value; },
    standard_status: () => { all.standardStatus = true; },
    response_timeout: (value) => { all.responseTimeout = Number(value); },
    idle_timeout: (value) => { all.idleTimeout = Number(value); },
    max_event_size: (value) => { all.maxEventSize = Number(value); },
    compression: () => { all.compression = true; },
  };
  for (const [key, ...values] of sets) (setters[key] ?? (() => say('lacks', key)))(...values);
  return all;
}

const act = (source, [action, argument]) => source[action](...(argument === undefined ? [] : [Number(argument)]));

function start(url, sets, rules, types) {
  const source = new EventSource(url, options(sets));
  const counts = {};
  const hear = (kind, ...fields) => {
    counts[kind] = (counts[kind] ?? 0) + 1;
    for (const [of, n, ...action] of rules) if (of === kind && Number(n) === counts[kind]) act(source, action);
    say(kind, ...fields);
  };
  for (const type of new Set(['message', ...types])) {
    source.addEventListener(type, (event) => {
      const { data, lastEventId, origin } = event;
      if (event instanceof MessageEvent) hear('message', 'type', event.type, 'data', data, 'id', lastEventId, 'origin', origin);
    });
  }
  // A server may choose these names, too; its events are MessageEvents.
  const own = (name, fields) => source.addEventListener(name, (event) => {
    if (!(event instanceof MessageEvent)) hear(name, ...fields(event));
  });
  own('open', () => []);
  own('comment', ({ data }) => ['data', data]);
  own('error', ({ code, status, retryIn }) => ['error', code, 'status', status, 'state', STATES[source.readyState], 'retry', retryIn]);
  own('close', ({ code, status }) => ['error', code, 'status', status]);
  return source;
}

let [url, sets, rules, types, source] = ['', [], [], [], null];
for await (const line of createInterface({ input: process.stdin })) {
  const [first, ...words] = line.split(' ').map(decode);
  if (first === 'set' && words[0] === 'url') url = words[1];
  else if (first === 'set') sets.push(words);
  else if (first === 'on') rules.push(words);
  else if (first === 'type') types.push(words[0]);
  else if (first === 'do') act(source, words);
  else if (first === 'start') {
    try {
      source = start(url, sets, rules, types);
    } catch {
      say('refused');
    }
  } else {
    if (source !== null && source.readyState !== EventSource.CLOSED) {
      source.close();
      await new Promise((resolve) => source.addEventListener('close', resolve));
    }
    [sets, rules, types, source] = [[], [], [], null];
    say('ended');
  }
}
