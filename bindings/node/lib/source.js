'use strict';
// The EventSource class: takes what the library has for it in turns of the event loop and dispatches it.
//
// The library is polled and nothing else: what is not polled stays in the socket, so whoever is slow here slows the
// server down. A burst is what one poll gave; it ends after CONNECT, ERROR and CLOSE, and the next poll waits until
// their handlers have returned, because that is when retry, fail and fresh headers are listened to.

const native = require('./native.js');
const { read, headerPairs, milliseconds } = require('./options.js');
const { Message, CommentEvent, CloseEvent, ErrorEvent, CODES } = require('./events.js');

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
const [OK, NONE, ENDED, ERROR_CONNECT, ERROR_INTERNAL] = [0, 0, 1, 3, 14];

const TURN = 5; // milliseconds that one source may keep the loop from other work
const UNHURRIED = 16; // events between two looks at the clock, where handlers are quick

let spare = new Int32Array(INDEX_SIZE); // one index array serves all sources that do not stop in the middle of a burst

class EventSource extends EventTarget {
  #url;
  #withCredentials;
  #readyState = CONNECTING;
  #closed = false; // close() was called, or all is over
  #origin = '';
  #handle = null; // null where there is nothing to connect to
  #handlers = new Map(); // of the on… attributes

  #burst = null; // what has been polled and not been handed out
  #type = 'message'; // of the last message, in step with the addon
  #id = '';
  #handing = false; // we are dispatching: calls come from inside a handler
  #fresh = true; // nothing has been dispatched in this turn
  #deadline = 0;
  #looked = 0; // at the clock, at what time
  #unwatched = 0; // events until the next look
  #deciding = false; // an ERROR has been dispatched, and the library not been polled since

  #providers;
  #patience; // milliseconds that a header function may take, 0 without end
  #question = null; // to the header functions, while they have not all answered
  #iterators = null;

  constructor(url, init = undefined) {
    if (arguments.length === 0) throw new TypeError('EventSource: 1 argument required, but only 0 present');
    super();
    const given = `${url}`;
    const options = read(init);
    let parsed;
    try {
      parsed = new URL(given);
    } catch {
      throw new DOMException(`EventSource: '${given}' is not an absolute URL`, 'SyntaxError');
    }
    const href = parsed.href;
    parsed.username = parsed.password = '';
    this.#url = parsed.href;
    this.#withCredentials = options.withCredentials;
    this.#providers = options.providers;
    this.#patience = options.connectTimeout;
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
    if (this.#handle === null) return;
    native.close(this.#handle);
    // What was polled is dropped, but a CLOSE: there is only one.
    if (this.#burst !== null) {
      this.#burst.next = this.#burst.count;
      if (this.#burst.kind !== KIND_CLOSE) this.#burst.kind = KIND_NONE;
    }
    this.#interrupt();
  }

  /// Disconnects and keeps the place in the stream.
  pause() { this.#steer(native.pause); }

  /// Connects again after a pause, at once.
  resume() { this.#steer(native.resume); }

  /// Drops the connection, or the wait for one, and connects anew at once: the network has changed.
  reconnect() { this.#steer(native.reconnect); }

  /// In an error handler: try again after so many milliseconds, or after the library's own delay. False: too late.
  retry(delay) {
    const wait = delay === undefined ? -1 : milliseconds('delay', delay);
    if (!this.#deciding || this.#closed || native.retry(this.#handle, wait) !== OK) return false;
    this.#readyState = CONNECTING;
    return true;
  }

  /// From the next attempt on. null or undefined removes the header.
  setHeader(name, value, options) {
    for (const key of Object.keys(options ?? {}))
      if (key !== 'secret') throw new TypeError(`EventSource: option '${key}' of setHeader is unknown`);
    const content = value === null || value === undefined ? null : `${value}`;
    if (this.#handle !== null) this.#setHeader(`${name}`, content, options?.secret === true);
  }

  /// An open source keeps the process alive; unref ends that, and ref brings it back.
  ref() { return this.#hold(true); }
  unref() { return this.#hold(false); }

  /// Every message, whatever its type; nothing is read on while the loop's body is busy. Leaving the loop closes.
  [Symbol.asyncIterator]() {
    const iterator = { waiting: [], failure: null, over: this.#closed };
    const done = { value: undefined, done: true };
    if (!iterator.over) (this.#iterators ??= []).push(iterator);
    const leave = () => {
      iterator.over = true;
      this.#iterators = this.#iterators?.filter((other) => other !== iterator) ?? null;
      for (const { resolve } of iterator.waiting.splice(0)) resolve(done);
      this.close();
    };
    return {
      next: () => {
        const { failure } = iterator;
        iterator.failure = null;
        if (failure !== null) return Promise.reject(failure);
        if (iterator.over) return Promise.resolve(done);
        return new Promise((resolve, reject) => {
          iterator.waiting.push({ resolve, reject });
          // What is left of a burst can be had at once. To poll is for the next turn: other work comes in between.
          if (!this.#handing && this.#burst !== null && this.#messages(this.#burst)) native.kick(this.#handle);
        });
      },
      return: (value) => {
        leave();
        return Promise.resolve({ value, done: true });
      },
      throw: (error) => {
        leave();
        return Promise.reject(error);
      },
      [Symbol.asyncIterator]() { return this; },
    };
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
    const asked = this.#closed;
    if (!asked) {
      this.#readyState = CLOSED;
      this.#fire(new ErrorEvent(ERROR_CONNECT, message, 0, [], '', -1));
    }
    setImmediate(() => this.#finish(asked || this.#closed ? NONE : ERROR_CONNECT, asked ? '' : message, 0));
  }

  #hold(on) {
    if (this.#handle !== null) native.hold(this.#handle, on);
    return this;
  }

  // pause, resume and reconnect. The rest of a burst is handed out all the same: it counts as delivered.
  #steer(call) {
    if (this.#closed || this.#handle === null || call(this.#handle) !== OK) return;
    this.#readyState = CONNECTING;
    this.#interrupt();
  }

  // The library has something new to say, and does not wake us if it is we who have stopped polling.
  #interrupt() {
    if (this.#question !== null) {
      const { abort, timer } = this.#question;
      this.#question = null;
      clearTimeout(timer);
      abort.abort();
    }
    native.kick(this.#handle);
  }

  // ---- a turn of the loop

  #turn() {
    if (this.#question !== null) return;
    this.#fresh = true;
    this.#looked = performance.now();
    this.#deadline = this.#looked + TURN;
    this.#unwatched = 1;
    do {
      if (this.#burst !== null && !(this.#messages(this.#burst) && this.#special(this.#burst))) return;
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
    };
    return true;
  }

  // True: all messages of the burst have been handed out. False: later, and it is known who goes on with it.
  #messages(burst) {
    const { index, text, own } = burst;
    this.#handing = true;
    while (burst.next < burst.count) {
      if (this.#iterators !== null && !this.#wanted()) break;
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
        const event = new Message(this.#type, data, this.#id, this.#origin);
        super.dispatchEvent(event);
        if (this.#iterators !== null && !this.#closed)
          for (const { waiting } of this.#iterators) waiting.shift()?.resolve({ value: event, done: false });
      }
    }
    this.#handing = false;
    return burst.next >= burst.count;
  }

  #wanted() {
    for (const { waiting } of this.#iterators) if (waiting.length === 0) return false;
    return true;
  }

  // Looks at the clock: after each event where handlers are slow, every sixteenth otherwise.
  #late() {
    const now = performance.now();
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
      // Only CLOSE is left to be had, and not in the turn that saw close().
      if (this.#fresh) return true;
      native.kick(this.#handle);
      return false;
    }
    switch (kind) {
      case KIND_CONNECT:
        this.#readyState = CONNECTING;
        return this.#providers.length === 0 || this.#ask({ url, lastEventId: id });
      case KIND_OPEN:
        this.#readyState = OPEN;
        this.#origin = new URL(url).origin;
        this.#fire(new Event('open'));
        break;
      case KIND_ERROR:
        if (status < 0) {
          this.#break(status);
          return false;
        }
        this.#readyState = state > CLOSED ? CONNECTING : state;
        this.#deciding = state !== OPEN;
        this.#fire(new ErrorEvent(error, message, http, fields, body, retryIn));
        // Not polled before the handlers' microtasks have run: they may still answer.
        native.kick(this.#handle);
        return false;
      case KIND_CLOSE:
        this.#finish(error, message, http);
        return false;
    }
    if (!this.#closed) return true;
    native.kick(this.#handle);
    return false;
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
    this.#fire(new CloseEvent(error, message, http));
    const iterators = this.#iterators ?? [];
    this.#iterators = null;
    for (const iterator of iterators) {
      iterator.over = true;
      if (error !== NONE && error !== ENDED) {
        iterator.failure = Object.assign(new Error(message), { code: CODES[error] ?? 'INTERNAL', status: http });
        const first = iterator.waiting.shift();
        if (first !== undefined) {
          first.reject(iterator.failure);
          iterator.failure = null;
        }
      }
      for (const { resolve } of iterator.waiting) resolve({ value: undefined, done: true });
    }
  }

  // The library has caught a panic of its own.
  #break(status) {
    const message = `the library failed with status ${status}`;
    this.#closed = true;
    this.#readyState = CLOSED;
    this.#fire(new ErrorEvent(ERROR_INTERNAL, message, 0, [], '', -1));
    this.#finish(ERROR_INTERNAL, message, 0);
  }

  // ---- headers

  #setHeader(name, value, secret) {
    const bad = name.includes('\0') || value?.includes('\0');
    if (bad || native.setHeader(this.#handle, name, value, secret) < 0)
      throw new TypeError(`EventSource: header '${name}' cannot be sent`);
  }

  // Asks the header functions. True: all have answered, the attempt may begin.
  #ask(about) {
    const abort = new AbortController();
    let answers;
    try {
      answers = this.#providers.map(({ give }) => give({ ...about, signal: abort.signal }));
      if (this.#closed) {
        native.kick(this.#handle);
        return false;
      }
      if (!answers.some((answer) => typeof answer?.then === 'function')) {
        this.#answer(answers);
        return true;
      }
    } catch (error) {
      this.#refuseAttempt(error);
      return true;
    }
    const question = (this.#question = { abort, timer: undefined });
    const settled = (then) => (value) => {
      if (this.#question !== question) return; // abandoned
      this.#question = null;
      clearTimeout(question.timer);
      then(value);
      native.kick(this.#handle);
    };
    const refused = settled((error) => this.#refuseAttempt(error));
    if (this.#patience > 0) {
      const late = () => {
        refused(new Error(`no answer within ${this.#patience} ms`));
        abort.abort();
      };
      question.timer = setTimeout(late, Math.min(this.#patience, 2 ** 31 - 1)).unref();
    }
    Promise.all(answers).then(
      settled((values) => {
        try {
          this.#answer(values);
        } catch (error) {
          this.#refuseAttempt(error);
        }
      }),
      refused,
    );
    return false;
  }

  // A header that a function gave for the last attempt and not for this one is not sent.
  #answer(values) {
    this.#providers.forEach((provider, i) => {
      const pairs = headerPairs(provider.name, values[i]);
      const names = pairs.map(([name]) => name.toLowerCase());
      for (const name of provider.given) if (!names.includes(name)) this.#setHeader(name, null, provider.secret);
      for (const [name, value] of pairs) this.#setHeader(name, value, provider.secret);
      provider.given = names;
    });
  }

  #refuseAttempt(error) {
    const reason = String(error?.message ?? error).replaceAll('\0', '');
    native.fail(this.#handle, `the header function: ${reason}`);
  }

  // ---- what the class looks like

  static {
    const define = (where, name, descriptor) => Object.defineProperty(where, name, { enumerable: true, ...descriptor });

    // An attribute is one listener, in the place where it was first set; setting it again changes what that one calls.
    for (const type of ['open', 'message', 'error', 'close']) {
      define(EventSource.prototype, `on${type}`, {
        configurable: true,
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
      });
    }
    for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSED })) {
      define(EventSource, name, { value });
      define(EventSource.prototype, name, { value });
    }
    for (const name of ['url', 'withCredentials', 'readyState', 'close']) define(EventSource.prototype, name, {});
    Object.defineProperty(EventSource.prototype, Symbol.toStringTag, { value: 'EventSource', configurable: true });
  }
}

module.exports = { EventSource };
