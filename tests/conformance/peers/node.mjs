// Other clients for Node as conformance runners: node node.mjs eventsource|undici|launchdarkly-eventsource. The protocol is in ../README.md.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const name = process.argv[2];
const peers = createRequire(process.env.PEERS);
const decode = (word) => (word === '%' ? '' : decodeURIComponent(word));
const say = (...words) => process.stdout.write(words.map((word) => encodeURIComponent(word ?? '') || '%').join(' ') + '\n');
const STATES = ['connecting', 'open', 'closed'];

// Each makes a source, with the options that come nearest to what is asked for.
const makers = {
  eventsource(url, { headers, method, body }) {
    const { EventSource } = peers('eventsource');
    return new EventSource(url, { fetch: (to, init) => fetch(to, { ...init, method, body, headers: { ...init.headers, ...headers } }) });
  },
  undici(url, { headers, method, first }) {
    if (Object.keys(headers).length > 0 || method !== undefined) say('lacks', 'headers or methods of the caller');
    return new (peers('undici').EventSource)(url, { node: { reconnectionTime: first } });
  },
  'launchdarkly-eventsource'(url, { headers, method, body, first }) {
    const { EventSource } = peers('launchdarkly-eventsource');
    // As the standard has it: every status is final, all else is retried.
    return new EventSource(url, { headers, method, body, initialRetryDelayMillis: first, errorFilter: (error) => error.status === undefined });
  },
};

function options(sets) {
  const all = { headers: {}, first: 10 };
  for (const [key, value, more] of sets) {
    if (key === 'header') all.headers[value] = more;
    else if (key === 'method' || key === 'body') all[key] = value;
    else if (key === 'retry') all.first = Math.max(10, Number(value));
    else if (key !== 'standard_status') say('lacks', key); // which is how they are
  }
  return all;
}

function start(url, sets, rules, types) {
  const source = makers[name](url, options(sets));
  const counts = {};
  const hear = (kind, ...fields) => {
    counts[kind] = (counts[kind] ?? 0) + 1;
    for (const [of, n, action] of rules) if (of === kind && Number(n) === counts[kind] && action === 'close') source.close();
    say(kind, ...fields);
  };
  for (const type of new Set(['message', ...types])) {
    source.addEventListener(type, ({ data, lastEventId, origin }) => {
      hear('message', 'type', type, 'data', data, 'id', lastEventId, 'origin', origin);
    });
  }
  source.addEventListener('open', () => hear('open'));
  // What launchdarkly-eventsource is before it closes, the state does not say yet.
  const state = name === 'launchdarkly-eventsource' ? () => [] : () => ['state', STATES[source.readyState]];
  source.addEventListener('error', () => hear('error', ...state()));
  // Its word for a stream that ended without a fault.
  if (name === 'launchdarkly-eventsource') source.addEventListener('end', () => hear('error'));
  return source;
}

let [url, sets, rules, types, source] = ['', [], [], [], null];
for await (const line of createInterface({ input: process.stdin })) {
  const [first, ...words] = line.split(' ').map(decode);
  if (first === 'set' && words[0] === 'url') url = words[1];
  else if (first === 'set') sets.push(words);
  else if (first === 'on') rules.push(words);
  else if (first === 'type') types.push(words[0]);
  else if (first === 'do') source.close();
  else if (first === 'start') {
    try {
      source = start(url, sets, rules, types);
    } catch {
      say('refused');
    }
  } else {
    source?.close();
    [sets, rules, types, source] = [[], [], [], null];
    say('ended');
  }
}
