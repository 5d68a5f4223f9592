'use strict';
// The EventSource class: takes what the library has for it in turns of the event loop and dispatches it.
//
// The library is polled and nothing else: what is not polled stays in the socket, so whoever is slow here slows the
// server down. A burst is what one poll gave; it ends after CONNECT, ERROR and CLOSE, and the next poll waits until
// their handlers have returned, because that is when retry, fail and fresh headers are listened to.

// Not those of the moment: tests replace what is global with clocks that stand still.
const { performance } = require('node:perf_hooks');
const { setImmediate } = require('node:timers');
const clock = performance.now.bind(performance);
const native = require('./native.js');
const { read, milliseconds } = require('./options.js');
const { HeaderFunctions } = require('./headers.js');
const { Loops } = require('./loops.js');
const { CommentEvent, CloseEvent, ErrorEvent, CODES } = require('./events.js');
const { Message, Listeners, deliver, lean, ADDED, REMOVED } = require('./message.js');

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

// The head of the index array, and the lengths in its records that are none: see addon.c.
const [COUNT, STATUS, KIND, STATE, ERROR, HTTP] = [0, 1, 2, 3, 4, 5];
const HEAD_SIZE = 8;
const RECORD_SIZE = 3;
const INDEX_SIZE = HEAD_SIZE + 256 * RECORD_SIZE;
const [SAME, OWN, COMMENT] = [-1, -2, -3];
const [KIND_NONE, KIND_CONNECT, KIND_OPEN, KIND_ERROR, KIND_CLOSE] = [0, 1, 2, 5, 6];
const [OK, AGAIN, NONE, ENDED, ERROR_CONNECT, ERROR_INTERNAL] = [0, 2, 0, 1, 3, 14];

const TURN = 5; // milliseconds that one source may keep the loop from other work
const UNHURRIED = 16; // events between two looks at the clock, where handlers are quick
const ASKED = 'closed by the application';

let spare = new Int32Array(INDEX_SIZE); // one index array serves all sources that do not stop in the middle of a burst

class EventSource extends EventTarget {
  #url;
  #withCredentials;
  #readyState = CONNECTING;
  #closed = false; // close() was called, or all is over
  #origin = '';
  #handle = null; // null where there is nothing to connect to
  #handlers = new Map(); // of the on… attributes
  #listeners = new Listeners();
  #only; // the only listener for messages of this type: see Listeners
  #onlyFor = null; // null: not looked up
  #changed = false; // a listener has come or gone since the last event
  #yielded = false; // to the microtasks: the next turn goes on

  #burst = null; // what has been polled and not been handed out
  #type = 'message'; // of the last message, in step with the addon
  #id = '';
  #handing = false; // we are dispatching: calls come from inside a handler
  #fresh = true; // nothing of the program's has run in this turn
  #deadline = 0;
  #looked = 0; // at the clock, at what time
  #unwatched = 0; // events until the next look
  #deciding = false; // an ERROR has been dispatched, and the library not been polled since
  #paused = false;

  #headerFunctions;
  #loops = null;

  constructor(url, init = undefined) {
    if (arguments.length === 0) throw new TypeError('EventSource: 1 argument required, but only 0 present');
    super();
    const given = `${url}`;
    const options = read(init);
    let parsed;
    try {
      parsed = new URL(given);
    } catch {
      // What stands before an @ may be a password.
      throw new DOMException(`EventSource: '${given.replace(/^.*@/s, '…@')}' is not an absolute URL`, 'SyntaxError');
    }
    const href = parsed.href;
    parsed.username = parsed.password = '';
    this.#url = parsed.href;
    this.#withCredentials = options.withCredentials;
    this.#headerFunctions = new HeaderFunctions(options.headerFunctions, options.connectTimeout);
    if (/^https?:/.test(href)) this.#open(href, options.calls);
    else setImmediate(() => this.#refuse(parsed.protocol));
  }

  get url() { return this.#url; }
  get withCredentials() { return this.#withCredentials; }
  get readyState() { return this.#readyState; }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#readyState = CLOSED;
    this.#fresh = false;
    if (this.#handle === null) return;
    native.close(this.#handle);
    // What was polled is dropped, but a CLOSE: there is only one.
    if (this.#burst !== null) {
      this.#burst.next = this.#burst.count;
      if (this.#burst.kind === KIND_CLOSE) this.#burst.asked = true;
      else this.#burst.kind = KIND_NONE;
    }
    this.#interrupt();
  }

  /// Disconnects and keeps the place in the stream.
  pause() {
    this.#paused = this.#steer(native.pause) || this.#paused;
  }

  /// Connects again after a pause, at once.
  resume() {
    if (this.#paused) this.#paused = !this.#steer(native.resume);
  }

  /// Drops the connection, or the wait for one, and connects anew at once: the network has changed.
  reconnect() {
    if (!this.#paused) this.#steer(native.reconnect);
  }

  /// In an error handler: try again after so many milliseconds, or after the library's own delay. False: too late.
  retry(delay) {
    const wait = delay === undefined ? -1 : milliseconds('delay', delay);
    if (!this.#deciding || this.#closed || native.retry(this.#handle, wait) !== OK) return false;
    this.#readyState = CONNECTING;
    return true;
  }

  /// From the next attempt on. null or undefined removes the header.
  setHeader(name, value, options = null) {
    if (arguments.length < 2) throw new TypeError(`EventSource: setHeader takes 2 arguments, but only ${arguments.length} present`);
    if (typeof options !== 'object') throw new TypeError('EventSource: the options of setHeader must be an object');
    for (const key of Object.keys(options ?? {}))
      if (key !== 'secret') throw new TypeError(`EventSource: option '${key}' of setHeader is unknown`);
    const secret = options?.secret ?? false;
    if (typeof secret !== 'boolean') throw new TypeError("EventSource: option 'secret' of setHeader must be true or false");
    const content = value === null || value === undefined ? null : `${value}`;
    if (this.#handle === null) return;
    this.#setHeader(`${name}`, content, secret);
    this.#headerFunctions.forget(`${name}`);
  }

  /// An open source keeps the process alive; unref ends that, and ref brings it back.
  ref() { return this.#hold(true); }
  unref() { return this.#hold(false); }

  /// Every message, whatever its type; nothing is read on while the loop's body is busy. Leaving the loop closes.
  [Symbol.asyncIterator]() {
    this.#loops ??= new Loops();
    const wanted = () => {
      // What is left of a burst can be had at once. To poll is for the next turn: other work comes in between.
      if (!this.#handing && !this.#yielded && this.#burst !== null && this.#messages(this.#burst)) native.kick(this.#handle);
    };
    return this.#loops.begin(this.#closed, wanted, () => this.close());
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth, options, print) {
    const { url, readyState, withCredentials } = this;
    return depth < 0 ? '[EventSource]' : `EventSource ${print({ url, readyState, withCredentials }, options)}`;
  }

  // ---- beginning

  #open(href, calls) {
    try {
      this.#handle = native.open(href, calls, () => this.#turn());
    } catch (error) {
      if (error.code === 'url') throw new DOMException(`EventSource: '${this.#url}': ${error.message}`, 'SyntaxError');
      if (error.code === 'start') throw new Error(`EventSource: ${error.message}`);
      throw new TypeError(`EventSource: option '${error.code}': ${error.message}`);
    }
  }

  #refuse(protocol) {
    const message = `cannot connect to a URL whose scheme is ${protocol}`;
    if (!this.#closed) {
      this.#readyState = CLOSED;
      this.#fire(new ErrorEvent(ERROR_CONNECT, message, 0, [], '', -1));
    }
    setImmediate(() => (this.#closed ? this.#finish(NONE, ASKED, 0) : this.#finish(ERROR_CONNECT, message, 0)));
  }

  #hold(on) {
    if (this.#handle !== null) native.hold(this.#handle, on);
    return this;
  }

  // pause, resume and reconnect, where they have something to do. The rest of a burst is handed out all the same: it counts as
  // delivered, but its end says how things stood before. False: too late.
  #steer(call) {
    if (this.#closed || this.#handle === null || call(this.#handle) !== OK) return false;
    this.#readyState = CONNECTING;
    if (this.#burst !== null) this.#burst.outdated = true;
    this.#interrupt();
    return true;
  }

  // The library has something new to say, and does not wake us if it is we who have stopped polling.
  #interrupt() {
    this.#headerFunctions.abandon();
    native.kick(this.#handle);
  }

  // ---- a turn of the loop

  #turn() {
    if (this.#headerFunctions.asking) return;
    this.#fresh = true;
    this.#yielded = false;
    this.#looked = clock();
    this.#deadline = this.#looked + TURN;
    this.#unwatched = 2; // after the first event, which may be slow
    let polled = false;
    do {
      const burst = this.#burst;
      if (burst !== null) {
        if (!(this.#messages(burst) && this.#special(burst))) return;
        // A wake will come. That of a burst from an earlier turn may have come already.
        if (polled && burst.status === AGAIN) return;
      }
      polled = true;
    } while (this.#poll());
  }

  // False: there is nothing, and a wake will come.
  #poll() {
    const index = spare ?? new Int32Array(INDEX_SIZE);
    spare = null;
    this.#deciding = false;
    const given = native.poll(this.#handle, index);
    const status = index[STATUS];
    if (index[COUNT] === 0 && index[KIND] === KIND_NONE && status >= 0) {
      spare = index;
      return false;
    }
    const whole = typeof given === 'string';
    this.#burst = {
      index,
      text: whole ? given : given[0],
      own: whole ? null : given, // strings that are not part of the text
      count: index[COUNT],
      next: 0, // the record to hand out
      at: 0, // its place in the text
      ownAt: 1,
      kind: status < 0 ? KIND_ERROR : index[KIND],
      status,
      outdated: false, // pause, resume or reconnect has been called since
      asked: false, // as close has, to which it ends with CLOSE anyway
    };
    return true;
  }

  // True: all messages of the burst have been handed out. False: later, and it is known who goes on with it.
  #messages(burst) {
    const { index, text, own } = burst;
    this.#handing = true;
    this.#changed = false;
    while (burst.next < burst.count) {
      if (this.#loops !== null && !this.#loops.waiting) break;
      if (--this.#unwatched <= 0 && this.#late()) {
        native.kick(this.#handle);
        break;
      }
      const record = HEAD_SIZE + burst.next++ * RECORD_SIZE;
      let length = index[record];
      const comment = length === COMMENT;
      if (length >= 0) this.#type = text.slice(burst.at, (burst.at += length));
      else if (length === OWN) this.#type = own[burst.ownAt++];
      length = index[record + 1];
      if (length >= 0) this.#id = text.slice(burst.at, (burst.at += length));
      else if (length === OWN) this.#id = own[burst.ownAt++];
      length = index[record + 2];
      const data = length >= 0 ? text.slice(burst.at, (burst.at += length)) : own[burst.ownAt++];
      this.#fresh = false;
      if (comment) {
        super.dispatchEvent(new CommentEvent(data));
      } else {
        const event = new Message(this.#type, data, this.#id, this.#origin, this.#looked);
        if (this.#onlyFor !== this.#type) this.#look();
        if (this.#only === null) super.dispatchEvent(event);
        else deliver(event, this, this.#only);
        if (this.#loops !== null && !this.#closed) this.#loops.give(event);
      }
      // Somebody who awaits one event after the other wants to listen again before the next: microtasks come first.
      if (this.#changed) {
        this.#yielded = true;
        native.kick(this.#handle);
        break;
      }
    }
    this.#handing = false;
    return !this.#yielded && burst.next >= burst.count;
  }

  #look() {
    this.#onlyFor = this.#type;
    this.#only = lean ? this.#listeners.only(this.#type) : null;
  }

  // EventTarget tells of what has been added and removed, by whatever way.
  [ADDED](size, type, listener, once, capture, passive, weak) {
    super[ADDED](size, type, listener, once, capture, passive, weak);
    this.#listeners.added(type, listener, once, capture, weak);
    this.#onlyFor = null;
    this.#changed = true;
  }

  [REMOVED](size, type, listener, capture) {
    super[REMOVED](size, type, listener, capture);
    this.#listeners.removed(type, listener, capture);
    this.#onlyFor = null;
    this.#changed = true;
  }

  // Looks at the clock: after each event where handlers are slow, every sixteenth otherwise.
  #late() {
    const now = clock();
    this.#unwatched = now - this.#looked < 0.25 ? UNHURRIED : 1;
    this.#looked = now;
    return now >= this.#deadline;
  }

  // The end of a burst. True: poll on, in this turn.
  #special(burst) {
    const { index, kind, own, ownAt, status } = burst;
    // CLOSE gets a task of its own.
    if (kind === KIND_CLOSE && !this.#fresh) {
      native.kick(this.#handle);
      return false;
    }
    const [message, id, url, body, retryIn, ...fields] = own === null ? [] : own.slice(ownAt);
    const [state, error, http] = [index[STATE], index[ERROR], index[HTTP]];
    this.#burst = null;
    spare = index;
    if (this.#closed && kind !== KIND_CLOSE) {
      if (status >= 0) return true;
      this.#finish(NONE, ASKED, 0); // it has failed, and nobody wants anything of it
      return false;
    }
    switch (kind) {
      case KIND_CONNECT:
        this.#readyState = CONNECTING;
        return this.#ask({ url, lastEventId: id });
      case KIND_OPEN:
        if (!burst.outdated) this.#readyState = OPEN;
        this.#origin = originOf(url);
        this.#fire(new Event('open'));
        // Who has awaited it listens to what came along with it.
        native.kick(this.#handle);
        return false;
      case KIND_ERROR:
        if (status < 0) {
          this.#break(status);
          return false;
        }
        if (!burst.outdated || state === CLOSED) this.#readyState = state > CLOSED ? CONNECTING : state;
        this.#deciding = true;
        this.#fire(new ErrorEvent(error, message, http, fields, body, retryIn));
        // Not polled before the handlers' microtasks have run: they may still answer.
        native.kick(this.#handle);
        return false;
      case KIND_CLOSE:
        if (burst.asked) this.#finish(NONE, ASKED, http);
        else this.#finish(error, message, http);
        return false;
    }
    return true;
  }

  #fire(event) {
    this.#fresh = false;
    this.#handing = true;
    super.dispatchEvent(event);
    this.#handing = false;
  }

  #finish(error, message, http) {
    this.#closed = true;
    this.#readyState = CLOSED;
    if (this.#handle !== null) native.end(this.#handle);
    this.#endLoops(error, message, http);
    this.#fire(new CloseEvent(error, message, http));
  }

  #endLoops(error, message, http) {
    const failed = error !== NONE && error !== ENDED;
    if (failed) this.#loops ??= new Loops(); // one may still begin
    this.#loops?.end(failed ? Object.assign(new Error(message), { code: CODES[error] ?? 'INTERNAL', status: http }) : null);
  }

  // The library has caught a panic of its own.
  #break(status) {
    const message = `the library failed with status ${status}`;
    this.#closed = true;
    this.#readyState = CLOSED;
    this.#endLoops(ERROR_INTERNAL, message, 0);
    this.#fire(new ErrorEvent(ERROR_INTERNAL, message, 0, [], '', -1));
    this.#finish(ERROR_INTERNAL, message, 0);
  }

  // ---- headers

  #setHeader(name, value, secret) {
    if (native.setHeader(this.#handle, name, value, secret) < 0)
      throw new TypeError(`EventSource: header '${name}' cannot be sent`);
  }

  // True: the attempt may begin.
  #ask(about) {
    const fail = (error) => native.fail(this.#handle, `the header function: ${inWords(error)}`);
    return this.#headerFunctions.ask(about, this.#setHeader.bind(this), fail, () => native.kick(this.#handle));
  }

  // ---- what the class looks like

  static {
    const define = (where, name, descriptor) => Object.defineProperty(where, name, { enumerable: true, ...descriptor });

    // An attribute is one listener, in the place where it was first set; setting it again changes what that one calls.
    for (const type of ['open', 'message', 'error', 'close']) {
      const attribute = {
        get() { return this.#handlers.get(type)?.value ?? null; },
        set(value) {
          const handler = this.#handlers.get(type);
          if (value === null || (typeof value !== 'function' && typeof value !== 'object')) {
            if (handler !== undefined) this.removeEventListener(type, handler.listener);
            this.#handlers.delete(type);
          } else if (handler !== undefined) {
            handler.value = value;
          } else {
            const fresh = { value, listener: null };
            fresh.listener = (event) => typeof fresh.value === 'function' ? fresh.value.call(this, event) : undefined;
            this.#handlers.set(type, fresh);
            this.addEventListener(type, fresh.listener);
          }
        },
      };
      for (const how of ['get', 'set']) Object.defineProperty(attribute[how], 'name', { value: `${how} on${type}` });
      define(EventSource.prototype, `on${type}`, { configurable: true, ...attribute });
    }
    for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSED })) {
      define(EventSource, name, { value });
      define(EventSource.prototype, name, { value });
    }
    for (const name of ['url', 'withCredentials', 'readyState', 'close']) define(EventSource.prototype, name, {});
    Object.defineProperty(EventSource.prototype, Symbol.toStringTag, { value: 'EventSource', configurable: true });
  }
}

// The library takes some hosts that URL does not. Its URLs have no userinfo and no default port.
function originOf(url) {
  try {
    return new URL(url).origin;
  } catch {
    return /^[^:]*:\/\/[^/?#]*/.exec(url)[0];
  }
}

// Anything can be thrown, even what cannot be made a string.
function inWords(error) {
  try {
    return String(error?.message ?? error).replaceAll('\0', '');
  } catch {
    return 'it threw what has no words';
  }
}

module.exports = { EventSource };
