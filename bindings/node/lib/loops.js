'use strict';
// The `for await` loops over one source. Each gets every message; none is handed out before all of them wait for it.

const DONE = { value: undefined, done: true };

class Loops {
  #open = [];
  #over = false;
  #untold = null; // how it ended, where no loop was there to hear of it

  get waiting() {
    for (const { calls } of this.#open) if (calls.length === 0) return false;
    return true;
  }

  give(value) {
    for (const { calls } of this.#open) calls.shift()?.resolve({ value, done: false });
  }

  /// No more messages. The failure, if there is one, is thrown in each loop; where there is none, in the first to begin. The first
  /// end counts.
  end(failure) {
    if (this.#over) return;
    this.#over = true;
    if (this.#open.length === 0) this.#untold = failure;
    for (const loop of this.#open) {
      loop.over = true;
      if (failure !== null && loop.calls.length > 0) loop.calls.shift().reject(failure);
      else loop.failure = failure;
      for (const { resolve } of loop.calls) resolve(DONE);
    }
    this.#open = [];
  }

  /// An iterator that calls `wanted` when it waits, and `left` when its loop is left.
  begin(over, wanted, left) {
    const loop = { calls: [], failure: null, over }; // calls of next that wait
    if (over) [loop.failure, this.#untold] = [this.#untold, null];
    else this.#open.push(loop);
    const leave = () => {
      loop.over = true;
      loop.failure = null;
      this.#open = this.#open.filter((other) => other !== loop);
      for (const { resolve } of loop.calls.splice(0)) resolve(DONE);
      left();
    };
    return {
      next() {
        const { failure } = loop;
        loop.failure = null;
        if (failure !== null) return Promise.reject(failure);
        if (loop.over) return Promise.resolve(DONE);
        return new Promise((resolve, reject) => {
          loop.calls.push({ resolve, reject });
          wanted();
        });
      },
      async return(value) {
        leave();
        return { value: await value, done: true };
      },
      throw(error) {
        leave();
        return Promise.reject(error);
      },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}

module.exports = { Loops };
