// What the runners for Node share: the lines of the protocol in ../README.md, and the events that are answered.

import { createInterface } from 'node:readline';

const decode = (word) => (word === '%' ? '' : decodeURIComponent(word));

export const STATES = ['connecting', 'open', 'closed'];
export const say = (...words) => process.stdout.write(words.map((word) => encodeURIComponent(word ?? '') || '%').join(' ') + '\n');

/** A function that says an event, after what the rules want done in it. */
export function hearer(rules, act) {
  const counts = {};
  return (kind, ...fields) => {
    counts[kind] = (counts[kind] ?? 0) + 1;
    for (const [of, n, ...action] of rules) if (of === kind && Number(n) === counts[kind]) act(action);
    say(kind, ...fields);
  };
}

/** Until the input ends: `start(url, sets, rules, types)` makes a source, `act(source, words)` does something, `end(source)` ends it. */
export async function serve({ start, act, end }) {
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
      if (source !== null) await end(source);
      [sets, rules, types, source] = [[], [], [], null];
      say('ended');
    }
  }
}
