'use strict';
// The events of messages, and how they reach a listener: what happens for each event that a server sends.
//
// Node's constructors of events are most of what an event costs: that of MessageEvent takes up to 0.7 µs, that of Event
// asks the clock. A message is a MessageEvent in every respect but its making: its prototype chain leads through
// MessageEvent.prototype to Event.prototype, and it has the properties in which Node's EventTarget looks for an event's
// type, target and state of dispatch. They are symbols that have to be found; on a Node that has them no more, messages are
// made by Event's constructor, and go through dispatchEvent.

const inspect = Symbol.for('nodejs.util.inspect.custom');
const symbol = (object, name) => Object.getOwnPropertySymbols(object).find(({ description }) => description === name) ?? Symbol(name);

const sample = new Event('sample');
const TYPE = symbol(sample, 'type');
const TARGET = symbol(sample, 'kTarget');
const DISPATCHING = symbol(sample, 'kIsBeingDispatched');
// Called by EventTarget with what has been added and removed.
const ADDED = symbol(EventTarget.prototype, 'kNewListener');
const REMOVED = symbol(EventTarget.prototype, 'kRemoveListener');

// Of events with which somebody does what nobody does with messages: a real event that keeps the outcome.
const reals = new WeakMap();

function realOf(event) {
  if (!reals.has(event)) reals.set(event, new Event(event.type));
  return reals.get(event);
}

class Lean {
  #data;
  #lastEventId;
  #origin;
  #timeStamp;

  // Nobody's subclass: to be one would cost as much again.
  constructor(type, data, lastEventId, origin, timeStamp) {
    this[TYPE] = type;
    this[TARGET] = null;
    this[DISPATCHING] = false;
    this.#data = data;
    this.#lastEventId = lastEventId;
    this.#origin = origin;
    this.#timeStamp = timeStamp;
  }

  get data() { return this.#data; }
  get lastEventId() { return this.#lastEventId; }
  get origin() { return this.#origin; }
  get timeStamp() { return this.#timeStamp; }

  // What Event.prototype keeps where we cannot reach it. Everything else it finds here.
  get bubbles() { return reals.get(this)?.bubbles ?? false; }
  get cancelable() { return reals.get(this)?.cancelable ?? false; }
  get composed() { return false; }
  get defaultPrevented() { return reals.get(this)?.defaultPrevented ?? false; }
  get returnValue() { return reals.get(this)?.returnValue ?? true; }
  set returnValue(value) { if (!value) this.preventDefault(); }
  get cancelBubble() { return reals.get(this)?.cancelBubble ?? false; }
  set cancelBubble(value) { if (value) this.stopPropagation(); }
  preventDefault() { realOf(this).preventDefault(); }
  stopPropagation() { realOf(this).stopPropagation(); }
  initEvent(...args) {
    if (this[DISPATCHING]) return;
    const real = realOf(this);
    real.initEvent(...args);
    this[TYPE] = real.type;
  }
  initMessageEvent(type, bubbles = false, cancelable = false, data = null, origin = '', lastEventId = '') {
    if (arguments.length === 0) throw new TypeError('initMessageEvent: 1 argument required, but only 0 present');
    if (this[DISPATCHING]) return;
    this.initEvent(type, bubbles, cancelable);
    [this.#data, this.#origin, this.#lastEventId] = [data, `${origin}`, `${lastEventId}`];
  }
}

class Made extends Event {
  #data;
  #lastEventId;
  #origin;

  constructor(type, data, lastEventId, origin) {
    super(type);
    this.#data = data;
    this.#lastEventId = lastEventId;
    this.#origin = origin;
  }

  get data() { return this.#data; }
  get lastEventId() { return this.#lastEventId; }
  get origin() { return this.#origin; }
}

if (!('initMessageEvent' in MessageEvent.prototype)) delete Lean.prototype.initMessageEvent; // not every Node has it
const NO_PORTS = Object.freeze([]);
for (const { prototype } of [Lean, Made]) {
  Object.setPrototypeOf(prototype, MessageEvent.prototype);
  Object.defineProperties(prototype, {
    source: { get: () => null, configurable: true },
    ports: { get: () => NO_PORTS, configurable: true },
    [inspect]: {
      value(depth, options, print) {
        if (Object.hasOwn(this, inspect)) return '[MessageEvent]'; // the prototype itself
        const { type, data, lastEventId, origin } = this;
        return depth < 0 ? '[MessageEvent]' : `MessageEvent ${print({ type, data, lastEventId, origin }, options)}`;
      },
    },
  });
  const shown = (name) => [Event, MessageEvent].some((of) => Object.getOwnPropertyDescriptor(of.prototype, name)?.enumerable === true);
  for (const name of [...Object.getOwnPropertyNames(prototype).filter(shown), 'data', 'lastEventId', 'origin', 'source', 'ports'])
    Object.defineProperty(prototype, name, { enumerable: true });
  Object.defineProperty(prototype, 'constructor', { value: MessageEvent, enumerable: false });
}

const uncaught = (error) => process.nextTick(() => { throw error; });

/// Does what `target.dispatchEvent(event)` does where `listener` is the only one there is, a function without options; it may
/// be undefined: there is none at all.
function deliver(event, target, listener) {
  event[TARGET] = target;
  if (listener === undefined) return;
  event[DISPATCHING] = true;
  try {
    const result = listener.call(target, event);
    event[DISPATCHING] = false;
    if (result !== undefined && result !== null) {
      const { then } = result;
      if (typeof then === 'function') then.call(result, undefined, uncaught);
    }
  } catch (error) {
    event[DISPATCHING] = false;
    uncaught(error);
  }
}

/// Whether Node is as we know it: tried once, with an event that goes through all of it.
const lean = (() => {
  try {
    const seen = [];
    class Target extends EventTarget {
      [ADDED](size, type, listener, once, capture, passive, weak) { seen.push(size, type, typeof listener, once, capture, passive, !!weak); }
      [REMOVED](size, type, listener, capture) { seen.push(size, type, typeof listener, capture); }
    }
    const target = new Target();
    const listener = (event) => {
      seen.push(event.type, event.target === target, event.currentTarget === target, event.eventPhase, event.isTrusted);
      event.stopImmediatePropagation();
    };
    target.addEventListener('x', listener, { once: true });
    target.addEventListener('x', () => seen.push('stopped'));
    const event = new Lean('x');
    target.dispatchEvent(event);
    seen.push(event.target === target, event.currentTarget, event.eventPhase, event.cancelBubble);
    return seen.join() === [1, 'x', 'function', true, false, false, false, 2, 'x', 'function', false, false, false, false,
      1, 'x', 'function', false, 'x', true, true, 2, false, true, null, 0, true].join();
  } catch {
    return false;
  }
})();

/// The listeners of one target, as EventTarget tells of them.
class Listeners {
  #types = new Map(); // type: [{ listener, capture, plain }]

  added(type, listener, once, capture, weak) {
    const all = this.#types.get(type);
    const one = { listener, capture, plain: typeof listener === 'function' && !once && !weak };
    if (all === undefined) this.#types.set(type, [one]);
    else all.push(one);
  }

  removed(type, listener, capture) {
    const all = this.#types.get(type) ?? [];
    const at = all.findIndex((one) => one.listener === listener && one.capture === capture);
    if (at >= 0) all.splice(at, 1);
  }

  /// The only one for that type; undefined: there is none. null: nothing is as simple as that.
  only(type) {
    const all = this.#types.get(type);
    if (all === undefined || all.length === 0) return undefined;
    return all.length === 1 && all[0].plain ? all[0].listener : null;
  }
}

module.exports = { Message: lean ? Lean : Made, Listeners, deliver, lean, ADDED, REMOVED };
