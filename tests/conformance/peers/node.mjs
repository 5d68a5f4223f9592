// Other clients for Node as conformance runners: node node.mjs eventsource|undici|launchdarkly-eventsource. The protocol is in ../README.md.

import { createRequire } from 'node:module';
import { STATES, hearer, say, serve } from '../runners/lines.mjs';

const name = process.argv[2];
const peers = createRequire(process.env.PEERS);

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
    headers = { Pragma: 'no-cache', ...headers };
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
  const hear = hearer(rules, () => source.close());
  // A server may choose the names of the client's own events, too; but its events have data.
  for (const type of new Set(['message', ...types])) {
    source.addEventListener(type, (event) => {
      if ('data' in event) hear('message', 'type', type, 'data', event.data, 'id', event.lastEventId, 'origin', event.origin);
    });
  }
  const own = (type, kind, fields = () => []) => source.addEventListener(type, (event) => {
    if (!('data' in event)) hear(kind, ...fields());
  });
  own('open', 'open');
  // What launchdarkly-eventsource is before it closes, the state does not say yet.
  own('error', 'error', name === 'launchdarkly-eventsource' ? undefined : () => ['state', STATES[source.readyState]]);
  // Its word for a stream that ended without a fault.
  if (name === 'launchdarkly-eventsource') own('end', 'error');
  return source;
}

await serve({ start, act: (source) => source.close(), end: (source) => source.close() });
